"""The stored log as it is, for whoever examines it: nothing is taken for granted, not even that its columns are filled."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.archives.files import Archive
from infrastructure.audit.checkpoint import Checkpoint, LogState
from infrastructure.audit.examination import Examination, HeadRow, LogDifference, LogRow
from infrastructure.audit.stream_versions import StreamVersions
from infrastructure.postgres.archived import archived_until, see_that_positions_are_here
from infrastructure.postgres.chain import timestamp
from infrastructure.postgres.connecting import conninfo

_ROWS_AT_ONCE = 5_000

# One statement, so that it is of one moment. An index makes each of its parts quick.
_EDGES = """
SELECT (SELECT min(position) FROM events), (SELECT max(position) FROM events),
       EXISTS (SELECT FROM events WHERE position IS NULL),
       (SELECT coalesce(jsonb_agg(jsonb_build_array(position, encode(hash, 'hex'), to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))), '[]') FROM log_head)
"""

# By ranges of positions and not by "the next ones": then a position that is there twice cannot hide between two pages.
# Every range is a transaction of its own, because a long one would keep the server from clearing away old rows.
_ROWS = """
SELECT position::bigint, stream_id::text, version::bigint, type::text, data::text, metadata::text,
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), hash::bytea
FROM events WHERE position BETWEEN %s AND %s ORDER BY position LIMIT %s
"""

_ROWS_OF_STREAM = """
SELECT position::bigint, stream_id::text, version::bigint, type::text, data::text, metadata::text,
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), hash::bytea
FROM events WHERE stream_id = %s AND position <= %s ORDER BY position
"""


class Edges(NamedTuple):
    """Where the log begins and ends by its events, and where it ends by ``log_head``."""

    first: int
    last: int
    heads: Sequence[HeadRow]
    has_unplaced: bool


class Examined(NamedTuple):
    """A log that was examined up to its end or its first difference: what it is up to there, and the difference."""

    state: LogState
    difference: LogDifference | None


def edges(connection: Connection[TupleRow]) -> Edges:
    """Where the log begins and ends at this moment; from 1 to 0 when it is empty."""
    ((first, last, has_unplaced, heads),) = connection.execute(_EDGES).fetchall()
    read = [HeadRow(position or 0, bytes.fromhex(hash_ or ""), at) for position, hash_, at in heads]
    return Edges(1 if first is None else first, last or 0, read, has_unplaced)


def rows(connection: Connection[TupleRow], first: int, last: int) -> Iterator[tuple[Sequence[LogRow], int]]:
    """The events at these positions in order, some at a time, each time with the last position they should reach."""
    for start in range(first, last + 1, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE - 1, last)
        cursor = connection.cursor(binary=True).execute(_ROWS, (start, stop, _ROWS_AT_ONCE + 1))
        yield list(map(LogRow._make, cursor.fetchall())), stop


def rows_of_stream(connection: Connection[TupleRow], stream_id: str, last: int) -> Sequence[LogRow]:
    """The events of the stream up to a position, in order."""
    cursor = connection.cursor(binary=True).execute(_ROWS_OF_STREAM, (stream_id, last))
    return list(map(LogRow._make, cursor.fetchall()))


def examine(
    database_url: str,
    checkpoints: Sequence[Checkpoint] = (),
    archive: Archive | None = None,
    *,
    begun: Callable[[int], Callable[[int], None]] = lambda _events: lambda _steps: None,
) -> Examined:
    """Examine the log as it is now, beside whoever writes to it.

    Args:
        database_url: where the log is.
        checkpoints: of this log, whose signatures have been checked.
        archive: the beginning of the log, where it is not in the database any more.
        begun: told how many events there are; what it returns is told, from time to time, how many more were examined.

    Raises:
        EventsArchivedError: the beginning of the log is archived, and there is no ``archive`` of it.
        ArchiveError: the archive cannot be read.
        psycopg.Error: the log cannot be read.
    """
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        return examine_through(connection, checkpoints, begun, archive)


def examine_through(
    connection: Connection[TupleRow],
    checkpoints: Sequence[Checkpoint],
    begun: Callable[[int], Callable[[int], None]],
    archive: Archive | None = None,
) -> Examined:
    """The same, through a connection in autocommit."""
    if archive is None:
        see_that_positions_are_here(1, archived_until(connection) + 1)
    with StreamVersions() as versions:
        log = edges(connection)
        examination = Examination(versions, checkpoints)
        difference = _outside(log)
        if difference is None:
            difference = _inside(_stored(connection, log, archive), log, examination, begun(log.last))
        return Examined(examination.state, difference)


def _outside(log: Edges) -> LogDifference | None:
    if log.has_unplaced:
        return LogDifference(0, 0, "there is an event without a position")
    if log.first < 1:
        return LogDifference(log.first, log.first, "there is an event before the first")
    return None


def _stored(
    connection: Connection[TupleRow], log: Edges, archive: Archive | None
) -> Iterator[tuple[Sequence[LogRow], int]]:
    if archive is None:
        yield from rows(connection, 1, log.last)
        return
    for batch in archive.batches():
        yield [LogRow(*raw[:6], timestamp(raw.recorded_at).decode(), raw.hash) for raw in batch], batch[-1].position
    yield from rows(connection, archive.last_position + 1, log.last)


def _inside(
    stored: Iterator[tuple[Sequence[LogRow], int]],
    log: Edges,
    examination: Examination,
    advanced: Callable[[int], None],
) -> LogDifference | None:
    for batch, last in stored:
        difference = examination.add(batch, last)
        if difference is not None:
            return difference
        advanced(len(batch))
    return examination.finish(log.heads)
