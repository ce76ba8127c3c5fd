"""Read tables of their own, built from the log in a schema beside the live ones.

What the builder knows is in the schema too: its table ``progress`` says how far each shard of each table has read the
log, and is written in the transaction that writes the rows. So whoever builds may be killed at any time, and goes on.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from application.ports import EventStore, StoreUnavailableError
from domain.events import TOPICS, RecordedEvent
from infrastructure.folds import Changed, Fold
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.past import past_of
from infrastructure.postgres.patience import Pool, patiently
from infrastructure.postgres.rows import Table, array
from infrastructure.postgres.shards import WHOLE, Shard
from infrastructure.postgres.skips import Skips, unskipped
from infrastructure.postgres.twins import create_twin
from infrastructure.reading_ahead import reading_ahead
from projections.projection import NO_PAST, Batch, Key, Past, Projection

BUILDING: Final = "building"
"""The schema of rebuilds. Any other, with a table ``progress`` like its own, can be built in as well."""

# As in the projector: rows and progress are lost together when the server crashes, and what was lost is built again.
_SETTINGS = """
SELECT set_config('synchronous_commit', 'off', true), set_config('idle_in_transaction_session_timeout', '60s', true)
"""

_LOCK = """
SELECT name, position FROM {progress}
WHERE name = ANY (%s::text[]) AND shard = %s AND shards = %s AND began_at = %s ORDER BY name FOR UPDATE
"""

_MOVE = """
UPDATE {progress} SET position = moved.position, updated_at = clock_timestamp()
FROM unnest(%s::text[], %s::bigint[]) AS moved (name, position) WHERE progress.name = moved.name AND shard = %s
"""


class BuildError(Exception):
    """The tables cannot be built; the message says why."""


class Span(NamedTuple):
    """The events, of those that are wanted, with positions above ``after`` and up to ``until``."""

    after: int
    until: int
    events: Batch


class Builder:
    """Builds one shard of read tables that are there already, with their progress.

    It holds three batches of events and the rows that they change, whatever the length of the log; and the stream of a row
    that is folded anew. The rows that a batch goes on with come from folds, if it is given some, else from the tables.

    Args:
        pool: one of its connections is used at a time.
        store: the log.
        projections: what to build.
        began_at: of the progress: whoever began anew meanwhile is not interfered with.
        skips: what the projections do not apply.
        schema: where the tables are.
        shard: which rows.
    """

    def __init__(
        self,
        pool: Pool,
        store: PostgresEventStore,
        projections: Sequence[Projection[Any]],
        began_at: datetime,
        *,
        skips: Skips,
        schema: str = BUILDING,
        shard: Shard = WHOLE,
    ) -> None:
        self._pool = pool
        self._store = store
        self._projections = projections
        self._began_at = began_at
        self._skips = skips
        self._shard = shard
        self._topics = [topic for topic, event in TOPICS.items() if any(event in each.events for each in projections)]
        self._tables = {projection.name: Table(projection, schema) for projection in projections}
        progress = sql.Identifier(schema, "progress")
        self._lock = sql.SQL(_LOCK).format(progress=progress).as_bytes()
        self._move = sql.SQL(_MOVE).format(progress=progress).as_bytes()

    async def build(
        self, after: int, until: int, size: int, built: Callable[[int], None], folds: Sequence[Fold[Any]] = ()
    ) -> None:
        """Apply the events with positions above ``after`` and up to ``until``, ``size`` positions in a transaction.

        Each projection passes over what it has applied before. ``built`` is told after each batch how many positions it
        had. ``folds`` are those of all projections, as the events up to ``after`` left them.

        Raises:
            BuildError: somebody else began to build anew, or an event cannot be applied.
            StoreUnavailableError: the log cannot be read.
            EventsArchivedError: it is not all in the database.
        """
        await self._store.see_that_all_is_here(after)
        writing: asyncio.Task[None] | None = None
        try:
            async with aclosing(self._spans(after, until, size)) as log:
                async for span in log:
                    rows = {fold.projection.name: await _folded(fold, span.events, self._store) for fold in folds}
                    if writing:
                        await writing
                    writing = asyncio.create_task(self._written(span, rows, built))
                    await asyncio.sleep(0)  # the server writes while the next batch is folded
            if writing:
                await writing
        finally:
            if writing:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    def _spans(self, after: int, until: int, size: int) -> AsyncGenerator[Span]:
        """What there is to apply; one batch is read while another is worked on."""

        async def read(before: Span | None) -> Span | None:
            begin = before.until if before else after
            if begin >= until:
                return None
            end = min(begin + size, until)
            return Span(begin, end, await self._store.of_types(begin, end, self._topics, self._shard))

        return reading_ahead(read)

    async def _written(self, span: Span, rows: Mapping[str, Changed[Any]], built: Callable[[int], None]) -> None:
        await patiently(partial(self._apply, span, rows))
        built(span.until - span.after)

    async def _apply(self, span: Span, rows: Mapping[str, Changed[Any]]) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            await self.apply(connection, span, rows)

    async def apply(
        self, connection: AsyncConnection[TupleRow], span: Span, rows: Mapping[str, Changed[Any]] | None = None
    ) -> dict[str, Mapping[Key, Any]]:
        """Apply the events in the transaction of this connection; the rows that they changed, by projection.

        ``rows`` are those where somebody has folded the events already.
        """
        names = [projection.name for projection in self._projections]
        await connection.execute(_SETTINGS)
        mine = array(names, "text"), self._shard.number, self._shard.of, self._began_at
        positions: dict[str, int] = dict(await (await connection.execute(self._lock, mine)).fetchall())
        if len(positions) < len(names):
            raise BuildError("somebody else has begun to build anew")
        changed = {}
        for projection in self._projections:
            position = positions[projection.name]
            if span.after > position:
                raise BuildError(f"{projection.name} was built up to {position}, and the log begins after that")
            if span.until > position:
                new = [recorded for recorded in span.events if recorded.position > position]
                told = (rows or {}).get(projection.name)
                if told is None:
                    told = Changed(await self._fold(connection, projection, new), {})
                # What was written before the rebuild was interrupted is in the table, whatever the batches were then.
                await self._write(connection, projection.name, told.rows, told.new if span.after == position else {})
                changed[projection.name] = told.rows
                positions[projection.name] = span.until
        moved = array(positions, "text"), array(positions.values(), "bigint"), self._shard.number
        await connection.execute(self._move, moved)
        return changed

    async def _write(
        self, connection: AsyncConnection[TupleRow], name: str, rows: Mapping[Key, Any], new: Mapping[Key, bytes]
    ) -> None:
        table = self._tables[name]
        lines, rest = table.lines(rows, new)
        if lines:
            async with connection.cursor().copy(table.copy) as copy:
                await copy.write(lines)
        if rest:
            await connection.execute(*table.save(rest))

    async def _fold(
        self, connection: AsyncConnection[TupleRow], projection: Projection[Any], batch: Batch
    ) -> Mapping[Key, Any]:
        table = self._tables[projection.name]
        mine = [
            recorded
            for recorded in unskipped(projection, batch, self._skips)
            if type(recorded.event) in projection.events
        ]
        rows: dict[Key, Any] = {}
        if keys := projection.keys(mine):
            cursor = await connection.cursor(binary=True).execute(*table.load(keys))
            rows = table.loaded(await cursor.fetchall())
        return folded(projection, rows, mine, await past_of(connection, projection, mine, self._skips))


async def _folded(fold: Fold[Any], batch: Batch, store: EventStore) -> Changed[Any]:
    """The rows that the batch changes.

    Raises:
        BuildError: an event cannot be applied; the message names it.
    """
    try:
        return await fold.apply(batch, store)
    except StoreUnavailableError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it is looked for below
        for recorded in batch:
            try:
                await fold.apply([recorded], store)
            except Exception as error:
                raise _unfit(fold.projection, recorded, error) from error
    raise AssertionError("what a batch cannot do, none of its events could do alone")  # pragma: no cover


def _unfit(projection: Projection[Any], recorded: RecordedEvent, error: Exception) -> BuildError:
    at = f"{type(recorded.event).__name__} at position {recorded.position}"
    return BuildError(f"{projection.name} cannot apply {at}: {error}")


def folded(projection: Projection[Any], rows: Mapping[Key, Any], batch: Batch, past: Past = NO_PAST) -> dict[Key, Any]:
    """The rows that the batch changes; see ``Projection.fold``.

    Raises:
        BuildError: an event cannot be applied; the message names it.
    """
    try:
        return projection.fold(rows, batch, past)
    except Exception:  # noqa: BLE001 - whatever it is, it is looked for below
        known = dict(rows)
    for recorded in batch:
        try:
            known |= projection.fold(known, [recorded], past)
        except Exception as error:
            raise _unfit(projection, recorded, error) from error
    raise AssertionError("what a batch cannot do, none of its events could do alone")  # pragma: no cover


def batches(store: EventStore, after: int, until: int, size: int) -> AsyncGenerator[Batch]:
    """The events with positions above ``after`` and up to ``until``; one batch is read while another is worked on.

    Raises:
        StoreUnavailableError: the log cannot be read.
    """

    async def read(before: Batch | None) -> Batch:
        begin = before[-1].position if before else after
        return await store.read(begin, min(size, until - begin)) if begin < until else ()

    return reading_ahead(read)


# ── Beginning ────────────────────────────────────────────────────────────────────────────────────────────────────────

_BEGIN = """
INSERT INTO {progress} (name, shard, shards, version, position, is_prepared, began_at)
SELECT %(name)s, shard, %(shards)s, %(version)s, 0, %(is_prepared)s, now() FROM generate_series(0, %(shards)s - 1) AS shard
"""


async def begin(
    connection: AsyncConnection[TupleRow],
    projection: Projection[Any],
    schema: str = BUILDING,
    shards: int = 1,
    *,
    to_be_filled: bool = False,
) -> None:
    """Create the projection's table in the schema, empty and like the live one, with its progress.

    One that is ``to_be_filled`` lacks what takes less time to make when it is full: see ``complete_twin``.
    """
    await create_twin(connection, projection.name, schema, to_be_filled=to_be_filled)
    await record_begin(connection, projection, schema, shards, is_prepared=False)


async def record_begin(
    connection: AsyncConnection[TupleRow], projection: Projection[Any], schema: str, shards: int, *, is_prepared: bool
) -> None:
    """Note that building begins at the beginning of the log."""
    statement = sql.SQL(_BEGIN).format(progress=sql.Identifier(schema, "progress"))
    parameters = {
        "name": projection.name,
        "shards": shards,
        "version": projection.version,
        "is_prepared": is_prepared,
    }
    await connection.execute(statement, parameters)
