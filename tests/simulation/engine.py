"""The engine's programs: the API and the worker, joined as the product joins them, each in a process that can die."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from api.fan_out import FanOut
from application.booking import Booking, pauses
from application.execution import OrderExecutor
from application.ports import Ids, Instruments, StoreUnavailableError
from application.sequencer import Sequencer
from application.status import StatusOrchestrator
from application.trading import Trading
from infrastructure.postgres.follower import Follower
from tests.simulation.database import Connection
from tests.simulation.network import VenueConnection
from tests.simulation.process import Process
from tests.simulation.surroundings import MachineClock

log = logging.getLogger(__name__)

T = TypeVar("T")

_POLL_SECONDS = 4.0
_RESTART_PAUSES_SECONDS = (0.5, 1.0, 2.0, 5.0)
_START_AGAIN_SECONDS = 0.5
_HEARTBEAT_SECONDS = 60.0
_BACKLOG_MAX = 10_000


class DisconnectedError(Exception):
    """The program on the other side is gone, or its answer is."""


class Program:
    """What both programs have: a follower of the log, and a sequencer that learns from it."""

    def __init__(
        self, process: Process, store: Connection, instruments: Instruments, ids: Ids, clock: MachineClock
    ) -> None:
        self.process = process
        self.store = store
        self.follower = Follower(store, None, _POLL_SECONDS)
        self.trading: Trading | None = None
        self._instruments = instruments
        self._ids = ids
        self._clock = clock

    async def begin(self) -> Trading:
        """Start, as soon as the database can be reached."""
        while True:
            try:
                await self.follower.__aenter__()
                position = await self.store.position()
            except StoreUnavailableError:
                await asyncio.sleep(_START_AGAIN_SECONDS)
                # The first attempt may have begun to follow: a new one takes its place.
                self.follower = Follower(self.store, None, _POLL_SECONDS)
            else:
                break
        sequencer = await Sequencer(self.store).__aenter__()
        self.process.spawn(_observe(self.follower, sequencer, position))
        self.trading = Trading(sequencer, self.store, self._instruments, self._ids, self._clock)
        return self.trading

    def wake(self) -> None:
        """Something was committed."""
        self.follower.wake()


async def _observe(follower: Follower, sequencer: Sequencer, after: int) -> None:
    async for events in follower.follow(after):
        sequencer.observe(events)


class Api(Program):
    """A process of the API. Whoever waits for its answer when it dies is told so."""

    fan_out: FanOut

    def __init__(
        self, process: Process, store: Connection, instruments: Instruments, ids: Ids, clock: MachineClock
    ) -> None:
        super().__init__(process, store, instruments, ids, clock)
        self._waiting: dict[asyncio.Future[Any], None] = {}  # in order, whatever the addresses
        self.is_ready = False

    async def run(self) -> None:
        """Serve until killed."""
        await self.begin()
        self.fan_out = FanOut(self.follower, self.store, _BACKLOG_MAX, _HEARTBEAT_SECONDS)  # type: ignore[arg-type] # it asks for ``raw`` only
        self.is_ready = True
        await self.fan_out.run(self.follower.position)

    async def ask(self, work: Callable[[Trading], Awaitable[T]], patience_seconds: float) -> T:
        """Send a request and wait for its answer; whoever stops waiting does not stop the work.

        Raises:
            DisconnectedError: the process is not there, or died.
            TimeoutError: there was no answer within this time.
        """
        if not self.process.is_alive or self.trading is None or not self.is_ready:
            raise DisconnectedError
        loop = self.process.loop
        answer: asyncio.Future[T] = loop.create_future()
        patience = loop.call_later(patience_seconds, _fail, answer, TimeoutError())
        self._waiting[answer] = None
        self.process.spawn(_serve(work, self.trading, answer))
        try:
            return await answer
        finally:
            patience.cancel()
            self._waiting.pop(answer, None)

    def hang_up(self) -> None:
        """Tell everybody who waits that nothing comes any more."""
        for answer in list(self._waiting):
            _fail(answer, DisconnectedError())


async def _serve(work: Callable[[Trading], Awaitable[T]], trading: Trading, answer: asyncio.Future[T]) -> None:
    try:
        result = await work(trading)
    except Exception as error:  # noqa: BLE001 - every error of a command is its caller's answer
        _fail(answer, error)
    else:
        if not answer.done():
            answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


class Worker(Program):
    """A process that leads: it projects, executes and publishes.

    Args:
        venue: its way to the exchange.
        clock: the machine's.
        publish: what carries its status messages.
        reconcile_seconds: how often it asks for all open orders.
    """

    def __init__(
        self,
        process: Process,
        store: Connection,
        instruments: Instruments,
        ids: Ids,
        *,
        venue: VenueConnection,
        clock: MachineClock,
        publish: Callable[[int, Sequence[tuple[str, bytes]]], None],
        reconcile_seconds: float,
    ) -> None:
        super().__init__(process, store, instruments, ids, clock)
        self._venue = venue
        self._publish = publish
        self._reconcile_seconds = reconcile_seconds
        self._jobs: list[asyncio.Task[Any]] = []

    async def run(self) -> None:
        """Lead until killed."""
        trading = await self.begin()
        booking = Booking(trading, self._clock, self._venue.name)
        executor = OrderExecutor(
            booking,
            self._venue,
            self.follower,
            self.store,
            self._clock,
            reconcile_seconds=self._reconcile_seconds,
        )
        status = StatusOrchestrator(self.follower, self)
        after = self.follower.position
        self._jobs = [
            self.process.spawn(self._keep_running(job))
            for job in (self._project, executor.run, lambda: status.run(after))
        ]

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """The port ``Bus``."""
        self.process.pass_out()
        self._publish(self.process.number, messages)

    def stop(self) -> None:
        """It leads no longer: everything it does ends in good order, except that the process lives on."""
        for job in self._jobs:
            job.cancel()

    async def _project(self) -> None:
        async for batch in self.follower.follow(self.store.tables_position()):
            while True:
                try:
                    await self.store.project(batch)
                except StoreUnavailableError:
                    await self._clock.sleep(_START_AGAIN_SECONDS)
                else:
                    break

    async def _keep_running(self, job: Callable[[], Awaitable[None]]) -> None:
        waits = pauses(*_RESTART_PAUSES_SECONDS)
        while True:
            try:
                await job()
            except StoreUnavailableError:
                pass
            except Exception:
                log.exception("a job ended and is started again")
            await self._clock.sleep(next(waits))
