"""What every trader holds of every symbol, at average cost."""

from typing import NamedTuple, cast

from domain.events import RecordedEvent, TradeBooked, TradeCorrected
from domain.position import Position, Trade, position_of
from domain.values import Money, Quantity, Symbol, TraderId, tidy
from projections.projection import Batch, Key, Projection, Retelling


class PositionRow(NamedTuple):
    """A position, as in ``domain.position.Position``; ``position`` is that of its last event in the log."""

    trader_id: TraderId
    symbol: Symbol
    quantity: Quantity
    cost: Money
    realised_pnl: Money
    commission: Money
    position: int

    @property
    def held(self) -> Position:
        """The position as the domain has it."""
        return Position(self.quantity, self.cost, self.realised_pnl, self.commission)


def _key_of(recorded: RecordedEvent) -> Key:
    return (recorded.metadata.trader_id, cast("Trade", recorded.event).symbol)


def _row(recorded: RecordedEvent, held: Position) -> PositionRow:
    return PositionRow(
        trader_id=recorded.metadata.trader_id,
        symbol=cast("Trade", recorded.event).symbol,
        quantity=Quantity(tidy(held.quantity)),
        cost=Money(tidy(held.cost)),
        realised_pnl=Money(tidy(held.realised_pnl)),
        commission=Money(tidy(held.commission)),
        position=recorded.position,
    )


def _evolve(row: PositionRow | None, recorded: RecordedEvent) -> PositionRow:
    trade = cast("TradeBooked", recorded.event)
    held = row.held if row else Position()
    return _row(recorded, held.traded(trade.side, trade.quantity, trade.price, trade.commission))


def _retold(events: Batch) -> PositionRow:
    return _row(events[-1], position_of([cast("Trade", recorded.event) for recorded in events]))


POSITIONS = Projection(
    name="positions",
    version=3,
    row=PositionRow,
    key=("trader_id", "symbol"),
    stream=("account-", "trader_id"),
    events=frozenset({TradeBooked, TradeCorrected}),
    key_of=_key_of,
    evolve=_evolve,
    retelling=Retelling(after=frozenset({TradeCorrected}), row=_retold),
)


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

OF_TRADER = f"""
SELECT at.position, {", ".join(f"held.{column}" for column in PositionRow._fields)}
FROM (SELECT position FROM checkpoints WHERE name = 'positions') AS at
LEFT JOIN positions AS held ON held.trader_id = %(trader_id)s
ORDER BY held.symbol
"""  # noqa: S608 - the columns are the fields of the row
"""The position of the read model and all a trader has traded, by symbol; one row of nulls beside it for nothing."""
