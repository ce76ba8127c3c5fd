"""Other terms for an order at the venue."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from application.venue import (
    VenueBusyError,
    VenueHasOrderError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueTerms,
    VenueUnreachableError,
)
from domain.values import Price, Quantity
from tests.infrastructure.exchanges.alpaca_words import (
    ACCEPTED,
    DUPLICATE,
    ORDER_ID,
    REPLACEMENT,
    VENUE_ORDER_ID,
    activity,
    filled,
    order,
)
from tests.infrastructure.exchanges.played_venue import NOBODY, Play, hangs_up, says, showing, venue_at

FIRST = order("replaced", replaced_by="second")
SECOND = order(id="second", client_order_id=f"{ORDER_ID}.1", replaces=VENUE_ORDER_ID, qty="3")
PLACED = says(200, {**SECOND, "status": "pending_new"})
REPLACED = VenueReport(
    client_order_id=ORDER_ID,
    venue_order_id="second",
    status="replaced",
    replacement=1,
    terms=VenueTerms(Quantity(Decimal(3)), None, None),
)
NOT_REPLACEABLE = says(422, {"code": 42210000, "message": "order already replaced"})


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, {"qty": "3"}),
        (
            {"quantity": None, "price": Price(Decimal("1E+2")), "stop_price": Price(Decimal("1E-9"))},
            {"limit_price": "100", "stop_price": "0.000000001"},
        ),
    ],
)
async def test_a_replacement_goes_out_under_its_number_and_says_only_what_changes(
    terms: dict[str, Any], expected: dict[str, str]
) -> None:
    async with showing(FIRST, SECOND, to={"PATCH": PLACED}) as venue, venue_at(venue.url) as adapter:
        assert await adapter.replace(replace(REPLACEMENT, **terms)) == [ACCEPTED, REPLACED]
    request = venue.requests[0]
    assert (request.method, request.target) == ("PATCH", f"/v2/orders/{VENUE_ORDER_ID}")
    assert json.loads(request.body) == {"client_order_id": f"{ORDER_ID}.1", **expected}


async def test_a_replacement_comes_back_with_the_fills_of_its_predecessor() -> None:
    orders = {**FIRST, "filled_qty": "1"}, {**SECOND, "filled_qty": "1"}
    done = [activity("e-1")]
    async with showing(*orders, activities=done, to={"PATCH": PLACED}) as venue, venue_at(venue.url) as adapter:
        assert await adapter.replace(REPLACEMENT) == [ACCEPTED, REPLACED, filled("e-1")]
    async with showing(*orders, to={"PATCH": PLACED, "FILL": says(500)}) as venue, venue_at(venue.url) as adapter:
        assert await adapter.replace(REPLACEMENT) == [ACCEPTED, REPLACED]


async def test_a_replacement_whose_predecessor_works_on_is_reported_with_it() -> None:
    async with showing(order(), SECOND, to={"PATCH": PLACED}) as venue, venue_at(venue.url) as adapter:
        assert await adapter.replace(REPLACEMENT) == [ACCEPTED, REPLACED, replace(ACCEPTED, status="superseded")]


@pytest.mark.parametrize("no", [says(422, DUPLICATE), NOT_REPLACEABLE])
async def test_a_replacement_that_was_carried_out_before_is_found_instead_of_refused(no: Play) -> None:
    async with showing(FIRST, SECOND, to={"PATCH": no}) as venue, venue_at(venue.url) as adapter:
        assert await adapter.replace(REPLACEMENT) == [ACCEPTED, REPLACED]


async def test_a_replacement_that_the_venue_takes_back_after_its_yes_is_refused() -> None:
    refused = {**SECOND, "status": "rejected", "reject_reason": "too late"}
    async with showing(order(), refused, to={"PATCH": PLACED}) as venue, venue_at(venue.url) as adapter:
        accepted, report = await adapter.replace(REPLACEMENT)
    assert accepted == ACCEPTED
    assert (report.status, report.replacement, report.reason) == ("replace_refused", 1, "too late")


@pytest.mark.parametrize("first", [FIRST, order("filled", "0"), order("new")])
async def test_a_replacement_that_was_never_carried_out_is_refused_definitively(first: dict[str, Any]) -> None:
    other = {**SECOND, "client_order_id": "by hand"}
    async with showing(first, other, to={"PATCH": NOT_REPLACEABLE}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueRefusedError) as raised:
            await adapter.replace(REPLACEMENT)
    assert (raised.value.code, raised.value.reason) == ("42210000", "order already replaced")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_other_refusals_are_definitive_at_once(status: int) -> None:
    async with showing(to={"PATCH": says(status)}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueRefusedError):
            await adapter.replace(REPLACEMENT)
    assert len(venue.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [says(500), says(409), says(200, "?"), says(200, order()), hangs_up()],
)
async def test_a_replacement_without_a_proper_answer_is_unknown(answer: Play) -> None:
    async with showing(FIRST, SECOND, to={"PATCH": answer}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.replace(REPLACEMENT)
    assert len(venue.requests) == 1  # and nothing is sent twice


@pytest.mark.parametrize("answer", [PLACED, says(422, DUPLICATE), NOT_REPLACEABLE])
@pytest.mark.parametrize("then", [says(401), says(429), says(500), says(200, "?"), hangs_up()])
async def test_an_answer_that_cannot_be_looked_into_proves_nothing(answer: Play, then: Play) -> None:
    async with showing(to={"PATCH": answer, "GET": then}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.replace(REPLACEMENT)


@pytest.mark.parametrize("answer", [PLACED, says(422, DUPLICATE)])
async def test_a_replacement_that_the_venue_says_it_has_and_does_not_show_is_there(answer: Play) -> None:
    for orders in ([order()], []):
        async with showing(*orders, to={"PATCH": answer}) as venue, venue_at(venue.url) as adapter:
            with pytest.raises(VenueHasOrderError):
                await adapter.replace(REPLACEMENT)


async def test_a_refusal_proves_nothing_while_the_venue_does_not_show_what_replaced_the_order() -> None:
    async with showing(FIRST, to={"PATCH": NOT_REPLACEABLE}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.replace(REPLACEMENT)


async def test_a_replacement_that_the_venue_has_not_decided_on_is_unknown() -> None:
    undecided = {**SECOND, "status": "pending_new"}
    orders = order("pending_replace"), undecided
    async with showing(*orders, to={"PATCH": PLACED}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.replace(REPLACEMENT)


async def test_a_replacement_that_was_not_sent_or_not_acted_on_says_so() -> None:
    async with venue_at(NOBODY) as adapter:
        with pytest.raises(VenueUnreachableError):
            await adapter.replace(REPLACEMENT)
    async with showing(to={"PATCH": says(429)}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueBusyError):
            await adapter.replace(REPLACEMENT)
