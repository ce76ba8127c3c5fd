"""What is told of an order that the venue made several of."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.venue import VenueOutcomeUnknownError, VenueReport, VenueTerms
from domain.values import FillId, Price, Quantity
from infrastructure.exchanges.alpaca_executions import Execution, read_page
from infrastructure.exchanges.alpaca_history import tell
from infrastructure.exchanges.alpaca_orders import WireOrder, read_order
from tests.infrastructure.exchanges.alpaca_words import ACCEPTED, ORDER_ID, VENUE_ORDER_ID, activity, filled, order


def first(status: str = "replaced", filled_quantity: str = "0", **fields: Any) -> WireOrder:
    """The order as it was sent."""
    return read_order(json.dumps(order(status, filled_quantity, **{"qty": "10", **fields})).encode())


def replacement(number: int, status: str = "new", filled_quantity: str = "0", **fields: Any) -> WireOrder:
    """A replacement of ours."""
    before = VENUE_ORDER_ID if number == 1 else f"venue-{number - 1}"
    terms = {"id": f"venue-{number}", "client_order_id": f"{ORDER_ID}.{number}", "replaces": before, "qty": "10"}
    return read_order(json.dumps(order(status, filled_quantity, **{**terms, **fields})).encode())


def executions(*entries: dict[str, Any]) -> list[Execution]:
    return read_page(json.dumps(entries).encode()).executions


def bust(execution_id: str) -> dict[str, Any]:
    return activity(f"bust-of-{execution_id}", type="trade_bust", previous_execution_id=execution_id)


def kinds(reports: list[VenueReport]) -> list[tuple[str, str, int]]:
    assert {report.client_order_id for report in reports} == {ORDER_ID}
    return [(report.status, report.venue_order_id, report.replacement) for report in reports]


ONE = ("accepted", VENUE_ORDER_ID, 0)


def test_replacements_are_told_with_their_numbers_and_terms_before_the_fills_of_all() -> None:
    orders = [first("replaced", "1"), replacement(1, "replaced", "1"), replacement(2, "canceled", "3", limit_price="2")]
    late = {"order_id": "venue-2", "transaction_time": "2026-11-20T15:00:02Z"}
    reports = tell(ORDER_ID, orders, executions(activity("e-2", "2", **late), activity("e-1")))
    assert kinds(reports) == [
        ONE,
        ("replaced", "venue-1", 1),
        ("replaced", "venue-2", 2),
        ("filled", VENUE_ORDER_ID, 0),
        ("filled", "venue-2", 0),
        ("cancelled", "venue-2", 0),
    ]
    assert reports[2].terms == VenueTerms(Quantity(Decimal(10)), Price(Decimal(2)), None)
    assert [report.fill.fill_id for report in reports if report.fill] == ["e-1", "e-2"]


def test_a_replacement_of_somebody_else_has_no_number() -> None:
    orders = [first(), replacement(1, client_order_id="by hand")]
    assert kinds(tell(ORDER_ID, orders, [])) == [ONE, ("replaced", "venue-1", 0)]


def test_an_order_that_does_not_say_what_it_replaces_comes_after_the_one_before() -> None:
    orders = [first(), replacement(1, replaces=None)]
    assert kinds(tell(ORDER_ID, orders, [])) == [ONE, ("replaced", "venue-1", 1)]


@pytest.mark.parametrize("status", ["new", "partially_filled", "accepted", "done_for_day", "held"])
def test_an_order_that_works_beside_its_replacement_is_superseded_and_nothing_is_over(status: str) -> None:
    reports = tell(ORDER_ID, [first(status), replacement(1, "canceled")], [])
    assert kinds(reports) == [ONE, ("replaced", "venue-1", 1), ("superseded", VENUE_ORDER_ID, 0)]


@pytest.mark.parametrize("status", ["canceled", "filled", "expired", "pending_cancel"])
def test_an_order_that_is_over_or_about_to_be_is_not_superseded(status: str) -> None:
    reports = tell(ORDER_ID, [first(status), replacement(1, "canceled")], [])
    assert kinds(reports) == [ONE, ("replaced", "venue-1", 1), ("cancelled", "venue-1", 0)]


@pytest.mark.parametrize("status", ["new", "filled", "pending_replace"])
def test_a_replacement_that_was_rejected_is_refused_and_the_order_goes_on(status: str) -> None:
    orders = [first(status, "10" if status == "filled" else "0"), replacement(1, "rejected", reject_reason="too late")]
    reports = tell(ORDER_ID, orders, executions(activity("e-1", "10")) if status == "filled" else [], replacement=1)
    assert kinds(reports)[:2] == [ONE, ("replace_refused", "venue-1", 1)]
    assert reports[1].reason == "too late"
    assert [report.status for report in reports[2:]] == (["filled"] if status == "filled" else [])


def test_a_rejected_replacement_of_somebody_else_is_nothing_to_report() -> None:
    assert kinds(tell(ORDER_ID, [first("new"), replacement(1, "rejected", client_order_id="by hand")], [])) == [ONE]


def test_a_replacement_that_had_taken_over_and_was_rejected_is_the_end() -> None:
    reports = tell(ORDER_ID, [first(), replacement(1, "rejected")], [])
    assert kinds(reports) == [ONE, ("replaced", "venue-1", 1), ("rejected", "venue-1", 0)]


@pytest.mark.parametrize(("status", "then"), [("pending_replace", "new"), ("new", "pending_new")])
def test_a_replacement_that_may_still_be_refused_is_not_told_and_unknown_to_who_asks_for_it(
    status: str, then: str
) -> None:
    orders = [first(status), replacement(1, then)]
    assert kinds(tell(ORDER_ID, orders, [])) == [ONE]
    assert kinds(tell(ORDER_ID, orders, [], replacement=2)) == [ONE]
    with pytest.raises(VenueOutcomeUnknownError):
        tell(ORDER_ID, orders, [], replacement=1)


def test_a_replacement_is_unknown_where_the_venue_does_not_show_what_replaced_the_order() -> None:
    assert kinds(tell(ORDER_ID, [first()], [])) == [ONE]
    with pytest.raises(VenueOutcomeUnknownError):
        tell(ORDER_ID, [first()], [], replacement=1)


def test_an_end_waits_for_the_fills_of_all_orders() -> None:
    orders = [first("replaced", "1"), replacement(1, "canceled", "3")]
    with capture_logs() as logs:
        reports = tell(ORDER_ID, orders, executions(activity("e-1")))
    assert [report.status for report in reports] == ["accepted", "replaced", "filled"]
    assert [(log["filled"], log["known"]) for log in logs] == [("3", "1")]


def test_a_filled_order_that_lacks_a_fill_after_a_bust_is_over_with_a_reason() -> None:
    done = executions(activity("e-1", "6"), activity("e-2", "4"), bust("e-2"))
    reports = tell(ORDER_ID, [first("filled", "6")], done)
    busted = replace(ACCEPTED, status="busted", busted_fill_id=FillId("e-2"))
    terms = VenueTerms(Quantity(Decimal(10)), None, None)
    reason = "the venue took fills back and does not work on the rest any more"
    assert reports == [
        replace(ACCEPTED, terms=terms),
        filled("e-1", "6"),
        filled("e-2", "4"),
        busted,
        replace(ACCEPTED, status="cancelled", reason=reason, terms=terms),
    ]


def test_an_order_that_works_again_after_a_bust_is_not_over() -> None:
    done = executions(activity("e-1", "10"), bust("e-1"))
    assert [report.status for report in tell(ORDER_ID, [first("new")], done)] == ["accepted", "filled", "busted"]


@pytest.mark.parametrize("quantity", ["10", None])
def test_a_filled_order_ends_with_its_fills(quantity: str | None) -> None:
    reports = tell(ORDER_ID, [first("filled", "10", qty=quantity)], executions(activity("e-1", "10")))
    assert [report.status for report in reports] == ["accepted", "filled"]
