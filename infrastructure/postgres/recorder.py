"""The recorder contracts of ``eventsourcing``, on the same tables and the same append path as everything else.

Ids of originators are text, states are UTF-8 text, notification ids are positions. The stock recorder for PostgreSQL
would lock the table, take many round trips for a save, and turn a lost answer into a conflict with itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from time import sleep
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing import persistence
from eventsourcing.persistence import (
    AggregateRecorder,
    ListenNotifySubscription,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Tracking,
)
from psycopg import Connection
from psycopg.rows import TupleRow

from application.ports import OutcomeUnknownError
from domain.events import StreamId
from infrastructure.batch import Write, WrittenEvent
from infrastructure.postgres import arrays
from infrastructure.postgres.appending import CHANNEL, TRACK, append
from infrastructure.postgres.connecting import UNAVAILABLE, Session, conninfo
from infrastructure.postgres.partitions import CurrentPartition

_HIGHEST_VERSION = 2**31 - 1
_HIGHEST_POSITION = 2**63 - 1

_SELECT_ASCENDING = """
SELECT stream_id, version, type, data FROM events
WHERE stream_id = %s AND version > %s AND version <= %s ORDER BY version LIMIT %s
"""

_SELECT_DESCENDING = """
SELECT stream_id, version, type, data FROM events
WHERE stream_id = %s AND version > %s AND version <= %s ORDER BY version DESC LIMIT %s
"""

_SELECT_NOTIFICATIONS = """
SELECT stream_id, version, type, data, position FROM events
WHERE position >= %s AND position <= %s AND (cardinality(%s::text[]) = 0 OR type = ANY (%s)) ORDER BY position LIMIT %s
"""

_ERRORS: Mapping[type, type[persistence.PersistenceError]] = {
    psycopg.InterfaceError: persistence.InterfaceError,
    psycopg.OperationalError: persistence.OperationalError,
    psycopg.DataError: persistence.DataError,
    psycopg.IntegrityError: persistence.IntegrityError,
    psycopg.InternalError: persistence.InternalError,
    psycopg.ProgrammingError: persistence.ProgrammingError,
    psycopg.NotSupportedError: persistence.NotSupportedError,
    psycopg.DatabaseError: persistence.DatabaseError,
    psycopg.Error: persistence.PersistenceError,
}


@contextmanager
def _persistence_errors() -> Iterator[None]:
    """What psycopg raises, as the contracts name it."""
    try:
        yield
    except OutcomeUnknownError as error:
        raise persistence.OperationalError(str(error)) from error
    except psycopg.Error as error:
        raise next(_ERRORS[cls] for cls in type(error).__mro__ if cls in _ERRORS)(str(error)) from error


class PostgresRecorder(ProcessRecorder):
    """Records and selects stored events, notifications and tracking. Safe for threads; they take turns.

    Args:
        url: of the database, migrated.
        patience_seconds: how long to go on trying while the database cannot be reached.
    """

    def __init__(self, url: str, patience_seconds: float = 10.0) -> None:
        self.url = url
        self._writing = Session(url, patience_seconds)
        self._current = CurrentPartition()
        self._reading = Session(url, patience_seconds)

    def close(self) -> None:
        """Disconnect, after what is under way."""
        self._writing.close()
        self._reading.close()

    @_persistence_errors()
    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, tracking: Tracking | None = None, **_: object
    ) -> Sequence[int] | None:
        """Record the events, and with them the tracking; returns their positions.

        Raises:
            eventsourcing.persistence.IntegrityError: a version is there already or does not follow, or the tracking is
                not above what is recorded; nothing was recorded.
            eventsourcing.persistence.PersistenceError: the database refused or cannot be reached.
        """
        if not stored_events:
            if tracking is not None:
                self.insert_tracking(tracking)
            return []
        events = [
            WrittenEvent(StreamId(str(event.originator_id)), event.originator_version, event.topic, event.state, b"{}")
            for event in stored_events
        ]
        write = Write(_reads(events), events)
        (holds,), batch = append(self._writing, self._current, [write], None, tracking)
        if not holds:
            raise persistence.IntegrityError("a version is there already or does not follow")
        return list(range(batch.first, batch.head.position + 1))

    @_persistence_errors()
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of one stream with versions above ``gt`` and up to ``lte``.

        Raises:
            eventsourcing.persistence.PersistenceError: the database refused or cannot be reached.
        """
        statement = _SELECT_DESCENDING if desc else _SELECT_ASCENDING
        highest = _HIGHEST_VERSION if lte is None else lte
        rows = self._rows(statement, (str(originator_id), -1 if gt is None else gt, highest, limit))
        return [StoredEvent(stream, version, topic, data.encode()) for stream, version, topic, data in rows]

    @_persistence_errors()
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The events from position ``start`` to ``stop``, those of the topics only, or of all when there are none.

        Raises:
            eventsourcing.persistence.PersistenceError: the database refused or cannot be reached.
        """
        first = (start or 0) + (not inclusive_of_start)
        last = _HIGHEST_POSITION if stop is None else stop
        wanted = arrays.texts(topics)
        rows = self._rows(_SELECT_NOTIFICATIONS, (first, last, wanted, wanted, limit))
        return [Notification(stream, version, topic, data.encode(), at) for stream, version, topic, data, at in rows]

    @_persistence_errors()
    def max_notification_id(self) -> int | None:
        """The end of the log; None when it is empty.

        Raises:
            eventsourcing.persistence.PersistenceError: the database refused or cannot be reached.
        """
        ((position,),) = self._rows("SELECT max(position) FROM events", ())
        return None if position is None else int(position)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "PostgresSubscription":
        """The events after position ``gt``, and then every new one as it is recorded."""
        return PostgresSubscription(self, gt, topics)

    @_persistence_errors()
    def insert_tracking(self, tracking: Tracking) -> None:
        """Record how far an upstream application was followed.

        Raises:
            eventsourcing.persistence.IntegrityError: it is not above what is recorded.
            eventsourcing.persistence.PersistenceError: the database refused or cannot be reached.
        """
        name, position = tracking.application_name, tracking.notification_id
        attempts = 0

        def track(connection: Connection[TupleRow]) -> bool:
            nonlocal attempts
            attempts += 1
            moved = connection.execute(TRACK, (name, position)).fetchone() is not None
            # When the answer to the first attempt was lost, it is this position that the second one finds.
            return moved or (attempts > 1 and self._tracked(connection, name) == position)

        if not self._writing.run(track):
            raise persistence.IntegrityError(f"{tracking} is not above what is recorded")

    @_persistence_errors()
    def max_tracking_id(self, application_name: str) -> int | None:
        """How far an upstream application was followed; None when it never was.

        Raises:
            eventsourcing.persistence.PersistenceError: the database refused or cannot be reached.
        """
        return self._reading.run(lambda connection: self._tracked(connection, application_name))

    @staticmethod
    def _tracked(connection: Connection[TupleRow], name: str) -> int | None:
        row = connection.execute("SELECT position FROM checkpoints WHERE name = %s", (name,)).fetchone()
        return None if row is None else int(row[0])

    def _rows(self, statement: str, parameters: Sequence[Any]) -> list[TupleRow]:
        return self._reading.run(lambda connection: connection.execute(statement, parameters).fetchall())


class PostgresAggregateRecorder(PostgresRecorder, AggregateRecorder):
    """Records aggregates without telling positions, as the smallest of the contracts wants it."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: object) -> None:
        """Record the events; see PostgresRecorder."""
        super().insert_events(stored_events)


class PostgresSubscription(ListenNotifySubscription[PostgresRecorder]):
    """Follows the log; woken by notifications, over its own connection, which it opens again when it is lost."""

    def __init__(self, recorder: PostgresRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._listener = Thread(target=self._listen, name="event-listener")
        self._listener.start()

    def __exit__(self, *args: object, **kwargs: Any) -> None:  # noqa: ANN401 - as upstream has it
        """Stop, and wait for both threads."""
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._listener.join()

    def _listen(self) -> None:
        while not self._has_been_stopped:
            try:
                with psycopg.connect(conninfo(self._recorder.url), autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    # What was recorded before the server began to listen was not heard of.
                    self._has_been_notified.set()
                    while not self._has_been_stopped:
                        for _ in connection.notifies(timeout=0.1, stop_after=1):
                            self._has_been_notified.set()
            except UNAVAILABLE:
                sleep(0.1)


def _reads(events: Sequence[WrittenEvent]) -> dict[StreamId, int]:
    """The version that each stream must be at: the first event of a new stream may be version 0 or 1."""
    reads: dict[StreamId, int] = {}
    versions: dict[StreamId, int] = {}
    for stream, version, *_ in events:
        if version != versions.get(stream, version - 1) + 1:
            raise persistence.IntegrityError(f"version {version} of {stream} does not follow {versions[stream]}")
        versions[stream] = version
        reads.setdefault(stream, max(version - 1, 0))
    return reads
