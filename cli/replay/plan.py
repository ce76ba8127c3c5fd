"""What a file of messages means for the engine: who places what, who cancels what, and what that takes.

New limit orders and deletes become orders and cancels of a trader chosen by order id. An execution becomes an order of
the other side by the next trader, LIMIT IOC at the price of the execution. An execution against a hidden order becomes
a MARKET order: nobody placed what it met, so it takes what the venue has at that moment, and it did trade.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Final
from zlib import crc32

from cli.replay.lobster import Kind, Message
from domain.values import CENT, ZERO, OrderType, Side, Symbol, TimeInForce

SLACK: Final = Decimal("1.1")
"""How much more than its value a buy may hold: the engine holds a MARKET buy 5 percent above the reference price."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order to place; ``price`` is None for MARKET."""

    symbol: Symbol
    side: Side
    quantity: int
    order_type: OrderType
    price: Decimal | None
    time_in_force: TimeInForce

    @property
    def may_rest(self) -> bool:
        """Whether it may work on after it has reached the venue."""
        return self.order_type is OrderType.LIMIT and self.time_in_force is TimeInForce.DAY


@dataclass(frozen=True, slots=True)
class Step:
    """One message to act on: place ``order``, or, when that is None, cancel what the message's order id was placed as.

    Steps with the same ``chain`` happen in turn.
    """

    message: Message
    trader: str
    chain: str
    order: Order | None


@dataclass(slots=True)
class Need:
    """What a trader must have before the first message: dollars for all that is bought, shares for all that is sold."""

    cash: Decimal = ZERO
    shares: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to send, in order, and what was counted and passed over instead, by reason."""

    steps: Sequence[Step]
    messages: Counter[str]
    passed_over: Counter[str]
    needs: dict[str, Need]


@dataclass(slots=True)
class Planner:
    """Turns messages into steps.

    ``shift`` dollars are added to every price of the file; ``reference_price`` is what the venue trades at now.
    """

    symbol: Symbol
    traders: Sequence[str]
    shift: Decimal
    reference_price: Decimal
    _owners: dict[str, int] = field(default_factory=dict)
    _needs: dict[str, Need] = field(default_factory=lambda: defaultdict(Need))

    def plan(self, messages: Iterable[Message]) -> Plan:
        """The plan for all of the messages."""
        steps: list[Step] = []
        seen: Counter[str] = Counter()
        passed_over: Counter[str] = Counter()
        for message in messages:
            seen[message.kind.label] += 1
            step = self._step(message)
            if isinstance(step, Step):
                steps.append(step)
            else:
                passed_over[step] += 1
        return Plan(steps, seen, passed_over, dict(self._needs))

    def _step(self, message: Message) -> Step | str:
        match message.kind:
            case Kind.NEW:
                return self._new(message)
            case Kind.DELETE:
                owner = self._owners.get(message.order_id)
                return "unknown_order" if owner is None else self._cancelled(message, owner)
            case Kind.EXECUTION:
                other = self._owners.get(message.order_id, self._chosen(message)) + 1
                return self._placed(message, other, _opposite(message.side), OrderType.LIMIT, TimeInForce.IOC)
            case Kind.HIDDEN_EXECUTION:
                # All hidden orders have the id 0, so their lines choose the traders, and they are in no chain.
                return self._placed(message, message.line, _opposite(message.side), OrderType.MARKET, TimeInForce.DAY)
            case _:
                return message.kind.label

    def _new(self, message: Message) -> Step | str:
        owner = self._chosen(message)
        step = self._placed(message, owner, message.side, OrderType.LIMIT, TimeInForce.DAY)
        if isinstance(step, Step):
            self._owners[message.order_id] = owner
        return step

    def _cancelled(self, message: Message, owner: int) -> Step:
        return Step(message, self._trader(owner), message.order_id, None)

    def _placed(
        self, message: Message, number: int, side: Side, order_type: OrderType, time_in_force: TimeInForce
    ) -> Step | str:
        price = None if order_type is OrderType.MARKET else message.price + self.shift
        if message.size <= 0 or (price is not None and price <= 0):
            return "price_or_size_not_positive"
        trader = self._trader(number)
        need = self._needs[trader]
        if side is Side.BUY:
            need.cash += message.size * max(price or ZERO, self.reference_price) * SLACK
        else:
            need.shares += message.size
        chain = message.order_id if order_type is OrderType.LIMIT else f"line {message.line}"
        return Step(message, trader, chain, Order(self.symbol, side, message.size, order_type, price, time_in_force))

    def _chosen(self, message: Message) -> int:
        # A checksum spreads ids that follow each other; Python's own hash is another one in every process.
        return crc32(message.order_id.encode())

    def _trader(self, number: int) -> str:
        return self.traders[number % len(self.traders)]


def _opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def opening_price(messages: Iterable[Message]) -> Decimal | None:
    """Where the file's market opens: between the best bid and ask as soon as both sides have orders, to the cent.

    The price of the first order when one side never has any, None when nothing is ever placed.
    """
    best: dict[Side, Decimal] = {}
    first = None
    for message in messages:
        if message.kind is not Kind.NEW:
            continue
        first = message.price if first is None else first
        known = best.get(message.side, message.price)
        best[message.side] = max(known, message.price) if message.side is Side.BUY else min(known, message.price)
        if len(best) == len(Side):
            return ((best[Side.BUY] + best[Side.SELL]) / 2).quantize(CENT, rounding=ROUND_HALF_EVEN)
    return first


def deposit_for(need: Need, reference_price: Decimal) -> Decimal:
    """Whole dollars that cover everything the trader may buy, the opening inventory included."""
    return (need.cash + need.shares * reference_price * SLACK).quantize(Decimal(1), rounding=ROUND_CEILING)
