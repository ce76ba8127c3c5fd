"""The event store in memory: for simulations and trials. What it holds ends with the process."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter

from application.ports import NOW, Appended, AsOf, Clock, History, Key, KeyUse, Loaded, Transaction
from domain.events import RecordedEvent, StreamId
from domain.values import TraderId
from infrastructure.batch import Head, answer, chain, encode, judge
from infrastructure.codec import Codec, RawEvent
from infrastructure.postgres.chain import GENESIS


class InMemoryEventStore:
    """The log as a list, with the same bytes and the same hash chain as on disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._codec = Codec()
        self._log: list[RecordedEvent] = []
        self._raw: list[RawEvent] = []
        self._streams: defaultdict[str, list[RecordedEvent]] = defaultdict(list)
        self._of_trader: defaultdict[TraderId, list[int]] = defaultdict(list)
        self._keys: dict[Key, KeyUse] = {}
        self._last_hash = GENESIS

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:  # noqa: ARG002 - everything is known here
        """Record every transaction whose reads hold and whose keys are free; see the port.

        Raises:
            UnwritableEventError: an event is not what its class says; nothing was recorded.
            ValueError: an event's version does not follow its transaction's reads; nothing was recorded.
        """
        writes = [encode(transaction, self._codec) for transaction in transactions]
        read = {stream for write in writes for stream in write.reads}
        versions = {stream: len(self._streams.get(stream, ())) for stream in read}
        holding = judge(writes, versions, {key for write in writes for key in write.keys if key in self._keys})
        # A clock may go back, the log's time never does.
        now = max(self._clock.now(), self._log[-1].recorded_at) if self._log else self._clock.now()
        batch = chain(Head(len(self._log), self._last_hash, now), writes, holding)
        appended = answer(transactions, holding, batch)
        recorded = [event for events in appended.recorded for event in events or ()]
        self._log += recorded
        for event, (_, _, type_, data, beside) in zip(recorded, batch.events, strict=True):
            position, stream_id, version, _, metadata, recorded_at, hash_ = event
            self._streams[stream_id].append(event)
            self._of_trader[metadata.trader_id].append(position)
            texts = data.decode(), beside.decode()
            self._raw.append(RawEvent(position, stream_id, version, type_, *texts, recorded_at, hash_))
        self._keys |= batch.keys
        self._last_hash = batch.head.hash
        return appended

    async def load(
        self,
        streams: Mapping[StreamId, int],
        keys: Collection[Key] = (),
        *,
        from_snapshots: bool = False,  # noqa: ARG002 - everything is near here
    ) -> Loaded:
        """The events of each stream after the given version, in order, and those of the keys that are in use."""
        found = {stream: self._streams.get(stream, [])[after:] for stream, after in streams.items()}
        return Loaded(len(self._log), found, {key: self._keys[key] for key in keys if key in self._keys})

    async def history(self, streams: Sequence[StreamId], as_of: AsOf = NOW, version: int | None = None) -> History:
        """The events of the streams up to a moment, and up to a version if one is given."""
        end = self._position_at(as_of)
        found = [
            event
            for stream_id in streams
            for event in self._streams.get(stream_id, ())
            if event.position <= end and (version is None or event.version <= version)
        ]
        return History(end, sorted(found, key=attrgetter("position")))

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """At most ``limit`` events with a position above ``after``, in position order, without gaps."""
        return self._log[after : after + limit]

    async def raw(
        self,
        after: int,
        limit: int,
        *,
        types: Collection[str] = (),
        trader_id: TraderId | None = None,
        stream_id: StreamId | None = None,
        since: datetime | None = None,
        as_of: AsOf = NOW,
    ) -> Sequence[RawEvent]:
        """At most ``limit`` events with a position above ``after`` that pass every filter, exactly as stored.

        Args:
            after: a position.
            limit: how many at most.
            types: only these topics; empty: all.
            trader_id: only this trader's, by their metadata.
            stream_id: only this stream's.
            since: only those recorded at this time or later.
            as_of: only those that there were at this moment.
        """
        everything = range(1, len(self._log) + 1)
        positions = everything if trader_id is None else self._of_trader.get(trader_id, ())
        chosen = positions[bisect_right(positions, after) : bisect_right(positions, self._position_at(as_of))]
        passing = (
            raw
            for raw in (self._raw[position - 1] for position in chosen)
            if (not types or raw.type in types)
            and stream_id in (None, raw.stream_id)
            and (since is None or raw.recorded_at >= since)
        )
        return list(islice(passing, limit))

    async def position(self) -> int:
        """The end of the log: the highest position, 0 when it is empty."""
        return len(self._log)

    def _position_at(self, as_of: AsOf) -> int:
        end = len(self._log) if as_of.position is None else min(as_of.position, len(self._log))
        if as_of.time is not None:
            end = min(end, bisect_right(self._log, as_of.time, key=attrgetter("recorded_at")))
        return end
