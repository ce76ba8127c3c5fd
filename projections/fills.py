"""Every fill of every order."""

from datetime import datetime
from typing import NamedTuple, cast

from domain.events import OrderFilled, RecordedEvent
from domain.values import FillId, Money, OrderId, Price, Quantity, Side, Symbol, TraderId
from projections.projection import Key, Projection


class FillRow(NamedTuple):
    """A fill; ``position`` is that of its event."""

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
    return (recorded.stream_id.removeprefix("order-"), cast("OrderFilled", recorded.event).fill_id)


def _evolve(_: FillRow | None, recorded: RecordedEvent) -> FillRow:
    event = cast("OrderFilled", recorded.event)
    return FillRow(
        id=event.fill_id,
        order_id=OrderId(recorded.stream_id.removeprefix("order-")),
        trader_id=recorded.metadata.trader_id,
        symbol=event.symbol,
        side=event.side,
        executed_at=event.executed_at,
        quantity_filled=event.quantity,
        price_at_fill=event.price,
        venue=event.venue,
        commission=event.commission,
        position=recorded.position,
    )


FILLS = Projection(
    name="fills",
    version=1,
    row=FillRow,
    key=("order_id", "id"),
    events=frozenset({OrderFilled}),
    key_of=_key_of,
    evolve=_evolve,
    is_insert_only=True,
)


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

OF_ORDER = f"""
SELECT at.position, {", ".join(f"fill.{column}" for column in FillRow._fields)}
FROM (SELECT position FROM checkpoints WHERE name = 'fills') AS at
LEFT JOIN fills AS fill ON fill.order_id = %(order_id)s
ORDER BY fill.position
"""  # noqa: S608 - the columns are the fields of the row
"""The position of the read model and an order's fills, oldest first; one row of nulls beside it when there are none."""
