"""Rebuilds read models while orders flow and readers read: new tables beside the live ones, checked, then swapped.

Nothing but the log is read and nothing but tables is written: nothing is published, and no venue is called.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple, Protocol

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from infrastructure.folds import Fold, Summary
from infrastructure.postgres.building import BUILDING, Builder, Span
from infrastructure.postgres.comparing import compared, compared_rows
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.patience import Pool, patiently, pool_of
from infrastructure.postgres.preparing import Prospect, prepare, prospects
from infrastructure.postgres.rows import array
from infrastructure.postgres.sharding import ShardTask, build_shards
from infrastructure.postgres.skips import Skips, skips_of
from infrastructure.postgres.swapping import swap
from infrastructure.postgres.twins import complete_twin
from projections.projection import Batch, Projection

BATCH = 10_000
_LEFT_MAX = 200
"""So few events are left to the transaction that swaps: it holds up the projector."""

_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('rebuild-' || %s, 0))"

_UNLOCK = "SELECT pg_advisory_unlock_all()"

_JOIN_SHARDS = """
WITH others AS (DELETE FROM building.progress WHERE name = ANY (%s::text[]) AND shard > 0)
UPDATE building.progress SET shards = 1 WHERE name = ANY (%s::text[]) AND shard = 0
"""


class AlreadyRebuildingError(Exception):
    """Somebody else is rebuilding the same read model."""


class RebuiltWronglyError(Exception):
    """A rebuilt table is not what a fold of its own leads to, so it did not take its place."""

    def __init__(self, difference: str) -> None:
        super().__init__(f"The rebuilt table was not swapped in; the first row that differs: {difference}")


class Advance(Protocol):
    """Told how many more events were worked on, and how many there still are."""

    def __call__(self, steps: int, *, lag: int | None = None) -> None:
        """So many more."""
        ...


class Stage(Protocol):
    """Shows a stage of the work while its block runs."""

    def __call__(self, title: str, total: int, *, done: int = 0) -> AbstractContextManager[Advance]:
        """A stage of so many events, of which some were worked on before."""
        ...


@contextmanager
def unseen(title: str, total: int, *, done: int = 0) -> Iterator[Advance]:  # noqa: ARG001 - nobody watches
    """A stage that is shown nowhere."""

    def advance(steps: int, *, lag: int | None = None) -> None:
        """Nobody watches."""

    yield advance


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A read model that was rebuilt and swapped in.

    ``summary`` is of the whole table when it was compared with an independent fold at ``checked_position``; what came
    after, up to ``position``, was compared row by row. Readers waited for at most ``locked_seconds``.
    """

    projection: str
    version: int
    position: int
    checked_position: int
    summary: Summary
    seconds: float
    locked_seconds: float


async def plan(
    database_url: str, projections: Sequence[Projection[Any]], *, workers: int = 1, resume: bool = False
) -> list[Prospect]:
    """What ``rebuild`` would start from. Changes nothing.

    Raises:
        BuildError, psycopg.Error: see there.
    """
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        return await prospects(connection, projections, workers=workers, resume=resume)


async def rebuild(
    database_url: str,
    store: PostgresEventStore,
    projections: Sequence[Projection[Any]],
    *,
    workers: int = 1,
    batch: int = BATCH,
    resume: bool = False,
    stage: Stage = unseen,
) -> list[Rebuilt]:
    """Rebuild the read models and swap them in, one after the other; the tables before are kept in ``previous``.

    Whoever is killed leaves everything as it was, but for what is already built, with which ``resume`` goes on.

    Args:
        database_url: where the read models are.
        store: the log.
        projections: what to rebuild.
        workers: how many processes build; each has its share of the rows.
        batch: how many events each of them holds, and applies in one transaction.
        resume: go on with what was interrupted; where nothing was, begin at the beginning.
        stage: shows how far it is.

    Raises:
        AlreadyRebuildingError: somebody else rebuilds one of them.
        BuildError: it cannot be done; the message says why. The live tables are as they were.
        RebuiltWronglyError: the same, because the check failed.
        StoreUnavailableError, psycopg.Error: the database cannot be used.
    """
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(_exclusively(database_url, projections))
        pool = await stack.enter_async_context(pool_of(database_url, 2))
        wanted = await prospects(connection, projections, workers=workers, resume=resume)
        began_at = await prepare(connection, wanted)
        skips = await skips_of(connection, projections)
        work = _Rebuild(pool, store, began_at, skips, batch, stage)
        return await work.run(database_url, wanted)


@asynccontextmanager
async def _exclusively(
    database_url: str, projections: Sequence[Projection[Any]]
) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """A connection that nobody else rebuilds these read models beside, as long as it lives."""
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute("SET idle_session_timeout = 0")
        for projection in projections:
            if await (await connection.execute(_TRY_LOCK, (projection.name,))).fetchone() != (True,):
                raise AlreadyRebuildingError(f"{projection.name} is being rebuilt already")
        yield connection
        # The server would notice a little later that the connection is gone, and whoever rebuilds next would meet the lock.
        await connection.execute(_UNLOCK)


@dataclass(frozen=True, slots=True)
class _Rebuild:
    """One rebuild of some read models that are built together, checked together, and swapped in turn."""

    pool: Pool
    store: PostgresEventStore
    began_at: datetime
    skips: Skips
    batch: int
    stage: Stage

    async def run(self, database_url: str, wanted: Sequence[Prospect]) -> list[Rebuilt]:
        began = monotonic()
        checked: list[_Checked] = []
        for shards in sorted({each.shards for each in wanted}):
            group = [each for each in wanted if each.shards == shards]
            if shards > 1:
                checked += await self._build_shards(database_url, group, shards)
            else:
                checked += await self._build(group)
        rebuilt = []
        for projection, position, summary in checked:
            candidate = _Candidate(self.pool, self.store, self._builder([projection]), projection, position, self.batch)
            locked_seconds = await swap(self.pool, projection, candidate.finish, candidate.catch_up)
            rebuilt.append(
                Rebuilt(
                    projection.name,
                    projection.version,
                    candidate.reached,
                    position,
                    summary,
                    monotonic() - began,
                    locked_seconds,
                )
            )
        return rebuilt

    def _builder(self, projections: Sequence[Projection[Any]]) -> Builder:
        return Builder(self.pool, self.store, projections, self.began_at, skips=self.skips)

    async def _build_shards(self, database_url: str, wanted: Sequence[Prospect], shards: int) -> "list[_Checked]":
        """Build and check up to where the log ends now, in one process for each shard."""
        projections = [each.projection for each in wanted]
        names = [projection.name for projection in projections]
        until = await self.store.position()
        title = f"Building {_titled(projections)} in {shards} processes, events"
        with self.stage(title, until) as advance:
            task = ShardTask(names, self.began_at, shards, until, self.batch)
            built = await build_shards(database_url, task, _with_lag(advance, until), lambda: self._complete(wanted))
        if built.difference is not None:
            raise RebuiltWronglyError(built.difference)
        async with self.pool.connection() as connection:
            await connection.execute(_JOIN_SHARDS, 2 * (array(names, "text"),))
        return [_Checked(projection, until, built.summaries[projection.name]) for projection in projections]

    async def _build(self, wanted: Sequence[Prospect]) -> "list[_Checked]":
        """Build and check everything up to one position near the end of the log, which may move meanwhile."""
        projections = [each.projection for each in wanted]
        builder = self._builder(projections)
        with ExitStack() as stack:
            folds = [stack.enter_context(Fold(each, self.skips.get(each.name, ()))) for each in projections]
            position, until = 0, await self.store.position()
            with self.stage(f"Building {_titled(projections)}, events", until) as advance:
                while True:
                    await builder.build(position, until, self.batch, _with_lag(advance, until - position), folds)
                    position, until = until, await self.store.position()
                    if until - position <= _LEFT_MAX:
                        break
            with self.stage(f"Checking {_titled(projections)}", len(folds)) as advance:
                async with _beside(self._complete(wanted)):
                    return [await self._checked(fold, position, advance) for fold in folds]

    async def _complete(self, wanted: Sequence[Prospect]) -> None:
        """Give the tables, now that they are full, their indexes and statistics; the shape of a prepared one is its own."""
        async with self.pool.connection() as connection:
            for each in wanted:
                if not each.is_prepared:
                    async with connection.transaction():
                        await complete_twin(connection, each.projection.name, BUILDING)
                await connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(BUILDING, each.projection.name)))

    async def _checked(self, fold: Fold[Any], position: int, advance: Advance) -> "_Checked":
        async with self.pool.connection() as connection, connection.transaction():
            verified = await compared(connection, fold, BUILDING)
        if verified.difference is not None:
            raise RebuiltWronglyError(verified.difference.described())
        advance(1)
        return _Checked(fold.projection, position, verified.found)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The work goes on while the block runs, and is done when it ends."""
    task = asyncio.create_task(work)
    try:
        yield
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Checked(NamedTuple):
    """A table that was built up to a position, and is there what a fold that never saw PostgreSQL leads to."""

    projection: Projection[Any]
    position: int
    summary: Summary


def _with_lag(advance: Advance, left: int) -> Callable[[int], None]:
    """Tells also how many are left, of so many."""

    def told(events: int) -> None:
        nonlocal left
        left -= events
        advance(events, lag=left)

    return told


def _titled(projections: Sequence[Projection[Any]]) -> str:
    """What is worked on, in a few words: a bar has little room."""
    return projections[0].name if len(projections) == 1 else f"{len(projections)} read models"


class _Candidate:
    """A table that was built and checked, and goes on with the log until it is swapped in."""

    def __init__(  # noqa: PLR0917 - what the rebuild knows
        self,
        pool: Pool,
        store: PostgresEventStore,
        builder: Builder,
        projection: Projection[Any],
        position: int,
        batch: int,
    ) -> None:
        self.reached = position
        self._position = position
        self._pool = pool
        self._store = store
        self._builder = builder
        self._projection = projection
        self._batch = batch

    async def catch_up(self) -> None:
        """Come near the end of the log, holding nothing."""
        while await self._store.position() - self._position > _LEFT_MAX:
            await patiently(self._step)

    async def _step(self) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            await self._apply(connection, await self._store.read(self._position, self._batch))
        self._position = self.reached

    async def finish(self, connection: AsyncConnection[TupleRow], position: int) -> bool:
        """Apply what the live table has read beyond this one, in the transaction of this connection, if it is not much.

        That transaction may fail: what is done then is done again.
        """
        missing = position - self._position
        if missing > 2 * _LEFT_MAX:
            return False
        if missing > 0:
            await self._apply(connection, await self._store.read(self._position, missing))
        return True

    async def _apply(self, connection: AsyncConnection[TupleRow], batch: Batch) -> None:
        """Apply the batch, and see that the table has what the fold of it leads to."""
        span = Span(self._position, batch[-1].position, batch)
        changed = await self._builder.apply(connection, span)
        self.reached = span.until
        difference = await compared_rows(connection, self._projection, changed.get(self._projection.name, {}), BUILDING)
        if difference is not None:
            raise RebuiltWronglyError(difference.described())
