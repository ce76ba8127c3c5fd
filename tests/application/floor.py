"""A trading floor for the executor's tests: an engine in memory whose orders go to a scripted venue."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from application.booking import Booking
from application.execution import OrderExecutor
from application.sequencer import Sequencer
from application.snapshots import Snapshot
from application.trading import OrderRequest, Trading
from application.venue import VenueOutcomeUnknownError, VenueReport, VenueUnreachableError
from domain.order import Order
from domain.values import OrderId
from infrastructure.memory import InMemoryEventStore
from tests.application.world import ALICE, BUY_TEN, CALLER, FastClock, ScriptedVenue, StoreFeed

LISTENING = VenueReport(client_order_id=OrderId(""), venue_order_id="", status="listening")
TIMEOUT = VenueOutcomeUnknownError("timeout")
FOREVER = 1e9
DOWN = VenueUnreachableError("connection refused")


@dataclass
class Engine:
    store: InMemoryEventStore
    sequencer: Sequencer
    trading: Trading


@dataclass
class Fixed:
    order_ids: Sequence[OrderId] = ()
    position: int = 0
    known: dict[str, OrderId] = field(default_factory=dict)
    executed_at: datetime | None = None
    errors: list[Exception] = field(default_factory=list)

    async def open_orders(self) -> tuple[Sequence[OrderId], int]:
        return self.order_ids, self.position

    async def executions_read(self, _venue_name: str) -> datetime | None:
        if self.errors:
            raise self.errors.pop()
        return self.executed_at

    async def save_executions_read(self, _venue_name: str, until: datetime) -> None:
        self.executed_at = until

    async def order_known_as(self, venue_order_id: str) -> OrderId | None:
        return self.known.get(venue_order_id)


@dataclass
class Floor:
    """An engine whose orders go to a scripted venue."""

    engine: Engine
    venue: ScriptedVenue
    clock: FastClock
    task: asyncio.Task[None] | None = None
    fixed: Fixed | None = None

    def open(self, order_ids: Sequence[OrderId] = (), position: int = 0, reconcile_seconds: float = FOREVER) -> None:
        booking = Booking(self.engine.trading, self.clock, self.venue.name)
        feed = StoreFeed(self.engine.store)
        executor = OrderExecutor(
            booking,
            self.venue,
            feed,
            self.fixed or Fixed(order_ids, position),
            self.clock,
            reconcile_seconds=reconcile_seconds,
        )
        self.task = asyncio.create_task(executor.run())

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def place(self, request: OrderRequest = BUY_TEN) -> OrderId:
        return (await self.engine.trading.place(ALICE, request, CALLER)).order.state.order_id

    async def order(self, order_id: OrderId) -> Order:
        snapshot: Snapshot[Order] | None = await self.engine.trading.order(order_id)
        assert snapshot is not None
        return snapshot.state
