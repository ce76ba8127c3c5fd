"""The one account of the venue: its cash, its positions, and what its open orders hold back."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from infrastructure.exchanges.paper.amounts import ZERO
from infrastructure.exchanges.paper.orders import Order

# Many traders share this account, and checking their funds is not the venue's task.
OPENING_CASH: Final = Decimal(1_000_000_000_000)


@dataclass(frozen=True, slots=True)
class Position:
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
        before = self.positions.get(symbol)
        if before is None:
            self.positions[symbol] = Position(quantity, quantity * price)
            return
        after = before.quantity + quantity
        if after == ZERO:
            del self.positions[symbol]
        elif (before.quantity > ZERO) == (quantity > ZERO):
            self.positions[symbol] = Position(after, before.cost + quantity * price)
        elif (before.quantity > ZERO) == (after > ZERO):
            # A reduced position keeps its average price.
            self.positions[symbol] = Position(after, before.cost * after / before.quantity)
        else:
            self.positions[symbol] = Position(after, after * price)

    def hold(self, before: Order | None, after: Order) -> None:
        """Hold back what an order needs now instead of what it needed before it changed."""
        held_cash, held_quantity = after.held_cash, after.held_quantity
        if before is not None:
            held_cash -= before.held_cash
            held_quantity -= before.held_quantity
        self._held_cash += held_cash
        symbol = after.asset.symbol
        self._held_quantities[symbol] = self._held_quantities.get(symbol, ZERO) + held_quantity
