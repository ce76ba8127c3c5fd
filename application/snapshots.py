"""An aggregate folded from its stream, with where and when it stands in the log."""

from collections.abc import Iterable
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from domain.aggregates import State, evolve, initial
from domain.events import RecordedEvent, StreamId
from domain.order import BrokenHistoryError

S_co = TypeVar("S_co", bound=State, covariant=True)


class Snapshot(NamedTuple, Generic[S_co]):
    """The state after ``version`` events of a stream; the last of them stands at ``position`` of the log.

    Version 0 has happened nowhere and never: its position is 0 and its times are None. ``correlation_id`` is that of its
    first event: it names the story that the stream is.
    """

    state: S_co
    version: int = 0
    position: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    correlation_id: str = ""


def empty(stream_id: StreamId) -> Snapshot[State]:
    """The snapshot of a stream without events."""
    return Snapshot(initial(stream_id))


def advanced(snapshot: Snapshot[State], events: Iterable[RecordedEvent]) -> Snapshot[State]:
    """The snapshot after more events of its stream; those it holds already are passed over.

    Raises:
        BrokenHistoryError: an event is missing between the snapshot and the events.
    """
    state, version, last, created_at = snapshot.state, snapshot.version, None, snapshot.created_at
    correlation_id = snapshot.correlation_id
    for event in events:
        if event.version <= version:
            continue
        if event.version != version + 1:
            raise BrokenHistoryError(f"{event.stream_id} has no version {version + 1}")
        state, version, last = evolve(state, event.event), event.version, event
        if version == 1:
            correlation_id = event.metadata.correlation_id
        created_at = created_at or event.recorded_at
    if last is None:
        return snapshot
    return Snapshot(state, version, last.position, created_at, last.recorded_at, correlation_id)
