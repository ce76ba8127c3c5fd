"""Every execution of the account as it stands now, after those that were taken back and those that were corrected."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from infrastructure.exchanges.paper.amounts import ZERO
from infrastructure.exchanges.paper.book import Side
from infrastructure.exchanges.paper.orders import Fill, Order


class Execution(Struct, frozen=True):
    """One trade of one order.

    Attributes:
        id: What it goes by now: its own id, or that of its latest correction.
        number: Its rank among all executions of the venue.
        symbol: What was traded.
        side: Whether it was bought or sold.
        price: What one share or coin cost.
        quantity: How much changed hands; zero when the execution was taken back.
        commission: What the venue charged for it, in US dollars.
        orders: The ids of the orders that count it among their fills: the one that traded first, then its replacements.
    """

    id: str
    number: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    commission: Decimal
    orders: tuple[str, ...]

    @property
    def is_busted(self) -> bool:
        """Whether it was taken back."""
        return self.quantity == ZERO

    @property
    def signed_quantity(self) -> Decimal:
        """How much the position grew by it, below zero when it shrank."""
        return self.quantity if self.side is Side.BUY else -self.quantity

    @property
    def cost(self) -> Decimal:
        """What it took out of the account, below zero when it brought something in."""
        return self.signed_quantity * self.price + self.commission

    def corrected(self, quantity: Decimal, price: Decimal) -> "Execution":
        """The execution with another quantity and price, at the same rate of commission."""
        return replace(self, quantity=quantity, price=price, commission=self.commission * quantity / self.quantity)


class Executions:
    """The executions by every id they ever had, and in order."""

    def __init__(self) -> None:
        self._all: list[Execution] = []
        self._numbers: dict[str, int] = {}
        self._numbers_by_symbol: dict[str, list[int]] = {}
        self._numbers_by_order: dict[str, list[int]] = {}

    def add(self, execution_id: str, order: Order, fill: Fill) -> None:
        """Remember a fill of an order."""
        number, symbol = len(self._all), order.asset.symbol
        self._all.append(
            Execution(execution_id, number, symbol, order.side, fill.price, fill.quantity, fill.commission, (order.id,))
        )
        self._numbers[execution_id] = number
        self._numbers_by_symbol.setdefault(symbol, []).append(number)
        self._numbers_by_order.setdefault(order.id, []).append(number)

    def carry(self, order_id: str, replacement_id: str) -> None:
        """Count what an order has traded so far among the fills of its replacement, too."""
        numbers = self._numbers_by_order.get(order_id, [])
        self._numbers_by_order[replacement_id] = list(numbers)
        for number in numbers:
            execution = self._all[number]
            self._all[number] = replace(execution, orders=(*execution.orders, replacement_id))

    def get(self, execution_id: str) -> Execution | None:
        """The execution that has or had this id, as it is now."""
        number = self._numbers.get(execution_id)
        return None if number is None else self._all[number]

    def put(self, execution: Execution) -> None:
        """Remember an execution as it is now, by the id that it has now."""
        self._all[execution.number] = execution
        self._numbers[execution.id] = execution.number

    def trades(self, symbol: str) -> Iterator[tuple[Decimal, Decimal]]:
        """What stands of the trades in one asset, in order: quantities, below zero when sold, and prices."""
        for number in self._numbers_by_symbol[symbol]:
            execution = self._all[number]
            if not execution.is_busted:
                yield execution.signed_quantity, execution.price
