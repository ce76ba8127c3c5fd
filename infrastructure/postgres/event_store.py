"""The event store on PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Self, TypeVar, Unpack

from psycopg import AsyncConnection, Connection, Error
from psycopg.rows import RowFactory, TupleRow, args_row, tuple_row

from application.ports import (
    NOW,
    Appended,
    AsOf,
    History,
    Key,
    KeyUse,
    Loaded,
    OutcomeUnknownError,
    StoreUnavailableError,
    Transaction,
    UnreadableEventError,
)
from domain.events import RecordedEvent, StreamId
from domain.values import Symbol, TraderId
from infrastructure.batch import Write, answer, encode, judge
from infrastructure.codec import Codec, RawEvent
from infrastructure.exports import Line
from infrastructure.postgres import arrays
from infrastructure.postgres.appending import VERSIONS, append, key_columns
from infrastructure.postgres.archived import HERE_FROM, see_that_positions_are_here, see_that_streams_are_here
from infrastructure.postgres.connecting import PLANNED_ONCE, UNAVAILABLE, Session, answered_within
from infrastructure.postgres.connections import Connections
from infrastructure.postgres.filters import AT_TIME, LINES, RAW, Filters, asked
from infrastructure.postgres.outage import UNWATCHED, DatabaseAwayError, Outage
from infrastructure.postgres.partitions import CurrentPartition
from infrastructure.postgres.patience import patiently
from infrastructure.postgres.shards import SHARD, WHOLE, Shard
from infrastructure.postgres.snapshots import KEPT, read_snapshots
from infrastructure.state_codec import shape_of

T = TypeVar("T")

_POSITION = "SELECT position FROM log_head"

_READ = """
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
FROM events WHERE position > %s ORDER BY position LIMIT %s
"""

_OF_TYPES = f"""
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
FROM events WHERE position > %(after)s AND position <= %(until)s AND type = ANY (%(types)s::text[])
  AND (%(of)s::bigint = 1 OR {SHARD.format(stream="stream_id")} )
ORDER BY position
"""  # noqa: S608 - of constants

_STREAMS = """
SELECT found.position, stream_id, found.version, type, data, metadata, recorded_at, hash
FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS wanted (id, after, shape)
CROSS JOIN LATERAL (
    SELECT coalesce(max(version), 0) AS version, coalesce(max(position), 0) AS position
    FROM snapshots WHERE stream_id = wanted.id AND shape = wanted.shape
) AS known
CROSS JOIN LATERAL (
    SELECT * FROM events
    WHERE stream_id = wanted.id AND version > greatest(wanted.after, known.version) AND position > known.position
    ORDER BY version OFFSET 0
) AS found
"""

_KEYS = """
SELECT trader_id, kind, value, fingerprint, stream_id, version
FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (trader_id, kind, value)
JOIN keys USING (trader_id, kind, value)
"""

_HISTORY = f"""
SELECT at.end_position, found.*
FROM (
    SELECT least(%(position)s::bigint, head.position, CASE WHEN %(time)s::timestamptz IS NOT NULL THEN {AT_TIME} END)
        AS end_position
    FROM log_head AS head
) AS at
LEFT JOIN LATERAL (
    SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
    FROM events
    WHERE stream_id = ANY (%(streams)s::text[]) AND position <= at.end_position
      AND (%(version)s::bigint IS NULL OR version <= %(version)s)
) AS found ON true
ORDER BY found.position
"""  # noqa: S608 - of constants

_PART = """
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
FROM events WHERE stream_id = %s AND version > %s AND type = ANY (%s::text[]) ORDER BY version LIMIT %s
"""

_PLACED = """
SELECT stream_id, position FROM events
WHERE metadata::jsonb ->> 'trader_id' = %(trader_id)s AND position < %(before)s AND type = 'OrderPlaced'
  AND (%(symbol)s::text IS NULL OR data::jsonb ->> 'symbol' = %(symbol)s)
ORDER BY position DESC LIMIT %(limit)s
"""


class PostgresEventStore:
    """The log in PostgreSQL: one thread appends, a few connections read, one more reads much. Use as an async context manager.

    When the database is away, appends and reads go on trying for a while before they raise; when it is back, they work.

    Args:
        url: of the database, migrated.
        patience_seconds: how long to go on trying.
        codec: between events and what is stored of them.
        answer_seconds: after this long without an answer the connection is given up, whatever TCP makes of it.
        outage: told when the database is away. Only ``read`` goes on trying then, everything else raises at once.
        pooled: the URL leads through a pooler that gives each transaction another connection.
    """

    def __init__(
        self,
        url: str,
        patience_seconds: float = 10.0,
        codec: Codec | None = None,
        *,
        answer_seconds: float = 30.0,
        outage: Outage = UNWATCHED,
        pooled: bool = False,
    ) -> None:
        self._codec = codec or Codec()
        self._patience_seconds = patience_seconds
        self._answer_seconds = answer_seconds
        self._outage = outage
        self._session = Session(url, patience_seconds, PLANNED_ONCE, pooled=pooled)
        self._bulk = Session(url, patience_seconds, pooled=pooled)
        self._current = CurrentPartition()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="event-writer")
        self._connections = Connections(url, PLANNED_ONCE, pooled=pooled)
        self._planning = Connections(url, pooled=pooled)

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finish what is being appended, and disconnect."""
        await asyncio.to_thread(self._thread.shutdown)
        self._session.close()
        self._bulk.close()
        await self._connections.close()
        await self._planning.close()

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        """Record, in one commit, every transaction whose reads hold and whose keys are free; see the port.

        Raises:
            StoreUnavailableError: the store cannot be reached; nothing was recorded.
            OutcomeUnknownError: its answer was lost, and cannot be looked up in time.
            UnwritableEventError: an event is not what its class says; nothing was recorded.
            ValueError: an event's version does not follow its transaction's reads; nothing was recorded.
        """
        if not any(transaction.events for transaction in transactions):
            return await self._check(transactions, known_position)
        loop = asyncio.get_running_loop()
        watch = loop.call_later(self._answer_seconds, self._session.interrupt)
        try:
            self._outage.refuse()
            return await loop.run_in_executor(self._thread, self._append, transactions, known_position)
        except UNAVAILABLE as error:
            self._note(error)
            raise StoreUnavailableError(str(error)) from error
        except OutcomeUnknownError as error:
            self._outage.begin(error)
            raise
        finally:
            watch.cancel()

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        """The events of each stream after the given version, and the keys in use, as of one moment; see the port.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: an event is not one that this program knows.
            EventsArchivedError: some of the events are archived, and no snapshot of this program's shape stands for them.
        """
        shapes = [shape_of(stream) if from_snapshots else "" for stream in streams]
        wanted = arrays.texts(streams), arrays.integers(list(streams.values())), arrays.texts(shapes)

        async def query(
            connection: AsyncConnection[TupleRow],
        ) -> tuple[Any, list[TupleRow], list[TupleRow], list[TupleRow]]:
            async with connection.pipeline():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                end = await connection.execute(_POSITION)
                kept = await connection.cursor(binary=True).execute(KEPT, wanted)
                events = await connection.cursor(binary=True).execute(_STREAMS, wanted)
                uses = await connection.execute(_KEYS, key_columns(keys))
                await connection.execute("COMMIT")
            return await end.fetchone(), await kept.fetchall(), await events.fetchall(), await uses.fetchall()

        (position,), kept, rows, uses = await self._ask(query)
        found: dict[StreamId, list[RecordedEvent]] = {stream: [] for stream in streams}
        for event in self._codec.recorded_events(rows):
            found[event.stream_id].append(event)
        snapshots = read_snapshots(kept)
        see_that_streams_are_here(streams, found, snapshots, kept)
        return Loaded(position, found, {Key(*use[:3]): KeyUse(*use[3:]) for use in uses}, snapshots)

    async def history(self, streams: Sequence[StreamId], as_of: AsOf = NOW, version: int | None = None) -> History:
        """The events of the streams up to a moment, and up to a version if one is given; see the port.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: an event is not one that this program knows.
            EventsArchivedError: the beginning of a stream is archived.
        """
        parameters = {
            "streams": arrays.texts(streams),
            "version": version,
            "time": as_of.time,
            "position": as_of.position,
        }
        rows = await self._rows(_HISTORY, parameters)
        begun = {row[2] for row in rows if row[3] == 1}
        for stream_id in streams:
            if stream_id not in begun:
                await self.see_that_all_is_here(0, stream_id)
        found = [row[1:] for row in rows if row[1] is not None]
        return History(rows[0][0], list(self._codec.recorded_events(found)))

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """At most ``limit`` events with a position above ``after``, in position order, without gaps; see the port.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: the first of them is not one that this program knows.
            EventsArchivedError: the first of them are archived.
        """
        rows = await self._rows(_READ, (after, limit), tries_on=True)
        if rows:
            see_that_positions_are_here(after + 1, rows[0][0])
        events: list[RecordedEvent] = []
        try:
            for event in self._codec.recorded_events(rows):
                events.append(event)  # noqa: PERF402 - those before one that is not known count
        except UnreadableEventError:
            if not events:
                raise
        return events

    async def of_types(
        self, after: int, until: int, types: Collection[str], shard: Shard = WHOLE
    ) -> Sequence[RecordedEvent]:
        """The events of these types, in the streams of this shard, above one position and up to another, in order.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: one of them is not one that this program knows.
        """
        parameters = {"after": after, "until": until, "types": arrays.texts(types), **shard._asdict()}
        return list(self._codec.recorded_events(await self._many(_OF_TYPES, parameters, tuple_row)))

    async def raw(self, after: int, limit: int, **filters: Unpack[Filters]) -> Sequence[RawEvent]:
        """At most ``limit`` events with a position above ``after`` that pass every filter, exactly as stored.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            EventsArchivedError: events behind ``after`` are archived, and some of them might be among these.
        """
        await self.see_that_all_is_here(after, filters.get("stream_id"), filters.get("since"))
        # Not prepared: the plan depends on which filters are given.
        return list(map(raw_event, await self._rows(RAW, asked(after, limit, filters), prepare=False)))

    async def lines(self, after: int, limit: int, **filters: Unpack[Filters]) -> Sequence[Line]:
        """The same events as files have them: ``line_of`` of each, made by PostgreSQL, which is quicker at it.

        Raises:
            StoreUnavailableError, EventsArchivedError: see ``raw``.
        """
        await self.see_that_all_is_here(after, filters.get("stream_id"), filters.get("since"))
        return await self._many(LINES, asked(after, limit, filters), args_row(Line))

    async def part(
        self, stream_id: StreamId, after_version: int, limit: int, types: Sequence[str]
    ) -> Sequence[RecordedEvent]:
        """At most ``limit`` events of these types after a version of the stream, in order.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: an event is not one that this program knows.
        """
        rows = await self._rows(_PART, (stream_id, after_version, arrays.texts(types), limit))
        return list(self._codec.recorded_events(rows))

    async def placed(
        self, trader_id: TraderId, before: int, limit: int, symbol: Symbol | None = None
    ) -> Sequence[tuple[StreamId, int]]:
        """The trader's orders that were placed below a position, newest first: their streams, and where they begin.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            EventsArchivedError: there may be older ones among what is archived.
        """
        parameters = {"trader_id": trader_id, "before": before, "symbol": symbol, "limit": limit}
        rows = await self._rows(_PLACED, parameters)
        if len(rows) < limit:
            await self.see_that_all_is_here(0)
        return [(StreamId(stream), position) for stream, position in rows]

    async def see_that_all_is_here(
        self, after: int, stream_id: StreamId | None = None, since: datetime | None = None
    ) -> None:
        """Do nothing, unless events above a position are archived: of any stream, or of this one, or since a time.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            EventsArchivedError: they are.
        """
        ((here_from,),) = await self._rows(HERE_FROM, {"stream_id": stream_id, "since": since})
        see_that_positions_are_here(after + 1, here_from)

    async def position(self) -> int:
        """The end of the log: the highest position, 0 when it is empty.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        ((position,),) = await self._rows(_POSITION, ())
        return int(position)

    def _append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        writes = [encode(transaction, self._codec) for transaction in transactions]
        holding, batch = append(self._session, self._current, writes, known_position)
        return answer(transactions, holding, batch)

    async def _check(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        """Whether the reads hold: nothing is to be recorded, so nothing needs to be locked."""
        streams = {stream for transaction in transactions for stream in transaction.reads}

        async def query(connection: AsyncConnection[TupleRow]) -> tuple[Any, list[TupleRow]]:
            async with connection.pipeline():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                end = await connection.execute(_POSITION)
                versions = await connection.execute(VERSIONS, (arrays.texts(streams),))
                await connection.execute("COMMIT")
            return await end.fetchone(), await versions.fetchall()

        (position,), versions = await self._ask(query)
        known: dict[StreamId, int] = {} if position == known_position else dict(versions)
        holding = judge([Write(transaction.reads) for transaction in transactions], known, ())
        return Appended(position, [() if holds else None for holds in holding])

    async def _rows(
        self,
        statement: str,
        parameters: Any,  # noqa: ANN401 - as psycopg has it
        *,
        tries_on: bool = False,
        prepare: bool = True,
    ) -> list[TupleRow]:
        async def query(connection: AsyncConnection[TupleRow]) -> list[TupleRow]:
            cursor = await connection.cursor(binary=True).execute(statement, parameters, prepare=prepare)
            return await cursor.fetchall()

        return await self._ask(query, tries_on=tries_on, among=self._connections if prepare else self._planning)

    async def _many(self, statement: str, parameters: Mapping[str, Any], row_factory: RowFactory[T]) -> list[T]:
        """Rows by the thousand: a thread waits for them in less time than the event loop takes for every 16 KiB."""

        def query(connection: Connection[TupleRow]) -> list[T]:
            cursor = connection.cursor(binary=True, row_factory=row_factory)
            return cursor.execute(statement, parameters, prepare=False).fetchall()

        watch = asyncio.get_running_loop().call_later(self._answer_seconds, self._bulk.interrupt)
        try:
            return await asyncio.to_thread(self._bulk.run, query)
        except UNAVAILABLE as error:
            raise StoreUnavailableError(str(error)) from error
        finally:
            watch.cancel()

    async def _ask(
        self,
        query: Callable[[AsyncConnection[TupleRow]], Awaitable[T]],
        *,
        tries_on: bool = False,
        among: Connections | None = None,
    ) -> T:
        """The answer to a query that changes nothing; during an outage only one that ``tries_on`` is asked, and once."""

        async def attempt() -> T:
            if not tries_on:
                self._outage.refuse()
            async with (among or self._connections).connection() as connection:
                with answered_within(connection, self._answer_seconds):
                    return await query(connection)

        try:
            found = await patiently(attempt, 0.0 if self._outage.is_on else self._patience_seconds)
        except UNAVAILABLE as error:
            self._note(error)
            raise StoreUnavailableError(str(error)) from error
        if tries_on:
            self._outage.end()
        return found

    def _note(self, error: Error) -> None:
        """Begin an outage, unless the server itself says what is wrong: then it is there."""
        if not isinstance(error, DatabaseAwayError) and error.diag.severity_nonlocalized != "ERROR":
            self._outage.begin(error)


def raw_event(row: TupleRow) -> RawEvent:
    """An event from its columns, in the order in which every statement here names them."""
    position, stream_id, version, topic, data, metadata, recorded_at, hash_ = row
    return RawEvent(position, stream_id, version, topic, data, metadata, recorded_at.astimezone(UTC), hash_)
