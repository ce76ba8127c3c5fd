"""Orders with a leg: of the two, one cancels the other."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from application.venue import VenueLeg, VenueOrder, VenueRefusedError, VenueReport
from domain.values import OrderId, OrderType, Price, Side, TimeInForce
from tests.infrastructure.exchanges.alpaca_words import (
    ACCEPTED,
    DUPLICATE,
    ORDER,
    ORDER_ID,
    SOUGHT,
    VENUE_ORDER_ID,
    activity,
    order,
)
from tests.infrastructure.exchanges.played_venue import Play, hangs_up, played, says, showing, venue_at

LEG_ID = OrderId("7a1f1a52-0c4f-4c63-a1a5-1f0a4f9b6d33")
PAIR = replace(
    ORDER,
    side=Side.SELL,
    order_type=OrderType.LIMIT,
    price=Price(Decimal(200)),
    time_in_force=TimeInForce.GTC,
    leg=VenueLeg(LEG_ID, Price(Decimal("180.50"))),
)
LEG = order("held", id="the-leg", client_order_id="the venue's name")
MAIN = order(order_class="oco", legs=[LEG])
LEG_ACCEPTED = VenueReport(client_order_id=LEG_ID, venue_order_id="the-leg", status="accepted")
NOT_OPENED = VenueReport(
    client_order_id=LEG_ID,
    venue_order_id="",
    status="rejected",
    reason="the venue has not opened the stop order that belongs to this order",
)
WITH_LEG = replace(SOUGHT, leg=LEG_ID)


async def test_a_pair_goes_out_as_one_request_and_both_are_reported() -> None:
    async with played(says(200, MAIN)) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(PAIR) == [ACCEPTED, LEG_ACCEPTED]
    [request] = venue.requests
    assert json.loads(request.body) == {
        "client_order_id": ORDER_ID,
        "symbol": "AAPL",
        "side": "sell",
        "qty": "1.5",
        "type": "limit",
        "time_in_force": "gtc",
        "order_class": "oco",
        "take_profit": {"limit_price": "200"},
        "stop_loss": {"stop_price": "180.50"},
    }


@pytest.mark.parametrize("terms", [{"order_type": OrderType.STOP}, {"price": None}])
async def test_only_a_limit_order_can_have_a_leg(terms: dict[str, Any]) -> None:
    async with played(says(200, MAIN)) as venue, venue_at(venue.url) as adapter:
        pair: VenueOrder = replace(PAIR, **terms)
        with pytest.raises(VenueRefusedError, match="only a limit order"):
            await adapter.submit(pair)
    assert venue.requests == []


@pytest.mark.parametrize("legs", [None, []])
async def test_a_venue_that_shows_no_leg_has_not_opened_it(legs: list[Any] | None) -> None:
    async with (
        showing(order(legs=legs), to={"POST": says(200, order(legs=legs))}) as venue,
        venue_at(venue.url) as adapter,
    ):
        assert await adapter.submit(PAIR) == [ACCEPTED, NOT_OPENED]
        assert await adapter.find(WITH_LEG) == [ACCEPTED, NOT_OPENED]


async def test_a_leg_that_is_shown_by_the_venues_id_only_is_found() -> None:
    async with played(says(200, order()), says(200, MAIN)) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(PAIR) == [ACCEPTED, LEG_ACCEPTED]
    assert (venue.requests[1].path, venue.requests[1].params) == (f"/v2/orders/{VENUE_ORDER_ID}", {"nested": "true"})


@pytest.mark.parametrize("then", [says(404), says(403), says(429), says(500), says(200, "?"), hangs_up()])
async def test_a_leg_that_cannot_be_asked_for_at_once_is_left_to_a_later_question(then: Play) -> None:
    async with played(says(200, order()), then) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(PAIR) == [ACCEPTED]


async def test_a_pair_that_the_venue_has_already_is_found_with_its_leg() -> None:
    async with showing(MAIN, to={"POST": says(422, DUPLICATE)}) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(PAIR) == [ACCEPTED, LEG_ACCEPTED]


async def test_a_leg_is_told_with_its_fills_and_its_end_under_our_name() -> None:
    leg = {**LEG, "status": "canceled", "filled_qty": "1"}
    main = {**MAIN, "legs": [leg], "status": "canceled"}
    done = [activity("e-1", order_id="the-leg")]
    async with showing(main, leg, activities=done) as venue, venue_at(venue.url) as adapter:
        reports = await adapter.find(WITH_LEG)
        alone = await adapter.find(replace(SOUGHT, client_order_id=LEG_ID, venue_order_id="the-leg"))
    assert [(one.client_order_id, one.status) for one in reports] == [
        (ORDER_ID, "accepted"),
        (ORDER_ID, "cancelled"),
        (LEG_ID, "accepted"),
        (LEG_ID, "filled"),
        (LEG_ID, "cancelled"),
    ]
    assert alone == reports[2:]


async def test_a_leg_of_an_order_that_was_replaced_is_found_and_followed_to_its_own_replacement() -> None:
    leg = {**LEG, "status": "replaced", "replaced_by": "new-leg"}
    new_leg = order(id="new-leg", client_order_id=f"{LEG_ID}.1", replaces="the-leg", qty="1", stop_price="170")
    main = order("replaced", replaced_by="new-main", legs=[])
    new_main = order(id="new-main", client_order_id=f"{ORDER_ID}.1", replaces=VENUE_ORDER_ID, legs=[leg])
    async with showing(main, new_main, leg, new_leg) as venue, venue_at(venue.url) as adapter:
        reports = await adapter.find(WITH_LEG)
    assert [(one.client_order_id, one.status, one.venue_order_id, one.replacement) for one in reports] == [
        (ORDER_ID, "accepted", VENUE_ORDER_ID, 0),
        (ORDER_ID, "replaced", "new-main", 1),
        (LEG_ID, "accepted", "the-leg", 0),
        (LEG_ID, "replaced", "new-leg", 1),
    ]
