"""What each message of the stream means."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from application.venue import VenueReport, VenueTerms
from domain.values import FillId, OrderId, Price, Quantity
from infrastructure.exchanges.alpaca_reading import UnreadableError
from infrastructure.exchanges.alpaca_updates import TradeUpdates
from tests.infrastructure.exchanges.alpaca_words import ACCEPTED, ORDER_ID, VENUE_ORDER_ID, filled, order

REPLACEMENT_ID = "9d3f4f0e-0d5e-4f7e-9e53-3a5f5e0f4a10"
TERMS = VenueTerms(Quantity(Decimal(3)), Price(Decimal("1.5")), None)


def update(event: str, about: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A message."""
    return json.dumps({"event": event, "order": about or order(), **fields}).encode()


def replacement(**fields: Any) -> dict[str, Any]:
    """The order's second replacement."""
    terms = {"id": REPLACEMENT_ID, "client_order_id": f"{ORDER_ID}.2", "replaces": VENUE_ORDER_ID}
    return order(**{**terms, "qty": "3.0", "limit_price": "1.50", **fields})


def executed(event: str, **fields: Any) -> bytes:
    """A message about an execution."""
    terms = {"execution_id": "e-1", "qty": "1", "price": "190.01", "timestamp": "2026-11-20T15:00:01.5Z"}
    return update(event, **{**terms, **fields})


def read(*messages: bytes) -> list[VenueReport]:
    """The reports of one connection."""
    updates = TradeUpdates()
    return [updates.read(message) for message in messages]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("new", "accepted"),
        ("accepted", "accepted"),
        ("pending_new", "other"),
        ("canceled", "cancelled"),
        ("expired", "expired"),
        ("done_for_day", "other"),
        ("pending_cancel", "other"),
        ("pending_replace", "other"),
        ("stopped", "other"),
        ("suspended", "other"),
        ("calculated", "other"),
        ("held", "other"),
        ("replaced", "other"),
        ("order_cancel_rejected", "cancel_refused"),
        ("something Alpaca thinks of later", "other"),
    ],
)
def test_events_become_reports(event: str, status: str) -> None:
    assert read(update(event)) == [replace(ACCEPTED, status=status)]


def test_a_report_tells_the_terms_where_the_venue_does() -> None:
    [told] = read(update("new", order(qty="3", limit_price="1.50", stop_price=None)))
    [partly] = read(update("new", order(qty="3", limit_price=None, stop_price="2")))
    assert told.terms == TERMS
    assert partly.terms == VenueTerms(Quantity(Decimal(3)), None, Price(Decimal(2)))


def test_reasons_are_the_orders_own_or_the_messages() -> None:
    reports = read(
        update("rejected", order(reject_reason="no such thing")),
        update("rejected"),
        update("canceled", reason="CORPORATE_ACTION"),
        update("order_cancel_rejected", reason="TOO_LATE_TO_CANCEL"),
        update("order_replace_rejected", reason="TOO_LATE_TO_CANCEL"),
        update("order_replace_rejected"),
        update("new", reason="none that matters"),
    )
    assert [(report.status, report.reason) for report in reports] == [
        ("rejected", "no such thing"),
        ("rejected", "the venue gave no reason"),
        ("cancelled", "CORPORATE_ACTION"),
        ("cancel_refused", "TOO_LATE_TO_CANCEL"),
        ("replace_refused", "TOO_LATE_TO_CANCEL"),
        ("replace_refused", "the venue gave no reason"),
        ("accepted", ""),
    ]


# ── Replacements ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_replacement_of_ours_that_works_is_told_with_its_number_and_terms() -> None:
    early, new, fill = read(
        update("accepted", replacement()), update("new", replacement()), executed("fill", order=replacement())
    )
    assert early.status == "other"
    assert new == VenueReport(
        client_order_id=ORDER_ID, venue_order_id=REPLACEMENT_ID, status="replaced", replacement=2, terms=TERMS
    )
    assert fill == replace(filled("e-1"), venue_order_id=REPLACEMENT_ID, terms=TERMS)


def test_a_replacement_of_ours_that_is_rejected_is_a_refusal_and_not_the_end_of_the_order() -> None:
    [report] = read(update("rejected", replacement(reject_reason="the order was filled first")))
    assert (report.client_order_id, report.status, report.replacement) == (ORDER_ID, "replace_refused", 2)
    assert report.reason == "the order was filled first"


def test_a_replacement_that_has_taken_over_and_is_rejected_is_the_end_of_the_order() -> None:
    *_, report = read(
        update("replaced", order("replaced", replaced_by=REPLACEMENT_ID)),
        update("new", replacement()),
        update("rejected", replacement()),
    )
    assert (report.client_order_id, report.status, report.replacement) == (ORDER_ID, "rejected", 0)


def test_an_order_that_somebody_else_replaced_and_named_is_still_ours() -> None:
    stranger = replacement(client_order_id="by hand")
    reports = read(
        update("replaced", order("replaced", replaced_by=REPLACEMENT_ID)),
        update("new", stranger),
        executed("partial_fill", order=stranger),
        update("canceled", stranger),
        update("canceled", stranger),
    )
    assert [(one.client_order_id, one.status, one.replacement) for one in reports] == [
        (ORDER_ID, "other", 0),
        (ORDER_ID, "replaced", 0),
        (ORDER_ID, "filled", 0),
        (ORDER_ID, "cancelled", 0),
        ("by hand", "cancelled", 0),  # it was over, and nobody remembers
    ]


def test_a_refused_replacement_is_told_about_the_order_that_stays() -> None:
    reports = read(update("order_replace_rejected"), update("order_replace_rejected", replacement()))
    assert [(one.client_order_id, one.status, one.replacement) for one in reports] == [
        (ORDER_ID, "replace_refused", 0),
        (ORDER_ID, "replace_refused", 0),
    ]


def test_an_order_that_the_venue_changed_by_itself_is_replaced_by_itself() -> None:
    reports = read(
        update("restated", order(qty="3", limit_price="1.5")), update("restated", replacement(client_order_id="leg"))
    )
    assert reports == [
        replace(ACCEPTED, status="replaced", terms=TERMS),
        VenueReport(
            client_order_id=OrderId("leg"), venue_order_id=REPLACEMENT_ID, status="replaced", replacement=0, terms=TERMS
        ),
    ]


# ── Executions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bust_names_the_execution_that_is_taken_back() -> None:
    reports = read(
        executed("trade_bust", execution_id="b-1", previous_execution_id="e-1", reason="TRADE_BUST"),
        update("trade_bust", execution_id="e-2", timestamp="2026-11-20T15:00:01.5Z"),
    )
    assert reports == [
        replace(ACCEPTED, status="busted", busted_fill_id=FillId("e-1"), reason="TRADE_BUST"),
        replace(ACCEPTED, status="busted", busted_fill_id=FillId("e-2")),
    ]


def test_a_correction_names_the_execution_that_is_changed_and_what_it_is_now() -> None:
    [report] = read(executed("trade_correct", execution_id="c-1", qty="2", previous_execution_id="e-1"))
    assert report == replace(filled("c-1", "2"), status="corrected", busted_fill_id=FillId("e-1"))


@pytest.mark.parametrize(
    "message",
    [
        executed("fill", execution_id=None),
        executed("fill", qty=None),
        executed("fill", price=None),
        executed("fill", timestamp=None),
        executed("fill", timestamp="9999-12-31T23:59:59-23:59"),
        executed("trade_bust", execution_id=None),
        executed("trade_bust", timestamp=None),
        executed("trade_bust", previous_execution_id="two words"),
        executed("trade_correct"),  # of which execution?
        executed("trade_correct", previous_execution_id="e-1", execution_id=None),
        executed("trade_correct", previous_execution_id="e-1", qty=None),
        update("new", {"id": VENUE_ORDER_ID}),
        b"{}",
        b"\xff",
    ],
)
def test_a_message_without_what_it_is_about_cannot_be_read(message: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(message)


def test_what_the_log_cannot_hold_is_replaced() -> None:
    [report] = read(update("order_cancel_rejected", order(client_order_id="a\0b"), reason="nul \0"))
    assert (report.client_order_id, report.reason) == ("a\ufffdb", "nul \ufffd")
