"""The trading floor of a test: an exchange, a clock that ticks by a second, and ids that count."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from infrastructure.exchanges.paper.book import Lifetime, Side
from infrastructure.exchanges.paper.checks import check
from infrastructure.exchanges.paper.commands import (
    Bust,
    Cancel,
    Command,
    Correct,
    EndDay,
    MovePrice,
    OrderType,
    Place,
    Replace,
    Start,
    StopLeg,
)
from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.orders import Event, Order, Update

OPENING = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def uuid(number: int) -> str:
    return str(UUID(int=number))


def amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def order_type(limit: str | None, stop: str | None) -> OrderType:
    return OrderType("_".join(["stop"] * (stop is not None) + ["limit"] * (limit is not None)) or "market")


class Floor:
    """An exchange to shout at. Orders are called o1, o2, ... by their client_order_id."""

    def __init__(self, commission: str = "0") -> None:
        self.exchange = Exchange()
        self.commands: list[Command] = []
        self.updates: list[Update] = []
        self.do(lambda at: Start(at, Decimal(commission)))

    def do(self, command: Callable[[datetime], Command]) -> list[str]:
        made = command(OPENING + timedelta(seconds=len(self.commands)))
        check(self.exchange, made)
        self.commands.append(made)
        updates = self.exchange.apply(made)
        self.updates += updates
        return [told(update) for update in updates]

    def place(
        self,
        side: str,
        quantity: str,
        limit: str | None = None,
        stop: str | None = None,
        tif: str = "day",
        *,
        symbol: str = "AAPL",
        name: str | None = None,
        rejected_because: str = "",
    ) -> list[str]:
        number = len(self.exchange.orders) + 1
        return self.do(
            lambda at: Place(
                at,
                uuid(number),
                name or f"o{number}",
                symbol,
                Side(side),
                order_type(limit, stop),
                Decimal(quantity),
                Lifetime(tif),
                amount(limit),
                amount(stop),
                rejected_because=rejected_because,
            ),
        )

    def pair(
        self,
        side: str,
        quantity: str,
        limit: str,
        stop: str,
        tif: str = "gtc",
        *,
        rejected_because: str = "",
        leg_name: str | None = None,
    ) -> list[str]:
        """Place a limit order and its leg, which are called by the next two numbers."""
        number = len(self.exchange.orders) + 1
        return self.do(
            lambda at: Place(
                at,
                uuid(number),
                f"o{number}",
                "AAPL",
                Side(side),
                OrderType.LIMIT,
                Decimal(quantity),
                Lifetime(tif),
                Decimal(limit),
                rejected_because=rejected_because,
                leg=StopLeg(uuid(number + 1), leg_name or f"o{number + 1}", Decimal(stop)),
            ),
        )

    def cancel(self, name: str, refused_because: str = "") -> list[str]:
        return self.do(lambda at: Cancel(at, self.id(name), refused_because))

    def bust(self, execution: int) -> list[str]:
        """Take back what the n-th entry of the fills tells of, counted from 1."""
        return self.do(lambda at: Bust(at, self.execution_id(execution)))

    def correct(self, execution: int, quantity: str | None = None, price: str | None = None) -> list[str]:
        return self.do(lambda at: Correct(at, self.execution_id(execution), amount(quantity), amount(price)))

    def execution_id(self, execution: int) -> str:
        fills = self.exchange.fills
        return fills[execution - 1].execution_id if execution <= len(fills) else uuid(0)

    def replace(
        self,
        name: str,
        quantity: str | None = None,
        limit: str | None = None,
        stop: str | None = None,
        *,
        tif: str | None = None,
        new_name: str | None = None,
        refused_because: str = "",
        keeps_predecessor: bool = False,
    ) -> list[str]:
        number = len(self.exchange.orders) + 1
        return self.do(
            lambda at: Replace(
                at,
                self.id(name),
                uuid(number),
                new_name or f"o{number}",
                amount(quantity),
                amount(limit),
                amount(stop),
                None if tif is None else Lifetime(tif),
                refused_because,
                keeps_predecessor,
            ),
        )

    def move(self, price: str, symbol: str = "AAPL") -> list[str]:
        return self.do(lambda at: MovePrice(at, symbol, Decimal(price)))

    def end_day(self, days: int = 1) -> list[str]:
        return self.do(lambda at: EndDay(at.replace(hour=0, minute=0, second=0) + timedelta(days=days)))

    def order(self, name: str) -> Order:
        order = self.exchange.orders.by_client_order_id(name)
        assert order is not None, f"there is no order {name}"
        return order

    def id(self, name: str) -> str:
        order = self.exchange.orders.by_client_order_id(name)
        return uuid(0) if order is None else order.id


def told(update: Update) -> str:
    """`partial_fill o1 1000 @ 190.01`, or `restated o2 7`."""
    words = f"{update.event} {update.order.client_order_id}"
    if update.event is Event.RESTATED:
        return f"{words} {update.order.quantity}"
    return words if update.fill is None else f"{words} {update.fill.quantity} @ {update.fill.price}"
