"""The stored log as it is, for whoever examines it: nothing is taken for granted, not even that its columns are filled."""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.archives.files import Archive, leaf_of
from infrastructure.audit.checkpoint import Checkpoint, LogState
from infrastructure.audit.examination import Examination, HeadRow, LogDifference, LogLeaf, LogRow
from infrastructure.audit.stream_versions import StreamVersions
from infrastructure.codec import RawEvent
from infrastructure.postgres.archived import archived_until, see_that_positions_are_here
from infrastructure.postgres.chain import timestamp
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.log_leaves import leaves
from infrastructure.postgres.log_parts import PartsTask, parts

PART = 8_192
"""So many events, a power of two, another process looks at as one part."""
_PARTS_MIN = 4
_PROCESSES_MAX = 8

# One statement, so that it is of one moment. An index makes each of its parts quick.
_EDGES = """
SELECT (SELECT min(position) FROM events), (SELECT max(position) FROM events),
       EXISTS (SELECT FROM events WHERE position IS NULL),
       (SELECT coalesce(jsonb_agg(jsonb_build_array(position, encode(hash, 'hex'), to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))), '[]') FROM log_head)
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
        return examine_through(connection, checkpoints, begun, archive, database_url)


def examine_through(
    connection: Connection[TupleRow],
    checkpoints: Sequence[Checkpoint],
    begun: Callable[[int], Callable[[int], None]],
    archive: Archive | None = None,
    database_url: str | None = None,
) -> Examined:
    """The same, through a connection in autocommit; with a ``database_url`` other processes may help."""
    if archive is None:
        see_that_positions_are_here(1, archived_until(connection) + 1)
    with StreamVersions() as versions:
        log = edges(connection)
        examination = Examination(versions, checkpoints)
        difference = _outside(log)
        if difference is None:
            difference = _inside(connection, log, archive, examination, begun(log.last), database_url)
        return Examined(examination.state, difference)


def _outside(log: Edges) -> LogDifference | None:
    if log.has_unplaced:
        return LogDifference(0, 0, "there is an event without a position")
    if log.first < 1:
        return LogDifference(log.first, log.first, "there is an event before the first")
    return None


def _inside(  # noqa: PLR0917 - what an examination is made of
    connection: Connection[TupleRow],
    log: Edges,
    archive: Archive | None,
    examination: Examination,
    advanced: Callable[[int], None],
    database_url: str | None,
) -> LogDifference | None:
    archived = 0 if archive is None else archive.last_position
    # Parts are whole subtrees, so they begin where such a one can.
    begin = (archived // PART + bool(archived % PART)) * PART
    end = max(log.last // PART * PART, begin)
    if database_url is None or end - begin < _PARTS_MIN * PART:
        begin = end = log.last
    steps = chain(
        _archived(archive, examination, advanced),
        _one_by_one(connection, archived + 1, min(begin, log.last), examination, advanced),
        _in_parts(connection, begin + 1, end, examination, advanced, str(database_url)),
        _one_by_one(connection, end + 1, log.last, examination, advanced),
    )
    return next((difference for difference in steps if difference is not None), None) or examination.finish(log.heads)


_Steps = Iterator[LogDifference | None]


def _archived(archive: Archive | None, examination: Examination, advanced: Callable[[int], None]) -> _Steps:
    for batch in archive.batches() if archive else ():
        yield examination.add(list(map(archived_leaf, batch)), batch[-1].position)
        advanced(len(batch))


def archived_leaf(raw: RawEvent) -> LogLeaf:
    """The leaf of an event as an archive has it."""
    at = timestamp(raw.recorded_at).decode()
    return LogLeaf(raw.position, raw.stream_id, raw.version, at, leaf_of(raw), raw.hash)


def _one_by_one(
    connection: Connection[TupleRow], first: int, last: int, examination: Examination, advanced: Callable[[int], None]
) -> _Steps:
    for batch, until in leaves(connection, first, last):
        yield examination.add(batch, until)
        advanced(len(batch))


def _in_parts(  # noqa: PLR0917 - see above
    connection: Connection[TupleRow],
    first: int,
    last: int,
    examination: Examination,
    advanced: Callable[[int], None],
    database_url: str,
) -> _Steps:
    """Other processes look at whole parts. One that does not follow is looked at here, to name what is wrong with it."""
    if first > last:
        return
    task = PartsTask(first, last, PART, min(os.cpu_count() or 1, _PROCESSES_MAX))
    with parts(database_url, task) as found:
        for start, part in zip(range(first, last + 1, PART), found, strict=True):
            if part is not None and examination.take(part):
                advanced(PART)
            else:
                yield from _one_by_one(connection, start, start + PART - 1, examination, advanced)
