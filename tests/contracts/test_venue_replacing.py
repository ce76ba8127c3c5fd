"""What every venue adapter promises of orders that are replaced, and of two orders of which one cancels the other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from application.venue import (
    Sought,
    Venue,
    VenueLeg,
    VenueOrder,
    VenueRefusedError,
    VenueReplacement,
    VenueReport,
    VenueTerms,
)
from domain.values import OrderId, OrderType, Price, Quantity, Side, TimeInForce
from tests.contracts.venues import (
    RESTING,
    Control,
    NewOrder,
    fills,
    listening,
    sought,
    statuses,
    streamed,
)

SELLING = {
    "side": Side.SELL,
    "order_type": OrderType.LIMIT,
    "price": Price(Decimal(300)),
    "time_in_force": TimeInForce.GTC,
}


@pytest.fixture
async def market(control: Control) -> AsyncIterator[Control]:
    """The operator, who leaves prices and rules behind as they were."""
    yield control
    await control("PUT", "prices/AAPL", {"price": "190"})
    await control("PUT", "faults", [])


@pytest.fixture
def new_pair(new_order: NewOrder) -> NewOrder:
    """Orders to sell one AAPL at 300, or at 100 if it comes to that."""

    def build(**terms: Any) -> VenueOrder:
        leg = VenueLeg(OrderId(new_order().client_order_id), Price(Decimal(100)))
        return new_order(**{**SELLING, "leg": leg, **terms})

    return build


def replacement_of(order: VenueOrder, accepted: VenueReport, number: int = 1, **terms: Any) -> VenueReplacement:
    """Two instead of one, or whatever else the test wants."""
    asked = VenueReplacement(
        client_order_id=order.client_order_id,
        number=number,
        venue_order_id=accepted.venue_order_id,
        quantity=Quantity(Decimal(2)),
        price=None,
        stop_price=None,
    )
    return replace(asked, **terms)


# ── Replacements ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_replaced_order_is_followed_by_answer_by_query_and_by_stream(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**RESTING)
    async with listening(venue) as said:
        [accepted] = await venue.submit(order)
        reports = await venue.replace(replacement_of(order, accepted))
        _, replaced = reports
        by_stream = await streamed(said, replaced.venue_order_id, "replaced")
    assert reports[0] == accepted
    assert (replaced.status, replaced.replacement, replaced.client_order_id) == ("replaced", 1, order.client_order_id)
    assert replaced.terms == VenueTerms(Quantity(Decimal(2)), Price(Decimal("1.5")), None)
    assert replaced.venue_order_id != accepted.venue_order_id
    assert by_stream == [replaced]
    for question in (
        sought(order),
        sought(order, replacement=1),
        sought(order, venue_order_id=replaced.venue_order_id),
        Sought(client_order_id=order.client_order_id, venue_order_id=accepted.venue_order_id, replacement=2),
    ):
        assert await venue.find(question) == reports
    assert await venue.client_order_id(replaced.venue_order_id) == order.client_order_id


async def test_a_replacement_that_is_sent_again_is_the_one_the_venue_has(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**RESTING)
    [accepted] = await venue.submit(order)
    first = replacement_of(order, accepted)
    reports = await venue.replace(first)
    assert await venue.replace(first) == reports
    second = replacement_of(order, reports[-1], 2, price=Price(Decimal("1.6")), quantity=None)
    reports = await venue.replace(second)
    assert [(one.status, one.replacement) for one in reports] == [("accepted", 0), ("replaced", 1), ("replaced", 2)]
    assert reports[-1].terms == VenueTerms(Quantity(Decimal(2)), Price(Decimal("1.6")), None)
    for again in (first, second, replace(first, venue_order_id=reports[1].venue_order_id)):
        assert await venue.replace(again) == reports


async def test_a_replacement_carries_the_fills_of_its_predecessor(venue: Venue, new_order: NewOrder) -> None:
    # 1,000 are offered at 190.01, and as many again on each cent above.
    order = new_order(**{**RESTING, "price": Price(Decimal("190.02")), "quantity": Quantity(Decimal(4500))})
    accepted, *_ = await venue.submit(order)
    before = fills(await venue.find(sought(order)))
    reports = await venue.replace(replacement_of(order, accepted, price=Price(Decimal("190.05")), quantity=None))
    after = await venue.find(sought(order))
    assert statuses(reports)[:2] == ["accepted", "replaced"]
    assert fills(after)[: len(before)] == before
    assert sum(fill.quantity for fill in fills(after)) == order.quantity
    assert len({fill.fill_id for fill in fills(after)}) == len(fills(after))
    assert {one.venue_order_id for one in after if one.fill} == {one.venue_order_id for one in after}


async def test_a_replaced_order_ends_with_its_replacement(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**RESTING)
    async with listening(venue) as said:
        [accepted] = await venue.submit(order)
        *_, replaced = await venue.replace(replacement_of(order, accepted))
        with pytest.raises(VenueRefusedError):
            await venue.cancel(accepted.venue_order_id)
        await venue.cancel(replaced.venue_order_id)
        ended = await streamed(said, replaced.venue_order_id, "cancelled")
    assert {one.client_order_id for one in ended} == {order.client_order_id}
    assert statuses(await venue.find(sought(order))) == ["accepted", "replaced", "cancelled"]


async def test_a_replacement_that_cannot_be_is_refused_and_changes_nothing(venue: Venue, new_order: NewOrder) -> None:
    resting, done = new_order(**RESTING), new_order()
    [accepted] = await venue.submit(resting)
    [over] = await venue.submit(done)
    for refused in (
        replacement_of(resting, accepted, stop_price=Price(Decimal(2))),
        replacement_of(resting, accepted, price=Price(Decimal("1.00001"))),
        replacement_of(resting, accepted, venue_order_id="00000000-0000-4000-8000-000000000000"),
        replacement_of(done, over),
    ):
        with pytest.raises(VenueRefusedError):
            await venue.replace(refused)
    assert await venue.find(sought(resting, replacement=1)) == [accepted]


async def test_a_replacement_may_be_refused_after_it_was_taken_in(
    venue: Venue, market: Control, new_order: NewOrder
) -> None:
    await market("PUT", "faults", [{"on": "replace", "fault": "refuse_later", "reason": "TOO_LATE"}])
    order = new_order(**RESTING)
    async with listening(venue) as said:
        [accepted] = await venue.submit(order)
        asked = replacement_of(order, accepted)
        reports = await venue.replace(asked)
        by_stream = await streamed(said, accepted.venue_order_id, "replace_refused")
    assert [(one.status, one.replacement, one.reason) for one in reports] == [
        ("accepted", 0, ""),
        ("replace_refused", 1, "TOO_LATE"),
    ]
    assert (by_stream[-1].client_order_id, by_stream[-1].reason) == (order.client_order_id, "TOO_LATE")
    assert by_stream[-1].replacement in {0, 1}
    assert await venue.replace(asked) == reports
    assert await venue.find(sought(order)) == [accepted]
    await venue.cancel(accepted.venue_order_id)


async def test_of_two_live_orders_one_has_to_go(venue: Venue, market: Control, new_order: NewOrder) -> None:
    await market("PUT", "faults", [{"on": "replace", "fault": "keep_predecessor", "times": 1}])
    order = new_order(**RESTING)
    [accepted] = await venue.submit(order)
    reports = await venue.replace(replacement_of(order, accepted))
    assert [(one.status, one.replacement) for one in reports] == [("accepted", 0), ("replaced", 1), ("superseded", 0)]
    assert reports[-1].venue_order_id == accepted.venue_order_id
    assert await venue.find(sought(order, replacement=1)) == reports
    known = sought(order, venue_order_id=reports[1].venue_order_id)
    assert await venue.find(known) == reports
    await venue.cancel(accepted.venue_order_id)
    assert await venue.find(known) == reports[:2]


# ── Pairs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_pair_is_opened_and_found_under_both_names(
    venue: Venue, new_order: NewOrder, new_pair: NewOrder
) -> None:
    await venue.submit(new_order())
    pair = new_pair()
    assert pair.leg is not None
    reports = await venue.submit(pair)
    main, leg = reports
    assert [(one.client_order_id, one.status) for one in reports] == [
        (pair.client_order_id, "accepted"),
        (pair.leg.client_order_id, "accepted"),
    ]
    assert leg.terms == VenueTerms(Quantity(Decimal(1)), None, Price(Decimal(100)))
    assert await venue.submit(pair) == reports
    assert await venue.find(sought(pair)) == reports
    alone = Sought(client_order_id=pair.leg.client_order_id, venue_order_id=leg.venue_order_id)
    assert await venue.find(alone) == [leg]
    await venue.cancel(main.venue_order_id)
    assert statuses(await venue.find(sought(pair))) == ["accepted", "cancelled"] * 2


async def test_of_a_pair_one_fills_and_the_other_is_cancelled(
    venue: Venue, market: Control, new_order: NewOrder, new_pair: NewOrder
) -> None:
    await venue.submit(new_order())
    pair = new_pair()
    async with listening(venue) as said:
        main, leg = await venue.submit(pair)
        await market("PUT", "prices/AAPL", {"price": "100"})
        await streamed(said, leg.venue_order_id, "filled")
        await streamed(said, main.venue_order_id, "cancelled")
    reports = await venue.find(sought(pair))
    assert [(one.venue_order_id, one.status) for one in reports] == [
        (main.venue_order_id, "accepted"),
        (main.venue_order_id, "cancelled"),
        (leg.venue_order_id, "accepted"),
        (leg.venue_order_id, "filled"),
    ]


async def test_a_part_that_one_of_a_pair_fills_is_taken_from_the_other(
    venue: Venue, new_order: NewOrder, new_pair: NewOrder
) -> None:
    quantity = Quantity(Decimal(5000))
    await venue.submit(new_order(quantity=quantity))
    pair = new_pair(quantity=quantity, price=Price(Decimal("189.99")))  # where not all of it is asked for
    async with listening(venue) as said:
        main, *_ = await venue.submit(pair)
        leg = next(one for one in await venue.find(sought(pair)) if one.venue_order_id != main.venue_order_id)
        restated = await streamed(said, leg.venue_order_id, "replaced")
    sold = sum(fill.quantity for fill in fills(await venue.find(sought(pair))))
    assert 0 < sold < quantity
    last = restated[-1]
    assert (last.replacement, last.terms) == (0, VenueTerms(Quantity(quantity - sold), None, Price(Decimal(100))))
    await venue.cancel(main.venue_order_id)


async def test_both_orders_of_a_pair_can_be_replaced(venue: Venue, new_order: NewOrder, new_pair: NewOrder) -> None:
    await venue.submit(new_order())
    pair = new_pair()
    assert pair.leg is not None
    main, leg = await venue.submit(pair)
    dearer = replacement_of(pair, main, quantity=None, price=Price(Decimal(310)))
    lower = replacement_of(
        replace(pair, client_order_id=pair.leg.client_order_id), leg, quantity=None, stop_price=Price(Decimal(90))
    )
    assert statuses(await venue.replace(dearer)) == ["accepted", "replaced"]
    assert statuses(await venue.replace(lower)) == ["accepted", "replaced"]
    reports = await venue.find(sought(pair))
    assert [(one.client_order_id, one.status, one.replacement) for one in reports] == [
        (pair.client_order_id, "accepted", 0),
        (pair.client_order_id, "replaced", 1),
        (pair.leg.client_order_id, "accepted", 0),
        (pair.leg.client_order_id, "replaced", 1),
    ]
    await venue.cancel(reports[-1].venue_order_id)
    assert statuses(await venue.find(sought(pair))) == ["accepted", "replaced", "cancelled"] * 2
