"""What every trader holds of every symbol, at average cost."""

from typing import NamedTuple, cast

from domain.account import corrected
from domain.events import RecordedEvent, TradeBooked, TradeCorrected
from domain.position import Position
from domain.values import Money, Price, Quantity, Symbol, TraderId, tidy
from projections.projection import Key, Projection


class PositionRow(NamedTuple):
    """A position, as in ``domain.position.Position``; ``position`` is that of its last event in the log."""

    trader_id: TraderId
    symbol: Symbol
    quantity: Quantity
    cost: Money
    realised_pnl: Money
    commission: Money
    closed_at: Price | None
    position: int


def _key_of(recorded: RecordedEvent) -> Key:
    return (recorded.metadata.trader_id, cast("TradeBooked | TradeCorrected", recorded.event).symbol)


def _evolve(row: PositionRow | None, recorded: RecordedEvent) -> PositionRow:
    event = cast("TradeBooked | TradeCorrected", recorded.event)
    held = Position()
    if row is not None:
        held = Position(row.quantity, row.cost, row.realised_pnl, row.commission, row.closed_at)
    if isinstance(event, TradeCorrected):
        position = corrected(held, event)
    else:
        position = held.traded(event.side, event.quantity, event.price, event.commission)
    return PositionRow(
        trader_id=recorded.metadata.trader_id,
        symbol=event.symbol,
        quantity=Quantity(tidy(position.quantity)),
        cost=Money(tidy(position.cost)),
        realised_pnl=Money(tidy(position.realised_pnl)),
        commission=Money(tidy(position.commission)),
        closed_at=position.closed_at,
        position=recorded.position,
    )


POSITIONS = Projection(
    name="positions",
    version=2,
    row=PositionRow,
    key=("trader_id", "symbol"),
    events=frozenset({TradeBooked, TradeCorrected}),
    key_of=_key_of,
    evolve=_evolve,
)


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

OF_TRADER = f"""
SELECT at.position, {", ".join(f"held.{column}" for column in PositionRow._fields)}
FROM (SELECT position FROM checkpoints WHERE name = 'positions') AS at
LEFT JOIN positions AS held ON held.trader_id = %(trader_id)s
ORDER BY held.symbol
"""  # noqa: S608 - the columns are the fields of the row
"""The position of the read model and all a trader has traded, by symbol; one row of nulls beside it for nothing."""
