"""Everything that ever happened to an order, one row per event, for people to read."""

from datetime import datetime
from functools import cache
from typing import NamedTuple, cast, get_args

from domain.events import (
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderCounterpartFilled,
    OrderEvent,
    OrderExpired,
    OrderFillBusted,
    OrderFillCorrected,
    OrderFilled,
    OrderPlaced,
    OrderReconciled,
    OrderRecovered,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRefused,
    OrderReplaceRequested,
    OrderSent,
    OrderUnprotected,
    OrderUnresolved,
    RecordedEvent,
)
from domain.lifecycle import Status
from domain.values import OrderId, TraderId
from projections.projection import Key, Projection


class ExecutionLogRow(NamedTuple):
    """An entry; ``id`` is the event's position in the log. ``retry_attempt`` counts attempts at the venue from 1."""

    id: int
    order_id: OrderId
    trader_id: TraderId
    action: str
    status: Status
    recorded_at: datetime
    reason: str | None
    retry_attempt: int | None


ACTIONS: dict[type[OrderEvent], str] = {
    OrderPlaced: "SUBMITTED",
    OrderSent: "EXECUTED",
    OrderRecovered: "RECOVERED",
    OrderUnresolved: "UNRESOLVED",
    OrderAccepted: "ACCEPTED",
    OrderFilled: "FILLED",
    OrderRejected: "REJECTED",
    OrderCancelRequested: "CANCEL_REQUESTED",
    OrderCancelRefused: "CANCEL_REFUSED",
    OrderCancelled: "CANCELLED",
    OrderExpired: "EXPIRED",
    OrderFillBusted: "BUSTED",
    OrderFillCorrected: "CORRECTED",
    OrderReplaceRequested: "REPLACE_REQUESTED",
    OrderReplaced: "REPLACED",
    OrderReplaceRefused: "REPLACE_REFUSED",
    OrderReconciled: "RECONCILED",
    OrderCounterpartFilled: "COUNTERPART_FILLED",
    OrderUnprotected: "UNPROTECTED",
}


def _key_of(recorded: RecordedEvent) -> Key:
    return (recorded.position,)


def _evolve(_: ExecutionLogRow | None, recorded: RecordedEvent) -> ExecutionLogRow:
    event = cast("OrderEvent", recorded.event)
    return ExecutionLogRow(
        recorded.position,
        OrderId(recorded.stream_id.removeprefix("order-")),
        recorded.metadata.trader_id,
        ACTIONS[type(event)],
        event.status,
        recorded.recorded_at,
        getattr(event, "reason", None),
        getattr(event, "attempt", None),
    )


EXECUTION_LOG = Projection(
    name="execution_log",
    version=1,
    row=ExecutionLogRow,
    key=("id",),
    stream=("order-", "order_id"),
    events=frozenset(get_args(OrderEvent)),
    key_of=_key_of,
    evolve=_evolve,
    is_insert_only=True,
)


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_ENTRIES = """
SELECT at.position, entry.*
FROM (SELECT position FROM checkpoints WHERE name = 'execution_log') AS at
LEFT JOIN (
    SELECT {columns} FROM execution_log
    WHERE id > %(after)s {conditions}
    ORDER BY id LIMIT %(limit)s
) AS entry ON true
ORDER BY entry.id
"""


@cache
def entries(*, by_trader: bool, by_order: bool) -> str:
    """The SQL of the position of the read model and the entries after one, oldest first; nulls when there are none."""
    trader = "AND trader_id = %(trader_id)s" if by_trader else ""
    order = "AND order_id = %(order_id)s" if by_order else ""
    return _ENTRIES.format(columns=", ".join(ExecutionLogRow._fields), conditions=f"{trader} {order}")
