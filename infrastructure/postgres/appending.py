"""The one append path: transactions in, one commit, and never the same thing twice."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC

from eventsourcing.persistence import Tracking
from psycopg import Connection, Error, IntegrityError
from psycopg.errors import PipelineAborted, UniqueViolation
from psycopg.rows import TupleRow

from application.ports import Key, OutcomeUnknownError
from domain.events import StreamId
from infrastructure.batch import Batch, Head, Write, chain, judge
from infrastructure.postgres import arrays
from infrastructure.postgres.connecting import UNAVAILABLE, Session
from infrastructure.postgres.partitions import CurrentPartition, extend

CHANNEL = "orderlog_events"
"""Where every commit tells the new end of the log."""

# The row lock is what makes commit order position order: it is held until the commit. Whoever stops while holding it
# loses it before the others stop waiting for it. The limits are for one transaction, so that they work through a pooler.
# One query of many statements and no pipeline: psycopg ends a pipeline with a flush, for which the server takes a client
# that has stopped for one that is not idle.
_TAKE_HEAD = """
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL idle_in_transaction_session_timeout = '2s';
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '15s';
SELECT position, hash, greatest(recorded_at, clock_timestamp()) FROM log_head FOR UPDATE;
"""
_HEAD_RESULT = 4

# For whoever stops in the middle of the pipeline that commits. The time runs from here, so this comes after the lock.
# Servers before version 17 have no such limit: there it takes TCP to end the connection.
_HURRY = "SET LOCAL transaction_timeout = '5s';"
_HURRY_SINCE = 170_000

VERSIONS = """
SELECT stream_id, coalesce(
    (SELECT max(version) FROM events WHERE events.stream_id = wanted.stream_id),
    (SELECT max(version) FROM snapshots WHERE snapshots.stream_id = wanted.stream_id),
    0
)
FROM unnest(%s::text[]) AS wanted (stream_id)
"""
"""The last version of each stream, 0 for one that does not exist. Of one that is archived whole, its snapshot knows it."""

_TAKEN = """
SELECT trader_id, kind, value
FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (trader_id, kind, value)
JOIN keys USING (trader_id, kind, value)
"""

# One statement and not three: half of what a small append costs is what each statement costs.
_APPEND = f"""
WITH head AS (
    UPDATE log_head SET position = %s, hash = %s, recorded_at = %s
), appended AS (
    INSERT INTO events (position, stream_id, version, type, data, metadata, recorded_at, hash)
    SELECT %s::bigint + n - 1, stream_id, version, type, data, metadata, %s, hash
    FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bytea[])
    WITH ORDINALITY AS new (stream_id, version, type, data, metadata, hash, n)
)
SELECT pg_notify('{CHANNEL}', %s)
"""  # noqa: S608 - of a constant

_INSERT_KEYS = """
INSERT INTO keys (trader_id, kind, value, fingerprint, stream_id, version)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
"""

TRACK = """
INSERT INTO checkpoints (name, position) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = now()
WHERE checkpoints.position < excluded.position
RETURNING position
"""
"""Moves a checkpoint forward; no row says that it is there or beyond already."""


def append(
    session: Session,
    current: CurrentPartition,
    writes: Sequence[Write],
    known_position: int | None,
    tracking: Tracking | None = None,
) -> tuple[Sequence[bool], Batch]:
    """Record, in one commit, the writes that hold; returns which did, and the batch they made.

    Args:
        session: where to.
        current: the partition that the last append over this session went to.
        writes: in the order in which they were decided.
        known_position: the reads were right when the log ended there; None has all of them checked. They are checked
            also where one was of an event in an earlier partition, because the index that would find a version to be
            there already is that of one partition.
        tracking: recorded with the writes, or nothing is.

    Raises:
        psycopg.IntegrityError: the tracking is not above what is recorded.
        psycopg.Error: one of UNAVAILABLE when the database cannot be reached; nothing was recorded.
        OutcomeUnknownError: it cannot be reached any more, and nobody knows whether the writes were recorded.
    """
    try:
        return _Work(current, writes, known_position, tracking).carry_out(session)
    except UniqueViolation:
        if known_position is None:
            raise
        # What the caller took for right was not: look closely.
        return _Work(current, writes, None, tracking).carry_out(session)


class _Work:
    """What is to be appended, attempted until it is known to have succeeded or failed."""

    def __init__(
        self,
        current: CurrentPartition,
        writes: Sequence[Write],
        known_position: int | None,
        tracking: Tracking | None,
    ) -> None:
        self._current = current
        self._writes = writes
        self._known_position = known_position
        self._tracking = tracking
        self._sent: tuple[Sequence[bool], Batch] | None = None

    def carry_out(self, session: Session) -> tuple[Sequence[bool], Batch]:
        try:
            return session.run(self._attempt)
        except UNAVAILABLE as error:
            if self._sent is None:
                raise
            raise OutcomeUnknownError(str(error)) from error

    def _attempt(self, connection: Connection[TupleRow]) -> tuple[Sequence[bool], Batch]:
        head, tracked = self._begin(connection)
        # An answer was lost. The lock that is held now has waited for that transaction to end: either its last event
        # is where it was going to be, with the hash that covers all of it, or nothing of it is there.
        if self._sent is not None and _is_recorded(connection, self._sent[1].head):
            # What ended may have been its wait for a synchronous standby. To take the lock was a change, so that this
            # commit, which comes after it, waits for both.
            connection.execute("COMMIT")
            return self._sent
        self._sent = None
        if not tracked:
            connection.execute("ROLLBACK")
            raise IntegrityError(f"{self._tracking} is not above what is recorded")
        versions: dict[StreamId, int] = {}
        taken: set[Key] = set()
        last = head.position + sum(len(write.events) for write in self._writes)
        begins = self._current.first_position(connection, last)
        if head.position != self._known_position or not self._were_read_since(begins):
            versions, taken = self._look_up(connection)
        holding = judge(self._writes, versions, taken)
        batch = chain(head, self._writes, holding)
        if not batch.events:
            connection.execute("ROLLBACK")
            return holding, batch
        if begins is None:
            extend(connection, last)
        self._sent = holding, batch
        try:
            _commit(connection, batch)
        except Error as error:
            if error.diag.severity_nonlocalized == "ERROR":
                self._sent = None  # the server says no, and stays: all of it is undone
            raise
        return holding, batch

    def _begin(self, connection: Connection[TupleRow]) -> tuple[Head, bool]:
        hurry = _HURRY if connection.info.server_version >= _HURRY_SINCE else ""
        ((position, last, now),) = connection.execute(_TAKE_HEAD + hurry).set_result(_HEAD_RESULT).fetchall()
        head = Head(position, last, now.astimezone(UTC))
        if self._tracking is None:
            return head, True
        tracking = self._tracking.application_name, self._tracking.notification_id
        return head, connection.execute(TRACK, tracking).fetchone() is not None

    def _were_read_since(self, position: int | None) -> bool:
        return position == 1 or (position is not None and all(write.read_since >= position for write in self._writes))

    def _look_up(self, connection: Connection[TupleRow]) -> tuple[dict[StreamId, int], set[Key]]:
        """The versions of all streams, and those of the keys that are taken."""
        streams = {stream for write in self._writes for stream in write.reads}
        keys = [key for write in self._writes for key in write.keys]
        versions = connection.execute(VERSIONS, (arrays.texts(streams),)).fetchall()
        taken = connection.execute(_TAKEN, key_columns(keys)).fetchall() if keys else []
        return dict(versions), {Key(*row) for row in taken}


def _is_recorded(connection: Connection[TupleRow], head: Head) -> bool:
    row = connection.execute("SELECT hash FROM events WHERE position = %s", (head.position,)).fetchone()
    return row == (head.hash,)


def _commit(connection: Connection[TupleRow], batch: Batch) -> None:
    position, last, recorded_at = batch.head
    streams, versions, types, data, metadata = zip(*batch.events, strict=True)
    columns = (
        arrays.texts(streams),
        arrays.integers(versions),
        arrays.texts(types),
        arrays.encoded_texts(data),
        arrays.encoded_texts(metadata),
        arrays.byte_strings(batch.hashes),
    )
    with first_error(), connection.pipeline():
        connection.execute(_APPEND, (position, last, recorded_at, batch.first, recorded_at, *columns, str(position)))
        if batch.keys:
            uses = batch.keys.values()
            answers = (
                arrays.texts(use.fingerprint for use in uses),
                arrays.texts(use.stream_id for use in uses),
                arrays.integers([use.version for use in uses]),
            )
            connection.execute(_INSERT_KEYS, (*key_columns(batch.keys), *answers))
        connection.execute("COMMIT")


@contextmanager
def first_error() -> Iterator[None]:
    """Raise what failed in a pipeline, where psycopg sometimes raises what that did to the statements behind it."""
    try:
        yield
    except PipelineAborted as error:
        raise (error.__context__ if isinstance(error.__context__, Error) else error) from None


def key_columns(keys: Collection[Key]) -> tuple[arrays.TextArray, arrays.TextArray, arrays.TextArray]:
    """The keys as three parameters: traders, kinds, values."""
    return (
        arrays.texts(key.trader_id for key in keys),
        arrays.texts(key.kind for key in keys),
        arrays.texts(key.value for key in keys),
    )
