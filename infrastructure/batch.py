"""What every event store does alike: encode transactions, judge them in turn, chain what is left."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import NamedTuple

from application.ports import Appended, Key, KeyUse, Transaction
from domain.events import RecordedEvent, StreamId
from infrastructure.codec import Codec
from infrastructure.postgres.chain import leaf, link, timestamp


class WrittenEvent(NamedTuple):
    """An event as it goes to disk. ``data`` and ``metadata`` are JSON."""

    stream_id: StreamId
    version: int
    type: str
    data: bytes
    metadata: bytes


class Write(NamedTuple):
    """One transaction as it goes to disk: all of it or nothing."""

    reads: Mapping[StreamId, int]
    events: Sequence[WrittenEvent] = ()
    keys: Mapping[Key, KeyUse] = {}
    read_since: int = 0


class Head(NamedTuple):
    """The end of the log. ``recorded_at`` is UTC."""

    position: int
    hash: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as they are to be stored, one after the other, and the end of the log with them."""

    head: Head
    events: Sequence[WrittenEvent]
    hashes: Sequence[bytes]
    keys: Mapping[Key, KeyUse]

    @property
    def first(self) -> int:
        """The position of the first event."""
        return self.head.position - len(self.events) + 1


def encode(transaction: Transaction, codec: Codec) -> Write:
    """The transaction as it goes to disk.

    Raises:
        UnwritableEventError: an event or its metadata is not what its class says.
        ValueError: an event's version does not follow what the transaction read.
    """
    reads, new_events, keys, read_since = transaction
    versions = dict(reads)
    events = []
    previous, beside = None, b""
    for stream_id, version, event, metadata in new_events:
        if version != versions.get(stream_id, -1) + 1:
            raise ValueError(f"version {version} of {stream_id} does not follow {versions.get(stream_id)}")
        versions[stream_id] = version
        if metadata is not previous:  # the events of a command mostly share one object
            previous, beside = metadata, codec.encode_metadata(metadata)
        topic, data = codec.encode(event)
        events.append(WrittenEvent(stream_id, version, topic, data, beside))
    return Write(reads, events, keys, read_since)


def judge(writes: Iterable[Write], versions: Mapping[StreamId, int], taken: Collection[Key]) -> list[bool]:
    """Which of the writes hold, each judged after the ones before it.

    One whose reads do not hold, or one of whose keys is taken, is left out, and whatever read a stream that it would
    have written falls with it: even at a version that somebody else has made, what was read there was not this.

    Args:
        writes: in the order in which they were decided.
        versions: of streams in the log; of a stream that is missing here, what is first read is taken to be right.
        taken: those of the writes' keys that the log has.
    """
    now = dict(versions)
    used = set(taken)
    imagined: set[StreamId] = set()
    holding = []
    for write in writes:
        holds = imagined.isdisjoint(write.reads) and used.isdisjoint(write.keys)
        for stream, version in write.reads.items():
            holds &= now.setdefault(stream, version) == version
        if holds:
            for event in write.events:
                now[event.stream_id] = event.version
            used.update(write.keys)
        else:
            imagined.update(event.stream_id for event in write.events)
        holding.append(holds)
    return holding


def chain(head: Head, writes: Sequence[Write], holding: Sequence[bool]) -> Batch:
    """The events of those writes that hold, chained to the head, whose time is the time of recording."""
    events: list[WrittenEvent] = []
    keys: dict[Key, KeyUse] = {}
    for write in compress(writes, holding):
        events += write.events
        keys |= write.keys
    at = timestamp(head.recorded_at)
    position, last, recorded_at = head
    hashes = []
    for event in events:
        position += 1
        last = link(last, leaf(position, *event, at))
        hashes.append(last)
    return Batch(Head(position, last, recorded_at), events, hashes, keys)


def answer(transactions: Sequence[Transaction], holding: Sequence[bool], batch: Batch) -> Appended:
    """What the caller of an append is told."""
    at = batch.head.recorded_at
    places = zip(range(batch.first, batch.head.position + 1), batch.hashes, strict=True)
    recorded = [
        [
            RecordedEvent(position, stream_id, version, event, metadata, at, hash_)
            # The events first: whoever asks the places first takes one that the next transaction needs.
            for (stream_id, version, event, metadata), (position, hash_) in zip(
                transaction.events, places, strict=False
            )
        ]
        if holds
        else None
        for transaction, holds in zip(transactions, holding, strict=True)
    ]
    return Appended(batch.head.position, recorded)
