"""Every order as its events leave it."""

from datetime import datetime
from operator import attrgetter
from typing import NamedTuple, assert_never, cast, get_args

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
from domain.lifecycle import FINAL, Flag, Status
from domain.order import BrokenHistoryError
from domain.values import ZERO, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId
from projections.projection import Key, Projection


class OrderRow(NamedTuple):
    """An order. ``version`` and ``position`` are those of its last event, ``created_position`` that of its first."""

    id: OrderId
    client_order_id: str
    trader_id: TraderId
    symbol: Symbol
    side: Side
    quantity: Quantity
    order_type: OrderType
    price: Price | None
    stop_price: Price | None
    time_in_force: TimeInForce
    stop_loss: Price | None
    take_profit: Price | None
    parent_order_id: OrderId | None
    oco_order_id: OrderId | None
    status: Status
    filled_quantity: Quantity
    leaves_quantity: Quantity
    average_fill_price: Price | None
    reason: str | None
    flags: tuple[Flag, ...]
    version: int
    position: int
    created_at: datetime
    updated_at: datetime
    created_position: int


_PROGRESS = OrderRow._fields.index("status")
"""Where in a row the columns begin that say how far the order has come; those before it are its terms."""

_terms = attrgetter("order_id", *OrderRow._fields[1:_PROGRESS])
"""The terms, which have the same names in the row and in the event: to build a row of tuples takes half the time."""

_NOTHING = Quantity(ZERO)


def _key_of(recorded: RecordedEvent) -> Key:
    return (recorded.stream_id.removeprefix("order-"),)


def _evolve(row: OrderRow | None, recorded: RecordedEvent) -> OrderRow:
    event = cast("OrderEvent", recorded.event)
    if isinstance(event, OrderPlaced):
        if row is not None:
            raise BrokenHistoryError(f"order {event.order_id} was placed twice")
        return _placed(event, recorded)
    if row is None:
        raise BrokenHistoryError(f"{type(event).__name__} before OrderPlaced")
    if isinstance(event, OrderReplaced):
        row = row._replace(quantity=event.quantity, price=event.price, stop_price=event.stop_price)
    at = recorded.version, recorded.position, row.created_at, recorded.recorded_at, row.created_position
    return OrderRow._make((*row[:_PROGRESS], event.status, *_progress(row, event), *at))


def _progress(
    row: OrderRow, event: OrderEvent
) -> tuple[Quantity, Quantity, Price | None, str | None, tuple[Flag, ...]]:
    """What is filled and what is left, at which average price, why it is as it is, and what is odd about it."""
    filled, leaves, average = row.filled_quantity, row.leaves_quantity, row.average_fill_price
    reason, flags = row.reason, row.flags
    match event:  # what most orders meet comes first: a rebuild asks for every event
        case OrderFilled() | OrderFillCorrected() | OrderFillBusted():
            return event.filled_quantity, event.leaves_quantity, event.average_fill_price, reason, event.flags
        case OrderAccepted():
            return filled, leaves, average, reason, _resolved(flags)
        case (
            OrderSent()
            | OrderCancelRequested()
            | OrderCounterpartFilled()
            | OrderRecovered()
            | OrderReplaceRequested()
            | OrderReconciled()
            | OrderPlaced()
        ):
            return filled, leaves, average, reason, flags
        case OrderRejected() | OrderCancelled() | OrderExpired():
            return filled, _NOTHING, average, event.reason, _resolved(flags)
        case OrderReplaced():
            return filled, event.leaves_quantity, average, reason, event.flags
        case OrderCancelRefused() | OrderReplaceRefused():
            return filled, leaves, average, event.reason, flags
        case OrderUnprotected():
            return filled, leaves, average, event.reason, event.flags
        case OrderUnresolved():
            return filled, leaves, average, reason, event.flags
        case _:
            assert_never(event)


def _placed(event: OrderPlaced, recorded: RecordedEvent) -> OrderRow:
    progress = event.status, _NOTHING, event.quantity, None, None, ()
    at = recorded.version, recorded.position, recorded.recorded_at, recorded.recorded_at, recorded.position
    return OrderRow._make((*_terms(event), *progress, *at))


def _resolved(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    return tuple(flag for flag in flags if flag is not Flag.UNRESOLVED) if flags else flags


ORDERS = Projection(
    name="orders",
    version=1,
    row=OrderRow,
    key=("id",),
    stream=("order-", "id"),
    events=frozenset(get_args(OrderEvent)),
    key_of=_key_of,
    evolve=_evolve,
)


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_COLUMNS = ", ".join(OrderRow._fields)

_PAGE = """
WITH page AS (
    SELECT {columns} FROM orders
    WHERE trader_id = %(trader_id)s AND created_position < %(before)s {conditions}
    ORDER BY created_position DESC LIMIT {limit:d} {offset}
)
SELECT at.position, fill.*, page.*
FROM (SELECT min(position) AS position FROM checkpoints WHERE name IN ('orders', 'fills')) AS at
LEFT JOIN page ON true
LEFT JOIN LATERAL (
    SELECT array_agg(id ORDER BY position) AS ids,
        array_agg(executed_at ORDER BY position) AS executed_at,
        array_agg(quantity_filled ORDER BY position) AS quantities,
        array_agg(price_at_fill ORDER BY position) AS prices,
        array_agg(venue ORDER BY position) AS venues,
        array_agg(commission ORDER BY position) AS commissions,
        array_agg(position ORDER BY position) AS positions
    FROM fills WHERE order_id = page.id AND quantity_filled > 0
) AS fill ON true
ORDER BY page.created_position DESC
"""


def page(status: Status | None, limit: int, offset: int = 0, *, by_symbol: bool) -> str:
    """The SQL of a page of a trader's orders, newest first: the position of the read models, the fills, the order.

    Fills come as one array for each of their columns that are not the order's. An empty page is one row of nulls beside
    the position. One index holds the orders that are over and one those that are not; a filter by status names its own.
    The numbers are no parameters: without them PostgreSQL takes a tenth of a trader's orders for the length of the page, and
    plans each page anew, in longer than it takes to read it.
    """
    over = "" if status is None else "AND NOT is_open" if status in FINAL else "AND is_open"
    conditions = [f"{over} AND status = %(status)s" if status else "", "AND symbol = %(symbol)s" if by_symbol else ""]
    skipped = f"OFFSET {offset:d}" if offset else ""
    return _PAGE.format(columns=_COLUMNS, conditions=" ".join(conditions), limit=limit, offset=skipped)


OPEN = """
SELECT position, ARRAY(SELECT id FROM orders WHERE is_open ORDER BY created_position) FROM checkpoints WHERE name = 'orders'
"""
"""The position of the read model, and the ids of all orders that were not over then, oldest first."""
