"""What of the log is not in the database any more, and how whoever asks for it is told."""

from collections.abc import Mapping, Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from application.ports import EventsArchivedError
from application.snapshots import Snapshot
from domain.aggregates import State
from domain.events import RecordedEvent, StreamId

# A stream all of whose events are here, or none of which was ever archived, is here from its beginning.
HERE_FROM = """
SELECT CASE
    WHEN EXISTS (SELECT FROM events WHERE stream_id = %(stream_id)s AND version <= 1) THEN 1
    WHEN %(stream_id)s::text IS NOT NULL AND NOT EXISTS (SELECT FROM snapshots WHERE stream_id = %(stream_id)s) THEN 1
    WHEN (SELECT recorded_at FROM events ORDER BY position LIMIT 1) < %(since)s::timestamptz THEN 1
    ELSE coalesce((SELECT min(position) FROM events), 1)
END
"""
"""The position from which on all events are in the database: all, or those of one stream, or those since a time."""

_ARCHIVED_UNTIL = "SELECT max(last_position) FROM archives"


def archived_until(connection: Connection[TupleRow]) -> int:
    """The last position that was archived, 0 if none was."""
    ((position,),) = connection.execute(_ARCHIVED_UNTIL).fetchall()
    return position or 0


def see_that_positions_are_here(first: int, here_from: int) -> None:
    """Do nothing if the events from a position on are in the database, which they all are from another one on.

    Raises:
        EventsArchivedError: they are not.
    """
    if here_from > first:
        raise EventsArchivedError(
            f"The events at positions {first} to {here_from - 1} are archived, and not in the database any more"
        )


def see_that_streams_are_here(
    streams: Mapping[StreamId, int],
    found: Mapping[StreamId, Sequence[RecordedEvent]],
    snapshots: Mapping[StreamId, Snapshot[State]],
    kept: Sequence[TupleRow],
) -> None:
    """Do nothing if the events that were found go on where each stream is known, by the caller or by a snapshot.

    Args:
        streams: the versions that the caller knows.
        found: the events that the database has behind them.
        snapshots: those that can be read.
        kept: the rows of all snapshots, of any shape.

    Raises:
        EventsArchivedError: there are events in between.
    """
    reached: dict[str, int] = {}
    for stream_id, _, version, *_ in kept:
        reached[stream_id] = max(version, reached.get(stream_id, 0))
    for stream_id, after in streams.items():
        known = snapshots[stream_id].version if stream_id in snapshots else after
        events = found[stream_id]
        if events[0].version > known + 1 if events else reached.get(stream_id, 0) > known:
            raise events_away(stream_id, known)


def events_away(stream_id: str, version: int) -> EventsArchivedError:
    """That what follows the version of the stream is not in the database, nor a snapshot that would stand for it."""
    return EventsArchivedError(
        f"The events of {stream_id} behind version {version} are archived, and this program has no snapshot of them"
    )
