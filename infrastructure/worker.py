"""The worker: what happens to an order after it is recorded. One worker leads, the others stand by.

The leader keeps the read models up with the log, sends orders to the venue and books its reports, publishes status
changes, refreshes the instruments, makes the log's next partition and snapshots of long streams. When it dies, its leadership ends with its connection, and another one takes over.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress

import uvloop

from application.booking import Booking, pauses
from application.execution import OrderExecutor
from application.gate import VenueGate
from application.inquiries import NO_ANSWER
from application.ports import UnreadableEventError
from application.status import StatusOrchestrator
from application.venue import Venue, VenueUnreachableError
from infrastructure.collector import keep_what_is_there
from infrastructure.composition import Engine, open_engine, open_venue
from infrastructure.embedded.home import open_home
from infrastructure.errors import report_errors, sinks_of
from infrastructure.exchanges.alpaca import AlpacaVenue
from infrastructure.logs import configure_logs
from infrastructure.measuring import MeasuredVenue
from infrastructure.metrics import Metrics, published
from infrastructure.postgres.heartbeats import beat
from infrastructure.postgres.instruments import save_instruments
from infrastructure.postgres.leadership import Leadership
from infrastructure.postgres.partitions import extend_ahead
from infrastructure.postgres.projector import Projector
from infrastructure.postgres.snapshots import keep_snapshots
from infrastructure.postgres.venue_queue import tell_queue
from infrastructure.settings import Settings, load_settings

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 1.0
_ASIDE_SECONDS = 5.0
_PARTITIONS_SECONDS = 60.0
_SNAPSHOTS_SECONDS = 10.0
_RESTART_PAUSES_SECONDS = (0.5, 1.0, 2.0, 5.0)


async def run_worker(settings: Settings, metrics: Metrics | None = None) -> None:
    """Work whenever leading, until cancelled.

    A worker that stands before an event that it does not know lets another one lead: during a deployment that is a
    newer one. It tries again later, and again and again when there is no other.
    """
    while True:
        async with open_engine(settings, metrics) as engine, open_venue(settings) as venue:
            unreadable = await _lead_until_stuck(engine, venue)
            log.error("this worker steps aside for a newer one: %s", unreadable)
            await engine.clock.sleep(_ASIDE_SECONDS)


async def _lead_until_stuck(engine: Engine, venue: AlpacaVenue) -> UnreadableEventError:
    leadership = Leadership(str(engine.settings.session_url), "worker")
    stuck = asyncio.create_task(engine.follower.stuck(), name="unreadable")
    try:
        while not stuck.done():
            async with leadership.hold() as lost:
                log.info("this worker leads")
                engine.metrics.leads.set(1)
                work = asyncio.create_task(_lead(engine, venue), name="work")
                watch = asyncio.create_task(lost.wait(), name="leadership")
                try:
                    await asyncio.wait({work, watch, stuck}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    engine.metrics.leads.set(0)
                    work.cancel()
                    watch.cancel()
                    await asyncio.gather(work, watch, return_exceptions=True)
            log.warning("this worker no longer leads")
        return stuck.result()
    finally:
        stuck.cancel()


async def _lead(engine: Engine, alpaca: AlpacaVenue) -> None:
    venue = MeasuredVenue(alpaca, engine.metrics, engine.traces)
    on_projected = None if engine.traces is None else engine.traces.projected
    booking = Booking(engine.trading, engine.clock, venue.name)
    gate = VenueGate(is_watched=True)
    executor = OrderExecutor(
        booking,
        venue,
        engine.follower,
        engine.read_models,
        engine.clock,
        gate=gate,
        backoff_seconds=engine.settings.retry_backoff,
        reconcile_seconds=engine.settings.reconcile_seconds,
    )
    status = StatusOrchestrator(engine.follower, engine.bus)
    jobs: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = (
        ("projections", Projector(engine.pool, engine.follower, on_applied=on_projected).run),
        ("execution", executor.run),
        ("status", lambda: status.run(engine.follower.position)),
        ("instruments", lambda: _refresh_instruments(engine, venue, gate)),
        ("queue", lambda: _tell_queue(engine, executor)),
        ("partitions", lambda: _make_partitions(engine)),
        ("snapshots", lambda: _keep_snapshots(engine)),
    )
    async with asyncio.TaskGroup() as group:
        for name, job in jobs:
            group.create_task(_keep_running(name, job, engine), name=name)


async def _keep_running(name: str, job: Callable[[], Awaitable[None]], engine: Engine) -> None:
    """Run a job for ever: whatever ends it, it begins again after a pause, and the other jobs go on."""
    waits = pauses(*_RESTART_PAUSES_SECONDS)
    while True:
        try:
            await job()
        except Exception:
            log.exception("%s ended and is started again", name)
        await engine.clock.sleep(next(waits))


async def _refresh_instruments(engine: Engine, venue: Venue, gate: VenueGate) -> None:
    """Keep the instruments fresh, and tell every process, and the orders that wait, whether the exchange answers."""
    while True:
        try:
            instruments = await venue.instruments()
            gate.open()
            await save_instruments(engine.pool, instruments)
        except NO_ANSWER as error:
            if isinstance(error, VenueUnreachableError):
                gate.shut()
            else:
                gate.open()
            log.warning("the instruments could not be refreshed: %s", error)
            await beat(engine.pool, "exchange", str(error), is_ok=False)
        else:
            await beat(engine.pool, "exchange", "answers", is_ok=True)
        await engine.clock.sleep(_REFRESH_SECONDS)


async def _tell_queue(engine: Engine, executor: OrderExecutor) -> None:
    """Tell every process how many orders wait for the venue."""
    while True:
        await tell_queue(engine.pool, executor.waiting)
        await engine.clock.sleep(_REFRESH_SECONDS)


async def _make_partitions(engine: Engine) -> None:
    """See to it that the log can always grow into its next partition."""
    while True:
        await extend_ahead(engine.pool)
        await engine.clock.sleep(_PARTITIONS_SECONDS)


async def _keep_snapshots(engine: Engine) -> None:
    """See to it that no stream has to be folded from far back."""
    while True:
        await keep_snapshots(engine.pool)
        await engine.clock.sleep(_SNAPSHOTS_SECONDS)


def main() -> None:
    """Run the worker of this process's environment until SIGTERM or SIGINT."""
    configure_logs("worker")
    settings = load_settings(os.environ)
    metrics = published(open_home(settings.home).directory, "worker")
    report_errors("worker", [*sinks_of(settings), metrics.failed])
    keep_what_is_there()
    with suppress(asyncio.CancelledError):
        uvloop.run(_until_told(run_worker(settings, metrics)))


async def _until_told(work: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


if __name__ == "__main__":
    main()
