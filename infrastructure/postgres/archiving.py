"""Takes closed partitions of the log out of the database into files, and puts them back.

A partition goes only when its file has been read back and fits the hash chain, when every stream that has an event in it
has a snapshot in the database, when no order that began in it is open, and when every reader of the log is beyond it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from psycopg import AsyncConnection, Connection, connect, sql
from psycopg.rows import TupleRow

from domain.events import StreamId
from infrastructure.archives.files import EVENTS_AT_ONCE, ArchiveFile, leaf_of, open_file, write
from infrastructure.codec import RawEvent
from infrastructure.postgres.chain import GENESIS, link
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.snapshots import folded, save
from infrastructure.state_codec import shapes

Advance = Callable[[int], None]

_STREAMS_AT_ONCE = 500

_CLOSED = """
SELECT name, first_position, last_position, last.hash, last.recorded_at
FROM event_partitions JOIN events AS last ON last.position = last_position ORDER BY first_position
"""

_READERS_BEHIND = "SELECT name, position FROM checkpoints WHERE position < %s ORDER BY name"

_OPEN_ORDERS = "SELECT id FROM orders WHERE is_open AND created_position <= %s ORDER BY created_position"

_ROWS = """
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
FROM events WHERE position BETWEEN %s AND %s ORDER BY position
"""

_WITHOUT_SNAPSHOT = """
SELECT stream_id FROM {} AS event WHERE stream_id > %s
GROUP BY stream_id HAVING NOT EXISTS (
    SELECT FROM snapshots AS kept
    WHERE kept.stream_id = event.stream_id AND shape = ANY (%s) AND kept.version >= max(event.version)
)
ORDER BY stream_id LIMIT %s
"""

_SAY = """
INSERT INTO archives (first_position, last_position, previous_hash, last_hash, sha256)
VALUES (%s, %s, %s, %s, %s)
"""

_LAST_ARCHIVE = "SELECT last_position, last_hash FROM archives ORDER BY last_position DESC LIMIT 1"


class ArchivingError(Exception):
    """Nothing is archived or restored as things are; the message says why."""


class Closed(NamedTuple):
    """A partition that nothing is added to any more."""

    name: str
    first_position: int
    last_position: int
    last_hash: bytes
    ended_at: datetime


def closed_partitions(database_url: str) -> list[Closed]:
    """Those that are full, oldest first.

    Raises:
        psycopg.Error: the database cannot be reached.
    """
    with connect(conninfo(database_url), autocommit=True) as connection:
        return list(map(Closed._make, connection.execute(_CLOSED).fetchall()))


def older_than(partitions: Sequence[Closed], age: timedelta, now: datetime) -> list[Closed]:
    """Those whose last event is at least so old."""
    return [each for each in partitions if now - each.ended_at >= age]


def archive(
    database_url: str, partition: Closed, directory: Path, advanced: Advance, *, keep: bool = False
) -> ArchiveFile:
    """Write the oldest partition to a file, check that, and take the partition out of the database.

    Args:
        database_url: where the log is; for a role that owns it.
        partition: the oldest.
        directory: where the file is to be.
        advanced: told of every event that was written.
        keep: leave the table, detached, in the database.

    Raises:
        ArchivingError: something in the database still needs the partition; or the log is not what was recorded.
        ArchiveError: the file reads otherwise than it was written.
        psycopg.Error: the database cannot be reached, or others hold their locks for too long.
    """
    with connect(conninfo(database_url), autocommit=True) as connection:
        _check_that_nobody_needs(connection, partition)
        previous = _previous_hash(connection, partition)
        file = write(directory, previous, _written(_events(connection, partition), advanced))
        if (file.manifest.last_position, file.manifest.last_hash) != (
            partition.last_position,
            partition.last_hash.hex(),
        ):
            raise ArchivingError(f"The log is not what was recorded before position {partition.last_position}")
        asyncio.run(_keep_states(database_url, partition))
        _check_that_nobody_needs(connection, partition)
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '10s'")
            table = sql.Identifier(partition.name)
            connection.execute(sql.SQL("ALTER TABLE events DETACH PARTITION {}").format(table))
            manifest = file.manifest
            sums = previous, partition.last_hash, bytes.fromhex(manifest.sha256)
            connection.execute(_SAY, (manifest.first_position, manifest.last_position, *sums))
            if not keep:
                connection.execute(sql.SQL("DROP TABLE {}").format(table))
        return file


def restore(database_url: str, path: Path, advanced: Advance) -> ArchiveFile:
    """Put an archive back in front of the log.

    Raises:
        ArchiveError: it is no archive, or not as it was written.
        ArchivingError: it is not what comes before the first event in the database.
        psycopg.Error: the database cannot be reached, or the table is there: it was archived and kept.
    """
    file = open_file(path)
    file.check()
    manifest = file.manifest
    with connect(conninfo(database_url), autocommit=True) as connection, connection.transaction():
        _check_that_it_precedes(connection, manifest.last_position, bytes.fromhex(manifest.last_hash))
        table = sql.Identifier(f"events_from_{manifest.first_position}")
        like = "CREATE TABLE {} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
        connection.execute(sql.SQL(like).format(table))
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as rows:
            for batch in file.batches():
                for event in batch:
                    rows.write_row(event)
                advanced(len(batch))
        # The constraint saves ATTACH from looking at every row under its lock.
        first, end = sql.Literal(manifest.first_position), sql.Literal(manifest.last_position + 1)
        for statement in (
            "ALTER TABLE {table} ADD UNIQUE (stream_id, version)",
            "ALTER TABLE {table} ADD PRIMARY KEY (position)",
            "ALTER TABLE {table} ADD CONSTRAINT bound CHECK (position >= {first} AND position < {end})",
            "ALTER TABLE events ATTACH PARTITION {table} FOR VALUES FROM ({first}) TO ({end})",
            "ALTER TABLE {table} DROP CONSTRAINT bound",
        ):
            connection.execute(sql.SQL(statement).format(table=table, first=first, end=end))
        connection.execute("DELETE FROM archives WHERE last_position = %s", (manifest.last_position,))
    return file


def _check_that_nobody_needs(connection: Connection[TupleRow], partition: Closed) -> None:
    end = partition.last_position
    first = connection.execute("SELECT min(first_position) FROM event_partitions").fetchone()
    if first != (partition.first_position,):
        raise ArchivingError(f"Partitions go from the front, and {partition.name} is not the first")
    if behind := connection.execute(_READERS_BEHIND, (end,)).fetchall():
        readers = ", ".join(f"{name} (at {position})" for name, position in behind)
        raise ArchivingError(f"The events up to {end} have not been read yet by {readers}")
    if still_open := connection.execute(_OPEN_ORDERS, (end,)).fetchall():
        raise ArchivingError(
            f"{len(still_open)} orders that were placed before position {end} are still open, the oldest is {still_open[0][0]}"
        )


def _previous_hash(connection: Connection[TupleRow], partition: Closed) -> bytes:
    if partition.first_position == 1:
        return GENESIS
    before = connection.execute(_LAST_ARCHIVE).fetchone()
    if before is None or before[0] != partition.first_position - 1:
        raise ArchivingError(f"Nobody knows the hash of the event before position {partition.first_position}")
    return bytes(before[1])


def _events(connection: Connection[TupleRow], partition: Closed) -> Iterator[Sequence[RawEvent]]:
    for first in range(partition.first_position, partition.last_position + 1, EVENTS_AT_ONCE):
        last = min(first + EVENTS_AT_ONCE - 1, partition.last_position)
        rows = connection.cursor(binary=True).execute(_ROWS, (first, last)).fetchall()
        yield list(map(RawEvent._make, rows))


def _written(batches: Iterator[Sequence[RawEvent]], advanced: Advance) -> Iterator[Sequence[RawEvent]]:
    for batch in batches:
        yield batch
        advanced(len(batch))


async def _keep_states(database_url: str, partition: Closed) -> None:
    """See to it that each stream with an event in the partition has a snapshot that is at least as new."""
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        statement = sql.SQL(_WITHOUT_SNAPSHOT).format(sql.Identifier(partition.name))
        last = ""
        while True:
            found = await connection.execute(statement, (last, shapes(), _STREAMS_AT_ONCE))
            streams = [StreamId(stream_id) for (stream_id,) in await found.fetchall()]
            if not streams:
                return
            await save(connection, {stream_id: await folded(connection, stream_id) for stream_id in streams})
            last = streams[-1]


def _check_that_it_precedes(connection: Connection[TupleRow], last_position: int, last_hash: bytes) -> None:
    first_position = last_position + 1
    rows = connection.cursor(binary=True).execute(_ROWS, (first_position, first_position)).fetchall()
    bound = connection.execute("SELECT min(first_position) FROM event_partitions").fetchone()
    if not rows or bound != (first_position,):
        raise ArchivingError(
            f"The log in the database does not begin at position {first_position}, where this archive ends"
        )
    event = RawEvent._make(rows[0])
    if link(last_hash, leaf_of(event)) != event.hash:
        raise ArchivingError(
            f"The event at position {first_position} does not follow this archive: it is of another log"
        )
