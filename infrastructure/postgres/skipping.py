"""An operator takes a read model past an event that it cannot apply. That is an event too, and holds for every rebuild."""

from contextlib import closing
from typing import Any

from eventsourcing.persistence import Tracking
from psycopg import Connection, IntegrityError
from psycopg.rows import TupleRow

from application.ports import NewEvent, Transaction
from domain.events import Metadata, ProjectionEventSkipped, projection_stream
from infrastructure.batch import encode
from infrastructure.codec import Codec
from infrastructure.postgres.appending import append
from infrastructure.postgres.connecting import Session
from infrastructure.postgres.partitions import CurrentPartition
from projections.projection import Projection

_PATIENCE_SECONDS = 10.0

_STANDS = """
SELECT checkpoint.position, checkpoint.version, stop.position, stop.event_type,
    (SELECT coalesce(max(version), 0) FROM events WHERE stream_id = %(stream)s)
FROM checkpoints AS checkpoint LEFT JOIN projection_stops AS stop USING (name) WHERE name = %(name)s
"""


class CannotSkipError(Exception):
    """The read model does not stand before that event, so there is nothing to skip."""


def skip(
    database_url: str, projection: Projection[Any], position: int, reason: str, metadata: Metadata
) -> ProjectionEventSkipped:
    """Record that the projection does not apply the event at the position, and move its checkpoint behind it.

    Both are in one transaction. It must be stopped right before this event: what it has applied cannot be skipped, and
    what it has not come to may well be applied.

    Raises:
        CannotSkipError: it does not stand there.
        psycopg.Error: the database cannot be used.
    """
    name, stream = projection.name, projection_stream(projection.name)

    def stands(connection: Connection[TupleRow]) -> TupleRow | None:
        return connection.execute(_STANDS, {"name": name, "stream": stream}).fetchone()

    with closing(Session(database_url, _PATIENCE_SECONDS)) as session:
        found = session.run(stands)
        if found is None:
            raise CannotSkipError(f"There is no checkpoint of {name}: `orderlog db upgrade` makes it")
        at, version, stopped_before, event_type, stream_version = found
        if version != projection.version:
            raise CannotSkipError(
                f"{name} was written by version {version} of the projection, and this program has {projection.version}"
            )
        if at >= position:
            raise CannotSkipError(f"{name} has gone past position {position} already: it stands at {at}")
        if at + 1 != position or stopped_before != position:
            raise CannotSkipError(
                f"{name} stands at {at}"
                + (
                    f", stopped before the {event_type} at {at + 1}"
                    if stopped_before == at + 1
                    else " and is not stopped"
                )
                + f": the event at {position} cannot be skipped"
            )
        event = ProjectionEventSkipped(projection=name, position=position, event_type=event_type, reason=reason)
        new = NewEvent(stream, stream_version + 1, event, metadata)
        write = encode(Transaction({stream: stream_version}, [new]), Codec())
        try:
            holding, _ = append(session, CurrentPartition(), [write], None, Tracking(name, position))
        except IntegrityError:
            holding = [False]
        if holding != [True]:
            raise CannotSkipError(f"{name} has moved meanwhile, or somebody else has skipped the event")
    return event
