"""What a trader holds of one symbol, at average cost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from domain.events import AccountEvent, TradeBooked, TradeCorrected
from domain.values import ZERO, FillId, Money, OrderId, Price, Quantity, Side, Symbol, rounded_quotient

Trade = TradeBooked | TradeCorrected


class Position(NamedTuple):
    """``quantity`` units bought for ``cost`` dollars in all; negative when facts from the venue left it short.

    Nothing is lost to rounding: the cash all trades moved equals ``realised_pnl - cost`` exactly, and ``commission``
    stands beside it.
    """

    quantity: Quantity = Quantity(ZERO)
    cost: Money = Money(ZERO)
    realised_pnl: Money = Money(ZERO)
    commission: Money = Money(ZERO)

    @property
    def average_price(self) -> Price | None:
        """Dollars paid per unit held, to 9 decimals; None when nothing is held."""
        return Price(rounded_quotient(self.cost, self.quantity)) if self.quantity else None

    def value(self, price: Price) -> Money:
        """What is held, at this price a unit; below zero for what is owed. Less the cost it is the unrealised P&L."""
        return Money(self.quantity * price)

    def traded(self, side: Side, quantity: Quantity, price: Price, commission: Money) -> "Position":
        """The position after a trade: what goes against it closes at average cost, the rest opens at the price."""
        signed = quantity if side is Side.BUY else -quantity
        against = self.quantity * signed < 0
        closing = min(quantity, abs(self.quantity)) if against else ZERO
        closing_signed = closing.copy_sign(signed)
        cost_closed = self._cost_of(closing)
        opening = signed - closing_signed
        return Position(
            quantity=Quantity(self.quantity + signed),
            cost=Money(self.cost - cost_closed + opening * price),
            realised_pnl=Money(self.realised_pnl - closing_signed * price - cost_closed),
            commission=Money(self.commission + commission),
        )

    def _cost_of(self, closing: Decimal) -> Decimal:
        if closing == abs(self.quantity):
            return self.cost
        return rounded_quotient(self.cost * closing, abs(self.quantity))


def position_of(trades: Iterable[Trade]) -> Position:
    """What all trades of a symbol lead to as they stand now, each at the place where it was booked first.

    One that was taken back never happened. One that was changed happened as it is now, and what was sold since was sold
    at the average cost that follows from it: so no trade can be undone without the others.
    """
    standing: dict[tuple[OrderId, FillId], Trade] = {}
    for trade in trades:
        name = (trade.order_id, trade.fill_id)
        if trade.quantity:
            standing[name] = trade
        else:
            standing.pop(name, None)
    position = Position()
    for trade in standing.values():
        position = position.traded(trade.side, trade.quantity, trade.price, trade.commission)
    return position


def positions_of(events: Iterable[AccountEvent]) -> Mapping[Symbol, Position]:
    """What the trades of an account lead to, by symbol; also where nothing is held any more."""
    trades: defaultdict[Symbol, list[Trade]] = defaultdict(list)
    for event in events:
        if isinstance(event, Trade):
            trades[event.symbol].append(event)
    return {symbol: position_of(of_symbol) for symbol, of_symbol in trades.items()}
