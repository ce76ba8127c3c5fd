"""The composition root: the one place where the parts of an engine are joined. Importing it starts nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from application.ports import Clock, UnreadableEventError
from application.sequencer import Sequencer
from application.trading import Trading
from domain.validation import OrderValidator
from infrastructure.buses import PostgresBus, RedisBus
from infrastructure.clock import SystemClock
from infrastructure.ids import UuidIds
from infrastructure.measuring import MeasuredStore, sample
from infrastructure.metrics import Metrics
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.instruments import CachedInstruments
from infrastructure.postgres.outage import Outage
from infrastructure.postgres.patience import Pool, watched_pool_of
from infrastructure.postgres.read_models import ReadModels
from infrastructure.postgres.roles import as_app
from infrastructure.postgres.standby import Exports, Reads, open_standby
from infrastructure.postgres.venue_queue import VenueQueue
from infrastructure.settings import Settings, SettingsError

if TYPE_CHECKING:
    from infrastructure.exchanges.alpaca import AlpacaVenue
    from infrastructure.traces import Traces

_CONNECTIONS_MAX = 8
_PATIENCE_SECONDS = 10.0
_HICCUP_SECONDS = 1.0
"""For how long a running engine does not tell anybody that the database is away: it may be back already."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that one process of the engine works with, open.

    ``reads`` and ``exports`` are for who may be told what was true a moment ago: a hot standby answers, where there is one.
    """

    settings: Settings
    clock: Clock
    store: PostgresEventStore
    follower: Follower
    sequencer: Sequencer
    trading: Trading
    pool: Pool
    read_models: ReadModels
    reads: Reads
    exports: Exports
    instruments: CachedInstruments
    venue_queue: VenueQueue
    bus: RedisBus | PostgresBus
    metrics: Metrics
    traces: "Traces | None"


def open_venue(settings: Settings) -> "AlpacaVenue":
    """The exchange of the settings; the paper venue speaks the same dialect and takes any key."""
    from infrastructure.exchanges.alpaca import AlpacaVenue  # noqa: PLC0415 - heavy, and only the worker has a venue

    return AlpacaVenue(
        base_url=_needed(settings.alpaca_base_url, "ALPACA_BASE_URL"),
        stream_url=_needed(settings.alpaca_stream_url, "ALPACA_STREAM_URL"),
        data_url=_needed(settings.alpaca_data_url, "ALPACA_DATA_URL"),
        key_id=settings.alpaca_key_id or "paper",
        secret=settings.alpaca_secret_key or "paper",
        timeout_seconds=settings.venue_timeout,
        name=settings.exchange,
    )


@asynccontextmanager
async def open_engine(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Engine]:
    """Open an engine on resolved settings, and close it in good order. Without ``metrics`` it has some of its own.

    Raises:
        SettingsError: an address is missing.
    """
    settings = await _with_fewer_rights(settings)
    url, session_url = str(settings.database_url), str(settings.session_url)
    pooled = settings.direct_database_url is not None
    metrics = metrics or Metrics()
    async with AsyncExitStack() as stack:
        traces = _traces(settings, metrics.process)
        if traces is not None:
            stack.push_async_callback(asyncio.to_thread, traces.close)
        outage, answer_seconds = Outage(), settings.database_timeout
        store = await stack.enter_async_context(
            PostgresEventStore(url, _HICCUP_SECONDS, pooled=pooled, answer_seconds=answer_seconds, outage=outage)
        )
        pool = watched_pool_of(url, _CONNECTIONS_MAX, outage, answer_seconds, pooled=pooled)
        await stack.enter_async_context(pool)
        read_models = ReadModels(pool)
        standby = await stack.enter_async_context(
            open_standby(settings.read_database_url, _CONNECTIONS_MAX, answer_seconds, pooled=pooled)
        )
        instruments = await stack.enter_async_context(CachedInstruments(pool))
        venue_queue = await stack.enter_async_context(VenueQueue(pool, settings.venue_queue_max))
        bus = RedisBus(settings.redis_url) if settings.redis_url not in {None, "none"} else PostgresBus(session_url)
        await stack.enter_async_context(bus)
        follower = await stack.enter_async_context(Follower(store, session_url))
        measured = MeasuredStore(store, metrics, traces)
        sequencer = await stack.enter_async_context(Sequencer(measured, follower.take))
        observer = asyncio.create_task(_observe(follower, sequencer, await store.position()), name="observer")
        stack.callback(observer.cancel)
        stack.callback(metrics.close)
        stack.callback(asyncio.create_task(sample(metrics), name="sample").cancel)
        clock = SystemClock()
        validator = OrderValidator(settings.limits, timedelta(seconds=settings.price_age_max))
        yield Engine(
            settings=settings,
            clock=clock,
            store=store,
            follower=follower,
            sequencer=sequencer,
            trading=Trading(sequencer, store, instruments, UuidIds(), clock, validator),
            pool=pool,
            read_models=read_models,
            reads=Reads(read_models, None if standby is None else standby.read_models),
            exports=Exports(store, None if standby is None else standby.store),
            instruments=instruments,
            venue_queue=venue_queue,
            bus=bus,
            metrics=metrics,
            traces=traces,
        )


async def _with_fewer_rights(settings: Settings) -> Settings:
    """The settings with URLs under which nobody could change the log, as far as that can be said in a URL.

    A pooler decides by itself as whom it connects to the database.

    Raises:
        SettingsError: there is no address.
    """
    url = _needed(settings.session_url, "DATABASE_URL")
    name = "database_url" if settings.direct_database_url is None else "direct_database_url"
    return settings.model_copy(update={name: await as_app(url, _PATIENCE_SECONDS)})


def _traces(settings: Settings, process: str) -> "Traces | None":
    if settings.otlp_endpoint is None:
        return None
    from infrastructure.traces import Traces  # noqa: PLC0415 - only whoever has set it pays for its import

    return Traces(settings.otlp_endpoint, process)


async def _observe(follower: Follower, sequencer: Sequencer, after: int) -> None:
    """Keep the sequencer's cache fresh with what other processes write, as far as this program knows what it means."""
    with suppress(UnreadableEventError):
        async for events in follower.follow(after):
            sequencer.observe(events)


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise SettingsError(f"{name} is not set, and no embedded server stands in for it.")
    return value
