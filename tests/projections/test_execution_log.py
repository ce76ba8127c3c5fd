from typing import get_args

import pytest
from hypothesis import given

from domain.events import (
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderEvent,
    OrderExpired,
    OrderReconciled,
    OrderRecovered,
    OrderRejected,
    OrderUnprotected,
    OrderUnresolved,
    order_of,
)
from domain.lifecycle import Flag, Status
from projections.execution_log import ACTIONS, EXECUTION_LOG, ExecutionLogRow, entries
from tests.domain.orders import (
    ALICE,
    ORDER_ID,
    accepted,
    busted,
    corrected,
    filled,
    placed,
    replace_refused,
    replaced,
    sent,
    units,
    wished,
)
from tests.projections.histories import SETTINGS, History, histories, log_of

RECONCILED = OrderReconciled(
    venue_order_id="v-1",
    venue_status="filled",
    venue_filled_quantity=units(100),
    filled_quantity=units(0),
    reason="the books differ",
    status=Status.ACCEPTED,
)
UNPROTECTED = OrderUnprotected(
    fill_id=None,
    exit_order_id=ORDER_ID,
    reason="its exit is REJECTED: no",
    status=Status.FILLED,
    flags=(Flag.UNPROTECTED,),
)


@pytest.mark.parametrize(
    ("event", "action", "reason", "attempt"),
    [
        (placed(), "SUBMITTED", None, None),
        (sent(2), "EXECUTED", None, 2),
        (OrderRecovered(attempt=1, venue_order_id="v", status=Status.PENDING), "RECOVERED", None, 1),
        (OrderUnresolved(reason="?", status=Status.PENDING, flags=(Flag.UNRESOLVED,)), "UNRESOLVED", "?", None),
        (accepted(), "ACCEPTED", None, None),
        (filled(40, 40, Status.PARTIALLY_FILLED), "FILLED", None, None),
        (OrderRejected(code="42", reason="no", status=Status.REJECTED), "REJECTED", "no", None),
        (OrderCancelRequested(status=Status.PENDING_CANCEL), "CANCEL_REQUESTED", None, None),
        (OrderCancelRefused(reason="late", status=Status.ACCEPTED), "CANCEL_REFUSED", "late", None),
        (OrderCancelled(reason="asked", status=Status.CANCELLED), "CANCELLED", "asked", None),
        (OrderExpired(reason="day", status=Status.EXPIRED), "EXPIRED", "day", None),
        (busted(40, 0, Status.ACCEPTED, reason="odd"), "BUSTED", "odd", None),
        (corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED), "CORRECTED", None, None),
        (wished(1, price=9), "REPLACE_REQUESTED", None, None),
        (replaced(1, Status.ACCEPTED, price=9), "REPLACED", None, None),
        (replace_refused(1, Status.ACCEPTED, "late"), "REPLACE_REFUSED", "late", None),
        (RECONCILED, "RECONCILED", "the books differ", None),
        (UNPROTECTED, "UNPROTECTED", "its exit is REJECTED: no", None),
    ],
)
def test_every_event_of_an_order_is_an_entry(
    event: OrderEvent, action: str, reason: str | None, attempt: int | None
) -> None:
    (recorded,) = log_of(event)
    assert EXECUTION_LOG.fold({}, [recorded]) == {
        (1,): ExecutionLogRow(1, ORDER_ID, ALICE, action, event.status, recorded.recorded_at, reason, attempt)
    }


def test_every_kind_of_event_has_an_action_of_its_own() -> None:
    assert set(ACTIONS) == set(get_args(OrderEvent))
    assert len(set(ACTIONS.values())) == len(ACTIONS)


@SETTINGS
@given(histories())
def test_nothing_that_happened_to_an_order_is_missing(history: History) -> None:
    rows = EXECUTION_LOG.fold({}, history.log)
    happened = [recorded for recorded in history.log if order_of(recorded.stream_id)]
    assert [(row.id, row.order_id) for row in rows.values()] == [
        (recorded.position, order_of(recorded.stream_id)) for recorded in happened
    ]


def test_entries_are_asked_for_by_trader_or_order_only_where_one_is_given() -> None:
    assert "trader_id =" not in entries(by_trader=False, by_order=True)
    assert "order_id =" not in entries(by_trader=True, by_order=False)
