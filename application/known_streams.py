"""What a process knows of streams: their newest states as far as it has heard, and until where in the log that is certain."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from application.ports import Loaded
from application.snapshots import Snapshot, advanced, empty
from domain.aggregates import State
from domain.events import RecordedEvent, StreamId
from domain.values import exactly

LIMIT = 50_000
"""How many streams are kept; those go first that were used longest ago."""

_AHEAD_MAX = 16


@dataclass(slots=True)
class _Known:
    """A stream: a snapshot, what happened since, its version then, and where the log ended when that was the newest."""

    snapshot: Snapshot[State]
    checked_at: int
    version: int = 0
    ahead: tuple[RecordedEvent, ...] = ()

    def folded(self) -> Snapshot[State]:
        if self.ahead:
            with exactly():
                self.snapshot = advanced(self.snapshot, self.ahead)
            self.ahead = ()
        return self.snapshot


class KnownStreams:
    """Streams that were used, or heard of from their beginning.

    What others record is folded when somebody looks at the stream: most orders are over before anybody does.
    """

    def __init__(self) -> None:
        self._streams: OrderedDict[StreamId, _Known] = OrderedDict()
        self._stale: set[StreamId] = set()
        # The log ended at _end when last seen; between _base and _end nobody but this process wrote; and all that
        # anybody wrote up to _observed has reached the streams.
        self._base = 0
        self._end = 0
        self._observed = 0

    def states(self, stream_ids: Iterable[StreamId]) -> dict[StreamId, Snapshot[State]]:
        """The streams as far as they are known.

        Raises:
            KeyError: one is not.
        """
        return {stream_id: self._streams[stream_id].folded() for stream_id in stream_ids}

    def last_seen(self, stream_id: StreamId) -> Snapshot[State]:
        """The stream as far as it is known; empty if it is not."""
        known = self._streams.get(stream_id)
        return known.folded() if known else empty(stream_id)

    def observe(self, events: Sequence[RecordedEvent]) -> None:
        """Take note of what was recorded, by whomever: of every event of the log, in its order."""
        for event in events:
            known = self._streams.get(event.stream_id)
            if known is None:
                if event.version > 1 or len(self._streams) >= LIMIT:
                    continue
                known = self._streams[event.stream_id] = _Known(empty(event.stream_id), event.position)
            behind = event.version - known.version
            if behind == 1:
                known.version = event.version
                known.ahead = (*known.ahead, event)
                if len(known.ahead) >= _AHEAD_MAX:
                    known.folded()
            elif behind > 1:
                self._stale.add(event.stream_id)
        self._observed = events[-1].position

    def begin(self, stream_ids: Iterable[StreamId]) -> None:
        """Streams that nobody can have written yet."""
        for stream_id in stream_ids:
            if stream_id not in self._streams:
                self._streams[stream_id] = _Known(empty(stream_id), self._end)

    def unknown(self, stream_ids: Iterable[StreamId]) -> dict[StreamId, int]:
        """Those of which more has to be read, with the version above which it has to be."""
        wanted = {}
        for stream_id in stream_ids:
            known = self._streams.get(stream_id)
            if known is None or stream_id in self._stale:
                wanted[stream_id] = known.version if known else 0
        return wanted

    def read(self, stream_ids: Iterable[StreamId], loaded: Loaded) -> None:
        """Take note of what was read of the streams."""
        for stream_id in stream_ids:
            snapshot = loaded.snapshots.get(stream_id) or self.last_seen(stream_id)
            if events := loaded.streams.get(stream_id):
                with exactly():
                    snapshot = advanced(snapshot, events)
            self._remember(stream_id, snapshot, loaded.position)
            if self._observed <= loaded.position:
                self._stale.discard(stream_id)
            else:  # of what was heard of meanwhile, nobody knows whether it was about this stream
                self._stale.add(stream_id)

    def read_since(self, states: Mapping[StreamId, Snapshot[State]], new: Collection[StreamId]) -> int:
        """The position of the oldest last event among the streams, not counting those that are new."""
        return min((each.position for stream_id, each in states.items() if stream_id not in new), default=self._end)

    def newest_until(self, stream_ids: Collection[StreamId]) -> int:
        """The position up to which what is known of the streams is certain to have been the newest."""
        if not self._stale.isdisjoint(stream_ids):
            return 0  # something newer was heard of while others were read
        checked_at = min((self._streams[stream_id].checked_at for stream_id in stream_ids), default=self._end)
        return max(checked_at, self._observed, self._end if checked_at >= self._base else 0)

    def appended(self, snapshots: Mapping[StreamId, Snapshot[State]], events: int, position: int) -> None:
        """Take note of what this process appended: so many events, after which the log ended at the position."""
        if position != self._end + events:
            self._base = position
        self._end = position
        for stream_id, snapshot in snapshots.items():
            self._remember(stream_id, snapshot, position)
        while len(self._streams) > LIMIT:
            stream_id, _ = self._streams.popitem(last=False)
            self._stale.discard(stream_id)

    def doubt(self, stream_ids: Iterable[StreamId]) -> None:
        """More may have been recorded than is known: it has to be read."""
        self._stale.update(each for each in stream_ids if each in self._streams)

    def _remember(self, stream_id: StreamId, snapshot: Snapshot[State], position: int) -> None:
        """Keep the snapshot, unless a newer one was observed meanwhile: either was the newest at ``position``."""
        known = self._streams.get(stream_id)
        if known is None:
            self._streams[stream_id] = _Known(snapshot, position, snapshot.version)
            return
        if known.version <= snapshot.version:
            known.snapshot, known.version, known.ahead = snapshot, snapshot.version, ()
        known.checked_at = position
        self._streams.move_to_end(stream_id)
