"""The whole log: what is archived, from files, and what comes after that, from the database."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Unpack

import msgspec

from application.ports import NOW, AsOf, History, Key, Loaded, UnreadableEventError
from domain.events import RecordedEvent, StreamId
from infrastructure.archives.files import Archive
from infrastructure.codec import RawEvent
from infrastructure.exports import Line, line_of
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.filters import Filters
from infrastructure.postgres.shards import WHOLE, Shard

_ALL = 2**31 - 1


class _Metadata(msgspec.Struct):
    trader_id: str


_metadata = msgspec.json.Decoder(_Metadata).decode


class WholeLog(PostgresEventStore):
    """The event store with its archived beginning: ``read``, ``raw``, ``load`` and ``history`` answer as if nothing were archived.

    For whoever looks at the past: files are read while others in the process wait. Reading on where the last answer ended
    goes on in the file; anything else begins at the nearest place at which the file can be entered. What is in both is
    read from the files. All raise ArchiveError when a file is not what it should be.

    Args:
        url: of the database, migrated.
        archive: the beginning of the same log.
    """

    def __init__(self, url: str, archive: Archive) -> None:
        super().__init__(url)
        self._archive = archive
        self._events: Iterator[RawEvent] = iter(())
        self._read_until = -1

    async def see_that_all_is_here(
        self, after: int, stream_id: StreamId | None = None, since: datetime | None = None
    ) -> None:
        """Do nothing, unless events above a position are in neither; see the base."""
        await super().see_that_all_is_here(self._behind(after), stream_id, since)

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """At most ``limit`` events with a position above ``after``, in position order, without gaps; see the port."""
        events: list[RecordedEvent] = []
        try:
            for raw in islice(self._archived(after), limit):
                events.append(self._codec.to_recorded_event(raw))  # noqa: PERF401 - those before one that is not known count
            if len(events) < limit:
                events += await super().read(self._behind(after), limit - len(events))
        except UnreadableEventError:
            if not events:
                raise
        return events

    async def of_types(
        self, after: int, until: int, types: Collection[str], shard: Shard = WHOLE
    ) -> Sequence[RecordedEvent]:
        """The events of these types above one position and up to another, in order; of archived ones there are no shards."""
        archived = islice(self._archived(after), max(min(until, self._archive.last_position) - after, 0))
        events = [self._codec.to_recorded_event(raw) for raw in archived if raw.type in types]
        return [*events, *await super().of_types(self._behind(after), until, types, shard)]

    async def raw(self, after: int, limit: int, **filters: Unpack[Filters]) -> Sequence[RawEvent]:
        """At most ``limit`` events with a position above ``after`` that pass every filter; see the base."""
        found = self._passing(after, limit, filters)
        if len(found) == limit:
            return found
        return [*found, *await super().raw(self._behind(after), limit - len(found), **filters)]

    async def lines(self, after: int, limit: int, **filters: Unpack[Filters]) -> Sequence[Line]:
        """The same events as files have them; see the base."""
        found = list(map(line_of, self._passing(after, limit, filters)))
        if len(found) == limit:
            return found
        return [*found, *await super().lines(self._behind(after), limit - len(found), **filters)]

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        """The events of each stream after the given version, of which no snapshot stands for any; see the port."""
        found: dict[StreamId, list[RecordedEvent]] = {stream_id: [] for stream_id in streams}
        history = await self.history(list(streams))
        for event in history.events:
            if event.version > streams[event.stream_id]:
                found[event.stream_id].append(event)
        uses = await super().load({}, keys, from_snapshots=from_snapshots)
        return Loaded(history.position, found, uses.keys)

    async def history(self, streams: Sequence[StreamId], as_of: AsOf = NOW, version: int | None = None) -> History:
        """The events of the streams up to a moment, and up to a version if one is given; see the port."""
        end = await self._end(as_of)
        found: list[RawEvent] = []
        for stream_id in streams:
            found += await self.raw(0, _ALL, stream_id=stream_id, as_of=AsOf(position=end))
        wanted = (event for event in found if version is None or event.version <= version)
        recorded = map(self._codec.to_recorded_event, wanted)
        return History(end, sorted(recorded, key=lambda event: event.position))

    async def _end(self, as_of: AsOf) -> int:
        """Where the log ended at the moment."""
        in_database = (await super().history([], as_of)).position
        if as_of.time is None or in_database > self._archive.last_position:
            return in_database
        # Nothing that is only in the database had been recorded by then.
        return max((event.position for event in self._archived(0, as_of)), default=0)

    def _behind(self, after: int) -> int:
        """Where the database goes on."""
        return max(after, self._archive.last_position)

    def _passing(self, after: int, limit: int, filters: Filters) -> list[RawEvent]:
        """Those of the archived events that ``raw`` is asked for."""
        types, stream_id, since = filters.get("types"), filters.get("stream_id"), filters.get("since")
        trader_id = filters.get("trader_id")
        passing = (
            event
            for event in self._archived(after, filters.get("as_of", NOW))
            if (not types or event.type in types)
            and stream_id in (None, event.stream_id)
            and (since is None or event.recorded_at >= since)
            and (trader_id is None or _metadata(event.metadata).trader_id == trader_id)
        )
        return list(islice(passing, limit))

    def _archived(self, after: int, as_of: AsOf = NOW) -> Iterator[RawEvent]:
        if after >= self._archive.last_position:
            return
        if after != self._read_until:
            self._events = (event for batch in self._archive.batches(after) for event in batch)
        for event in self._events:
            self._read_until = event.position
            if as_of.position is not None and event.position > as_of.position:
                return
            if as_of.time is not None and event.recorded_at > as_of.time:
                return
            yield event
