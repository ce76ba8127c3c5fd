"""The order book of one symbol: price first, then time. It knows no clock, no account and no network.

Orders match against the best opposite price, and at one price in the order of their arrival. A trade happens at the
price of the order that was there first. Stop orders wait outside the book until a trade reaches their price.
"""

from decimal import Decimal
from enum import StrEnum
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from infrastructure.exchanges.paper.amounts import ZERO
from infrastructure.exchanges.paper.ladder import Ladder


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        """The side it trades with."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Lifetime(StrEnum):
    """How long an order stays in force."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class Ticket(Struct, frozen=True):
    """An order as the book sees it.

    Attributes:
        id: Names the order; never in the book twice.
        side: Which way it trades.
        quantity: What it still wants to trade, above zero.
        lifetime: IOC and FOK orders never rest; neither does an order without a limit.
        limit: The worst price it accepts; None accepts any.
        stop: The trade price that wakes it; None for an order that is awake.
    """

    id: str
    side: Side
    quantity: Decimal
    lifetime: Lifetime
    limit: Decimal | None = None
    stop: Decimal | None = None

    def accepts(self, price: Decimal) -> bool:
        """Whether the limit allows a trade at this price."""
        if self.limit is None:
            return True
        return price <= self.limit if self.side is Side.BUY else price >= self.limit


class Trade(Struct, frozen=True):
    """Two orders met: `quantity` changed hands at `price`, the price of the maker, which was there first."""

    maker_id: str
    taker_id: str
    price: Decimal
    quantity: Decimal


class Triggered(Struct, frozen=True):
    """A trade reached the stop price of this order; it is awake from here on."""

    order_id: str


class Dropped(Struct, frozen=True):
    """The rest of this order could not trade at once and was not allowed to rest."""

    order_id: str
    quantity: Decimal


Outcome = Trade | Triggered | Dropped


class Book:
    """The book of one symbol.

    Args:
        last_price: The latest trade price when the book opens. Stop prices are compared with it; whoever moves it from
            outside calls `trigger` afterwards.
    """

    def __init__(self, last_price: Decimal) -> None:
        self.last_price = last_price
        self._resting = {Side.BUY: Ladder(highest_first=True), Side.SELL: Ladder(highest_first=False)}
        # A rising price reaches the lowest buy stop first, a falling one the highest sell stop.
        self._stops = {Side.BUY: Ladder(highest_first=False), Side.SELL: Ladder(highest_first=True)}
        self._places: dict[str, tuple[Ladder, Decimal]] = {}
        self._asleep: dict[str, Ticket] = {}

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._places

    def submit(self, ticket: Ticket) -> list[Outcome]:
        """Take a new order: match it, let it rest, or let it wait for its stop price.

        Returns:
            What happened, in order; nothing for an order that rests or waits untouched.
        """
        if ticket.stop is None:
            return self._execute(ticket)
        if self._reaches(ticket.side, ticket.stop):
            return [Triggered(ticket.id), *self._execute(ticket)]
        self._asleep[ticket.id] = ticket
        self._add(self._stops[ticket.side], ticket.stop, ticket.id, ticket.quantity)
        return []

    def trigger(self) -> list[Outcome]:
        """Wake and execute the next stop order that the last price has reached; an empty list when there is none."""
        for side in Side:
            first = self._stops[side].first()
            if first is not None and self._reaches(side, first.price):
                ticket = self._asleep[first.id]
                self.cancel(first.id)
                return [Triggered(first.id), *self._execute(ticket)]
        return []

    def cancel(self, order_id: str) -> Decimal:
        """Take an order out of the book.

        Returns:
            The quantity it still wanted.

        Raises:
            KeyError: No such order rests or waits here.
        """
        ladder, price = self._places.pop(order_id)
        self._asleep.pop(order_id, None)
        return ladder.remove(price, order_id)

    def discard(self, order_id: str) -> None:
        """Take an order out of the book, if it is there."""
        if order_id in self._places:
            self.cancel(order_id)

    def resize(self, order_id: str, quantity: Decimal) -> None:
        """Let an order in the book want less, which keeps its place in the queue, or more, which puts it at the end.

        An order that wants nothing any more leaves.

        Raises:
            KeyError: No such order rests or waits here.
        """
        if quantity == ZERO:
            self.cancel(order_id)
            return
        ladder, price = self._places[order_id]
        ladder.resize(price, order_id, quantity)
        if order_id in self._asleep:
            self._asleep[order_id] = replace(self._asleep[order_id], quantity=quantity)

    def leaves(self, order_id: str) -> Decimal:
        """What an order in the book still wants to trade; zero for an order that is not in it."""
        place = self._places.get(order_id)
        if place is None:
            return ZERO
        ladder, price = place
        return ladder.quantity(price, order_id)

    def best(self, side: Side) -> Decimal | None:
        """The best resting price of one side, or None where nothing rests."""
        first = self._resting[side].first()
        return None if first is None else first.price

    def depth(self, ticket: Ticket) -> Decimal:
        """How much rests on the other side at prices the ticket accepts, counted no further than it wants."""
        found = ZERO
        acceptable = takewhile(lambda rest: ticket.accepts(rest.price), self._resting[ticket.side.opposite])
        for rest in acceptable:
            found += rest.quantity
            if found >= ticket.quantity:
                return ticket.quantity
        return found

    def _execute(self, ticket: Ticket) -> list[Outcome]:
        if ticket.lifetime is Lifetime.FOK and self.depth(ticket) < ticket.quantity:
            return [Dropped(ticket.id, ticket.quantity)]
        outcomes: list[Outcome] = []
        wanted = ticket.quantity
        opposite = self._resting[ticket.side.opposite]
        while wanted and (maker := opposite.first()) and ticket.accepts(maker.price):
            quantity = min(wanted, maker.quantity)
            opposite.reduce(maker, quantity)
            if quantity == maker.quantity:
                del self._places[maker.id]
            wanted -= quantity
            self.last_price = maker.price
            outcomes.append(Trade(maker.id, ticket.id, maker.price, quantity))
        if not wanted:
            return outcomes
        if ticket.limit is None or ticket.lifetime in {Lifetime.IOC, Lifetime.FOK}:
            return [*outcomes, Dropped(ticket.id, wanted)]
        self._add(self._resting[ticket.side], ticket.limit, ticket.id, wanted)
        return outcomes

    def _add(self, ladder: Ladder, price: Decimal, order_id: str, quantity: Decimal) -> None:
        ladder.add(price, order_id, quantity)
        self._places[order_id] = (ladder, price)

    def _reaches(self, side: Side, stop: Decimal) -> bool:
        return self.last_price >= stop if side is Side.BUY else self.last_price <= stop
