"""The database: the log in memory, behind connections that fail as connections do, and the read tables beside it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from application.ports import (
    NOW,
    Appended,
    AsOf,
    Clock,
    History,
    Key,
    Loaded,
    StoreUnavailableError,
    Transaction,
)
from domain.events import OrderAccepted, OrderReconciled, OrderReplaced, RecordedEvent, StreamId, order_of
from domain.values import OrderId, TraderId
from infrastructure.codec import RawEvent
from infrastructure.memory import InMemoryEventStore
from tests.simulation.chances import Chances
from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Process
from tests.simulation.tables import Tables

_WAY_SECONDS = (0.0005, 0.005)
_NOTIFICATION_SECONDS = (0.001, 0.08)
_SLOW_QUERIES = 0.25
_LATE_COMMIT_SECONDS = (0.001, 2.0)
_GIVE_UP_SECONDS = 0.5

_Named = OrderAccepted | OrderReplaced | OrderReconciled


class StrictLog(InMemoryEventStore):
    """Believes nobody: whoever says that what was read is the newest is looked at."""

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        """See the port.

        Raises:
            AssertionError: the reads were not right when the log ended at ``known_position``, which is where it ends.
        """
        is_claimed = known_position == await self.position()
        appended = await super().append(transactions, known_position)
        if is_claimed and None in appended.recorded:
            cause = transactions[appended.recorded.index(None)]
            assert cause.keys, f"what was read is said to be the newest at {known_position}, and is not: {cause.reads}"
        return appended


class Database:
    """What survives every crash.

    ``is_away``: nobody reaches it. ``times``: when the event at a position was really committed, in seconds, and
    ``writers``: the number of the process that wrote it.
    """

    def __init__(self, loop: VirtualLoop, clock: Clock, chances: Chances, faults: Faults) -> None:
        self.log = StrictLog(clock)
        self.tables = Tables()
        self.is_away = False
        self.executions_read: dict[str, datetime] = {}
        self.known_as: dict[str, OrderId] = {}
        self.times: dict[int, float] = {}
        self.writers: dict[int, int] = {}
        self.loop = loop
        self.faults = faults
        self._chances = chances
        self._listeners: list[_Listener] = []

    def listen(self, process: Process, wake: Callable[[], None]) -> None:
        """Call ``wake`` after commits, as long as the process lives, and mostly."""
        self._listeners = [each for each in self._listeners if each.process.is_alive]
        self._listeners.append(_Listener(process, wake))

    def notify(self) -> None:
        """Tell the listeners that something was committed; one notification may tell of several commits."""
        for listener in self._listeners:
            if not listener.is_told and listener.process.is_alive and not self.faults.strikes(Fault.NOTIFICATION_LOST):
                listener.is_told = True
                self.loop.call_later(self._chances.between(*_NOTIFICATION_SECONDS), listener.wake_up)

    def note_commit(self, process: Process) -> None:
        """Remember when the newest events were committed, in seconds since the simulation began, by whom, and the names."""
        now, number = self.loop.time(), process.number
        for position, stream_id, _, event, *_ in self.log._log[len(self.times) :]:
            self.times[position] = now
            self.writers[position] = number
            if isinstance(event, _Named) and event.venue_order_id:
                self.known_as.setdefault(event.venue_order_id, cast("OrderId", order_of(stream_id)))

    def way_seconds(self) -> float:
        """How long one way over the network takes."""
        return self._chances.between(*_WAY_SECONDS)

    def pause_seconds(self) -> float:
        """How long a query takes: mostly so little that nothing else happens meanwhile."""
        return self.way_seconds() if self._chances.happens(_SLOW_QUERIES) else 0.0


@dataclass(slots=True)
class _Listener:
    """A process that wants to know of commits; ``is_told``: it has not looked since it was last told."""

    process: Process
    wake: Callable[[], None]
    is_told: bool = False

    def wake_up(self) -> None:
        """The notification arrives."""
        self.is_told = False
        self.wake()


class Connection:
    """One process's way to the database: the port ``EventStore``, the reads of the API's streams, and ``Bookkeeping``."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process
        self._faults = database.faults

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        """See the port."""
        self._process.pass_out()
        loop, faults = self._database.loop, self._faults
        answer: asyncio.Future[Appended] = loop.create_future()
        lost = "the connection was lost"
        if self._database.is_away or faults.strikes(Fault.STORE_REFUSES):
            loop.call_later(_GIVE_UP_SECONDS, _fail, answer, StoreUnavailableError("the store is away"))
        elif faults.strikes(Fault.STORE_COMMITS_LATE):
            loop.call_later(self._database.way_seconds(), _fail, answer, StoreUnavailableError(lost))
            late: asyncio.Future[Appended] = loop.create_future()
            late.add_done_callback(_look_at)
            delay = faults.seconds(*_LATE_COMMIT_SECONDS)
            loop.call_later(delay, self._commit, transactions, known_position, late)
        elif faults.strikes(Fault.STORE_ANSWER_LOST):
            told: asyncio.Future[Appended] = loop.create_future()
            told.add_done_callback(_look_at)
            told.add_done_callback(lambda _: _fail(answer, StoreUnavailableError(lost)))
            loop.call_later(self._database.way_seconds(), self._commit, transactions, known_position, told)
        else:
            loop.call_later(self._database.way_seconds(), self._commit, transactions, known_position, answer)
        appended = await answer
        self._process.pass_out()
        return appended

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        """See the port."""
        await self._ask()
        loaded = await self._database.log.load(streams, keys, from_snapshots=from_snapshots)
        await self._answered()
        return loaded

    async def history(self, streams: Sequence[StreamId], as_of: AsOf = NOW, version: int | None = None) -> History:
        """See the port."""
        await self._ask()
        past = await self._database.log.history(streams, as_of, version)
        await self._answered()
        return past

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """See the port."""
        await self._ask()
        return await self._database.log.read(after, limit)

    async def raw(
        self,
        after: int,
        limit: int,
        *,
        types: Collection[str] = (),
        trader_id: TraderId | None = None,
        stream_id: StreamId | None = None,
        since: datetime | None = None,
        as_of: AsOf = NOW,
    ) -> Sequence[RawEvent]:
        """See ``InMemoryEventStore``."""
        await self._ask()
        return await self._database.log.raw(
            after, limit, types=types, trader_id=trader_id, stream_id=stream_id, since=since, as_of=as_of
        )

    async def position(self) -> int:
        """See the port."""
        await self._ask()
        return await self._database.log.position()

    async def open_orders(self) -> tuple[Sequence[OrderId], int]:
        """See the port ``Bookkeeping``."""
        await self._ask()
        open_orders = self._database.tables.open_orders()
        await self._answered()
        return open_orders

    async def executions_read(self, venue_name: str) -> datetime | None:
        """See the port ``Bookkeeping``."""
        await self._ask()
        return self._database.executions_read.get(venue_name)

    async def save_executions_read(self, venue_name: str, until: datetime) -> None:
        """See the port ``Bookkeeping``."""
        await self._ask()
        self._database.executions_read[venue_name] = until
        await self._answered()

    async def order_known_as(self, venue_order_id: str) -> OrderId | None:
        """See the port ``Bookkeeping``."""
        await self._ask()
        return self._database.known_as.get(venue_order_id)

    def tables_position(self) -> int:
        """Where the tables stand."""
        return self._database.tables.position

    async def project(self, batch: Sequence[RecordedEvent]) -> None:
        """Fold the batch into the tables, in one transaction."""
        await self._ask()
        self._database.tables.fold(batch)
        await self._answered()

    async def _ask(self) -> None:
        self._process.pass_out()
        if self._database.is_away or self._faults.strikes(Fault.READ_FAILS):
            await self._database.loop.sleep(_GIVE_UP_SECONDS)
            raise StoreUnavailableError("the store is away")
        await self._pause()

    async def _answered(self) -> None:
        """What was read grows old on its way back."""
        await self._pause()
        self._process.pass_out()

    async def _pause(self) -> None:
        """Mostly nothing else happens meanwhile, and then there is no need to let anything happen."""
        if (seconds := self._database.pause_seconds()) > 0:
            await self._database.loop.sleep(seconds)

    def _commit(
        self, transactions: Sequence[Transaction], known_position: int, answer: asyncio.Future[Appended]
    ) -> None:
        append = self._database.log.append(transactions, known_position)
        try:
            append.send(None)
        except StopIteration as done:
            self._database.note_commit(self._process)
            self._database.notify()
            if not answer.done():
                answer.set_result(done.value)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's
            _fail(answer, error)


def _fail(answer: asyncio.Future[Appended], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _look_at(answer: asyncio.Future[Appended]) -> None:
    """Nobody is left to be told, so that an error here is nobody's."""
    answer.exception()
