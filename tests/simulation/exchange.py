"""The exchange's own side: its books, its clock, and whoever listens to it.

What it is asked here it does at once and correctly; what goes wrong on the way is in ``network.py``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from application.venue import VenueOrder, VenueRefusedError, VenueReplacement, VenueReport, WorkingOrder
from domain.values import Money, OrderId, OrderType, Price, Side, Symbol, TimeInForce
from infrastructure.exchanges.alpaca_executions import Execution
from infrastructure.exchanges.alpaca_orders import named, replacement_name
from infrastructure.exchanges.paper import book, commands
from infrastructure.exchanges.paper.checks import check
from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.orders import Order, Update, end_of_day
from infrastructure.exchanges.paper.refusals import ClientOrderIdTaken, Refusal
from tests.simulation.loop import VirtualLoop
from tests.simulation.reports import execution_in, working
from tests.simulation.surroundings import CountingIds

_TICK = timedelta(microseconds=1)
_SIDES = {Side.BUY: book.Side.BUY, Side.SELL: book.Side.SELL}
_TYPES = {
    OrderType.MARKET: commands.OrderType.MARKET,
    OrderType.LIMIT: commands.OrderType.LIMIT,
    OrderType.STOP: commands.OrderType.STOP,
    OrderType.STOP_LIMIT: commands.OrderType.STOP_LIMIT,
}
_LIFETIMES = {
    TimeInForce.DAY: book.Lifetime.DAY,
    TimeInForce.GTC: book.Lifetime.GTC,
    TimeInForce.IOC: book.Lifetime.IOC,
    TimeInForce.FOK: book.Lifetime.FOK,
}


class AlreadyThereError(Exception):
    """The exchange knows the client order id."""


class LiveExchange:
    """The paper exchange with a clock that is right, and a memory of what it ever said.

    Attributes:
        exchange: The exchange.
        executions: Every fill, bust and correction, in order.
        listed_executions: The same as they are listed.
        legs: Which order of ours is meant by a leg, by the exchange's id of it.
        foreign: The ids of orders that nobody here sent.
        listeners: Who is told of every update, and of the execution in it.
    """

    def __init__(self, loop: VirtualLoop, began_at: datetime, commission_per_share: Money) -> None:
        self.exchange = Exchange()
        self.executions: list[Execution] = []
        self.listed_executions: list[VenueReport] = []
        self.foreign: list[str] = []
        self.legs: dict[str, OrderId] = {}
        self.listeners: list[Callable[[Update, Execution | None], None]] = []
        self._histories: defaultdict[str, list[Update]] = defaultdict(list)
        self._listed: dict[str, tuple[Order, WorkingOrder]] = {}
        self._executions_of: defaultdict[str, list[Execution]] = defaultdict(list)
        self._loop = loop
        self._began_at = began_at
        self._ids = CountingIds(2)
        self._execute(commands.Start(self.now(), commission_per_share))
        self._loop.call_at(self._midnight(), self._end_day)

    def now(self) -> datetime:
        """The right time, later than every command before."""
        return max(self._began_at + timedelta(seconds=self._loop.time()), self.exchange.last_at + _TICK)

    # ── What can be asked of it ──────────────────────────────────────────────────────────────────────────────────────

    def place(self, order: VenueOrder, rejected_because: str = "") -> None:
        """Take an order in, and its leg, to which the exchange gives a name.

        Raises:
            AlreadyThereError: one with its client order id is there.
            VenueRefusedError: it is against the rules.
        """
        leg = None if order.leg is None else commands.StopLeg(self._ids.new(), self._ids.new(), order.leg.stop_price)
        self._obey(
            commands.Place(
                at=self.now(),
                id=self._ids.new(),
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=_SIDES[order.side],
                type=_TYPES[order.order_type],
                quantity=order.quantity,
                time_in_force=_LIFETIMES[order.time_in_force],
                limit_price=order.price,
                stop_price=order.stop_price,
                rejected_because=rejected_because,
                leg=leg,
            )
        )
        if order.leg is not None and leg is not None:
            self.legs[leg.id] = order.leg.client_order_id

    def place_by_hand(self, symbol: Symbol, side: Side, quantity: Decimal, price: Price | None) -> None:
        """Take in an order that somebody sent past the engine."""
        order_id = self._ids.new()
        self.foreign.append(order_id)
        command = commands.Place(
            at=self.now(),
            id=order_id,
            client_order_id=f"by hand {len(self.foreign)}",
            symbol=symbol,
            side=_SIDES[side],
            type=commands.OrderType.MARKET if price is None else commands.OrderType.LIMIT,
            quantity=quantity,
            time_in_force=book.Lifetime.GTC,
            limit_price=price,
        )
        self._obey(command)

    def cancel(self, venue_order_id: str, refused_because: str = "") -> None:
        """Cancel an order, or say later that it will not be.

        Raises:
            VenueRefusedError: it is not there or is over.
        """
        self._obey(commands.Cancel(self.now(), venue_order_id, refused_because))

    def replace(self, wish: VenueReplacement, *, refused_because: str = "", keeps_predecessor: bool = False) -> None:
        """Replace an order, or say later that it will not be, or let both work.

        Raises:
            AlreadyThereError: it did this before.
            VenueRefusedError: it is against the rules.
        """
        self._obey(
            commands.Replace(
                at=self.now(),
                id=wish.venue_order_id,
                replacement_id=self._ids.new(),
                client_order_id=replacement_name(wish.client_order_id, wish.number),
                quantity=wish.quantity,
                limit_price=wish.price,
                stop_price=wish.stop_price,
                refused_because=refused_because,
                keeps_predecessor=keeps_predecessor,
            )
        )

    def move_price(self, symbol: str, price: Decimal) -> None:
        """Let the market go to another price."""
        self._obey(commands.MovePrice(self.now(), symbol, price))

    def bust(self, execution_id: str) -> None:
        """Take an execution back.

        Raises:
            VenueRefusedError: it is not what it was.
        """
        self._obey(commands.Bust(self.now(), execution_id))

    def correct(self, execution_id: str, quantity: Decimal | None, price: Decimal | None) -> None:
        """Change an execution.

        Raises:
            VenueRefusedError: it is not what it was, or it cannot be this.
        """
        self._obey(commands.Correct(self.now(), execution_id, quantity, price))

    # ── What it says ─────────────────────────────────────────────────────────────────────────────────────────────────

    def order(self, venue_order_id: str, until: datetime | None = None) -> Order | None:
        """The order as it is, or as it was."""
        if until is None:
            return self.exchange.orders.get(venue_order_id)
        history = [update.order for update in self._histories.get(venue_order_id, ()) if update.at <= until]
        return history[-1] if history else None

    def order_named(self, client_order_id: str, until: datetime | None = None) -> Order | None:
        """The order with this name as it is, or as it was."""
        order = self.exchange.orders.by_client_order_id(client_order_id)
        return order if order is None or until is None else self.order(order.id, until)

    def leg_of(self, order: Order) -> Order | None:
        """The leg of a main order."""
        return self.exchange.orders.leg_of(order)

    def working(self, order: Order) -> WorkingOrder:
        """An order in the list of those that work; most are as they were in the list before."""
        if (known := self._listed.get(order.id)) is None or known[0] is not order:
            known = self._listed[order.id] = order, working(order)
        return known[1]

    def executions_of(self, venue_order_id: str, until: datetime | None = None) -> list[Execution]:
        """What was executed of an order and what was made of that later, up to a moment."""
        known = self._executions_of.get(venue_order_id, [])
        return known if until is None else [execution for execution in known if execution.at <= until]

    def history(self, venue_order_id: str) -> Iterator[tuple[float, Update]]:
        """Everything that ever happened to an order, and when, in seconds."""
        for update in self._histories.get(venue_order_id, ()):
            yield (update.at - self._began_at).total_seconds(), update

    def told(self) -> Iterator[tuple[float, OrderId, str]]:
        """Everything that ever happened, for people: when, in seconds, to which order of ours, and what."""
        for venue_order_id in self._histories:
            for at, update in self.history(venue_order_id):
                order = update.order
                order_id = self.legs.get(order.id) or named(order.client_order_id)[0]
                fill = f", {update.fill.quantity} at {update.fill.price}" if update.fill else ""
                filled = f"{order.filled_quantity} of {order.quantity} filled"
                yield at, order_id, f"exchange: {update.event} {order_id} as {order.id}, {order.status}, {filled}{fill}"

    # ── How it works ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _obey(self, command: commands.Command) -> None:
        try:
            self._execute(command)
        except ClientOrderIdTaken as error:
            raise AlreadyThereError from error
        except Refusal as refusal:
            raise VenueRefusedError("42210000", str(refusal)) from refusal

    def _execute(self, command: commands.Command) -> None:
        check(self.exchange, command)
        for update in self.exchange.apply(command):
            order = update.order
            self._histories[order.id].append(update)
            execution = execution_in(update)
            if execution is not None:
                self.executions.append(execution)
                self.listed_executions.append(execution.report(OrderId("")))
                self._executions_of[order.id].append(execution)
            for listener in self.listeners:
                listener(update, execution)

    def _midnight(self) -> float:
        now = self._began_at + timedelta(seconds=self._loop.time())
        return self._loop.time() + (end_of_day(now) - now).total_seconds()

    def _end_day(self) -> None:
        self._execute(commands.EndDay(self.now()))
        self._loop.call_at(self._midnight(), self._end_day)
