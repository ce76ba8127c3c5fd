"""Every fill of every order, as the venue left it: one that was taken back stays as a row of quantity 0."""

from datetime import datetime
from typing import NamedTuple, cast, get_args

from domain.events import FillEvent, OrderFillBusted, RecordedEvent
from domain.values import ZERO, FillId, Money, OrderId, Price, Quantity, Side, Symbol, TraderId
from projections.projection import Key, Projection


class FillRow(NamedTuple):
    """A fill; ``position`` is that of its last event."""

    id: FillId
    order_id: OrderId
    trader_id: TraderId
    symbol: Symbol
    side: Side
    executed_at: datetime
    quantity_filled: Quantity
    price_at_fill: Price
    venue: str
    commission: Money
    position: int


def _key_of(recorded: RecordedEvent) -> Key:
    return (recorded.stream_id.removeprefix("order-"), cast("FillEvent", recorded.event).fill_id)


def _evolve(row: FillRow | None, recorded: RecordedEvent) -> FillRow:
    event = cast("FillEvent", recorded.event)
    if isinstance(event, OrderFillBusted):
        executed_at, venue = (row.executed_at, row.venue) if row else (recorded.recorded_at, "")
        quantity, price, commission = Quantity(ZERO), event.price, Money(ZERO)
    else:
        executed_at, venue = event.executed_at, event.venue
        quantity, price, commission = event.quantity, event.price, event.commission
    return FillRow(
        id=event.fill_id,
        order_id=OrderId(recorded.stream_id.removeprefix("order-")),
        trader_id=recorded.metadata.trader_id,
        symbol=event.symbol,
        side=event.side,
        executed_at=executed_at,
        quantity_filled=quantity,
        price_at_fill=price,
        venue=venue,
        commission=commission,
        position=recorded.position,
    )


FILLS = Projection(
    name="fills",
    version=1,
    row=FillRow,
    key=("order_id", "id"),
    stream=("order-", "order_id"),
    events=frozenset(get_args(FillEvent)),
    key_of=_key_of,
    evolve=_evolve,
)


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

OF_ORDER = f"""
SELECT at.position, {", ".join(f"fill.{column}" for column in FillRow._fields)}
FROM (SELECT position FROM checkpoints WHERE name = 'fills') AS at
LEFT JOIN fills AS fill ON fill.order_id = %(order_id)s AND fill.quantity_filled > 0
ORDER BY fill.position
"""  # noqa: S608 - the columns are the fields of the row
"""The position of the read model and an order's fills, oldest first; one row of nulls beside it when there are none."""
