"""What is left of a world when everything has come to rest, put in order for the checks."""

from collections import defaultdict
from collections.abc import Sequence

from domain.account import Account
from domain.aggregates import State, evolve, initial
from domain.events import RecordedEvent, StreamId, UnknownOrderReported, order_of, order_stream
from domain.order import Order
from domain.values import OrderId, TraderId, exactly
from infrastructure.codec import RawEvent
from infrastructure.exchanges.alpaca_orders import named
from infrastructure.exchanges.paper import orders as venue
from infrastructure.exchanges.paper.executions import Execution
from tests.simulation.journal import Request
from tests.simulation.world import World

_AFTER_SECONDS = 0.001
"""The exchange's time is later than the loop's by a microsecond for each command that came at the same moment."""


class Evidence:
    """The log, folded, and the exchange's side of it.

    Attributes:
        world: Where it comes from.
        log: Every event.
        raw: Every event as it is stored.
        of_stream: The events of each stream.
        states: What they lead to.
        before: What each event came upon in its stream, by its position.
        after: What it made of that.
        orders: Our orders, as the log has them.
        orders_of: The same by the trader whose they are.
        at_venue: What the exchange made of each of them: the order and its replacements that ever worked.
        executions: What stands, or was taken back, of each of them.
        requests: What was asked about each of them.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.log: Sequence[RecordedEvent] = world.database.log._log
        self.raw: Sequence[RawEvent] = world.database.log._raw
        self.of_stream: defaultdict[StreamId, list[RecordedEvent]] = defaultdict(list)
        self.states: dict[StreamId, State] = {}
        self.before: dict[int, State] = {}
        self.after: dict[int, State] = {}
        self.requests: dict[OrderId, list[Request]] = world.journal.requests
        with exactly():
            for recorded in self.log:
                position, stream, _, event, *_ = recorded
                self.of_stream[stream].append(recorded)
                before = self.before[position] = self.states.get(stream) or initial(stream)
                self.after[position] = self.states[stream] = evolve(before, event)
        self.orders: dict[OrderId, Order] = {}
        self.orders_of: defaultdict[TraderId, list[Order]] = defaultdict(list)
        for stream, state in self.states.items():
            if (order_id := order_of(stream)) is not None and isinstance(state, Order):
                self.orders[order_id] = state
                self.orders_of[state.trader_id].append(state)
        self.strangers: list[venue.Order] = []
        self.at_venue: defaultdict[OrderId, list[venue.Order]] = defaultdict(list)
        self.executions: defaultdict[OrderId, list[Execution]] = defaultdict(list)
        self._sort_the_exchanges_orders()

    def accounts_at(self, recorded: RecordedEvent) -> tuple[Account, Account]:
        """An account before this event of it, and after."""
        before, after = self.before[recorded.position], self.after[recorded.position]
        assert isinstance(before, Account)
        assert isinstance(after, Account)
        return before, after

    def of_order(self, order_id: OrderId) -> list[RecordedEvent]:
        """The events of an order."""
        return self.of_stream[order_stream(order_id)]

    def recorded_at(self, recorded: RecordedEvent) -> float:
        """When this was really committed, in seconds since the simulation began."""
        return self.world.database.times[recorded.position]

    def writer_of(self, recorded: RecordedEvent) -> int:
        """The number of the process that recorded this."""
        return self.world.database.writers[recorded.position]

    def statuses_at_venue(self, order_id: OrderId, position: int) -> set[venue.Status]:
        """Every status that the exchange's orders for this one had been in when this was recorded."""
        until = self.world.database.times[position] + _AFTER_SECONDS
        histories = (self.world.exchange.history(order.id) for order in self.at_venue[order_id])
        return {update.order.status for history in histories for at, update in history if at <= until}

    def unknown_reported(self) -> set[str]:
        """The exchange's ids of orders that the engine reported as not its own."""
        return {each.event.venue_order_id for each in self.log if isinstance(each.event, UnknownOrderReported)}

    def _sort_the_exchanges_orders(self) -> None:
        exchange = self.world.exchange
        owners: dict[str, OrderId] = {}
        for venue_order_id in exchange.exchange.orders._ids:
            order = exchange.exchange.orders[venue_order_id]
            order_id = exchange.legs.get(venue_order_id) or named(order.client_order_id)[0]
            if order_id not in self.orders:
                self.strangers.append(order)
                continue
            owners[venue_order_id] = order_id
            if not (order.replaces and order.status is venue.Status.REJECTED):
                self.at_venue[order_id].append(order)
        for execution in exchange.exchange.executions._all:
            if execution.orders[0] in owners:
                self.executions[owners[execution.orders[0]]].append(execution)
