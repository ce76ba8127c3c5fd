"""The one account of the venue: its cash, its positions, and what its open orders hold back."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from msgspec import Struct

from infrastructure.exchanges.paper.amounts import ZERO
from infrastructure.exchanges.paper.orders import Order

# Many traders share this account, and checking their funds is not the venue's task.
OPENING_CASH: Final = Decimal(1_000_000_000_000)


class Position(Struct, frozen=True):
    """What the account holds of one asset.

    Attributes:
        quantity: Positive when long, negative when short; never zero.
        cost: What it was bought for, or sold for with a negative sign, in US dollars.
    """

    quantity: Decimal
    cost: Decimal

    @property
    def average_price(self) -> Decimal:
        """The average entry price."""
        return self.cost / self.quantity


class Account:
    """Cash and positions after every trade so far."""

    def __init__(self) -> None:
        self.cash = OPENING_CASH
        self.positions: dict[str, Position] = {}
        self._held_cash = ZERO
        self._held_quantities: dict[str, Decimal] = {}

    @property
    def buying_power(self) -> Decimal:
        """The cash that no open buy order holds back."""
        return self.cash - self._held_cash

    def quantity(self, symbol: str) -> Decimal:
        """The position in one asset, zero where there is none."""
        position = self.positions.get(symbol)
        return ZERO if position is None else position.quantity

    def available(self, symbol: str) -> Decimal:
        """The part of a position that no open sell order holds back; for a short position, all of it."""
        quantity = self.quantity(symbol)
        return max(quantity - self._held_quantities.get(symbol, ZERO), min(quantity, ZERO))

    def trade(self, symbol: str, quantity: Decimal, price: Decimal, commission: Decimal) -> None:
        """Book a trade: a positive quantity was bought, a negative one sold."""
        self.cash -= quantity * price + commission
        self._put(symbol, _after(self.positions.get(symbol), quantity, price))

    def correct(self, symbol: str, refund: Decimal, trades: Iterable[tuple[Decimal, Decimal]]) -> None:
        """Book the trades in one asset anew, each a quantity and a price, and what the difference pays back."""
        self.cash += refund
        position: Position | None = None
        for quantity, price in trades:
            position = _after(position, quantity, price)
        self._put(symbol, position)

    def hold(self, before: Order | None, after: Order) -> None:
        """Hold back what an order needs now instead of what it needed before it changed."""
        held_cash, held_quantity = after.held_cash, after.held_quantity
        if before is not None:
            held_cash -= before.held_cash
            held_quantity -= before.held_quantity
        self._held_cash += held_cash
        symbol = after.asset.symbol
        self._held_quantities[symbol] = self._held_quantities.get(symbol, ZERO) + held_quantity

    def _put(self, symbol: str, position: Position | None) -> None:
        if position is None:
            self.positions.pop(symbol, None)
        else:
            self.positions[symbol] = position


def _after(before: Position | None, quantity: Decimal, price: Decimal) -> Position | None:
    """A position after a trade."""
    if before is None:
        return Position(quantity, quantity * price)
    after = before.quantity + quantity
    if after == ZERO:
        return None
    if (before.quantity > ZERO) == (quantity > ZERO):
        return Position(after, before.cost + quantity * price)
    if (before.quantity > ZERO) == (after > ZERO):
        # A reduced position keeps its average price.
        return Position(after, before.cost * after / before.quantity)
    return Position(after, after * price)
