"""What every event store does alike: encode transactions, judge them in turn, chain what is left."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import NamedTuple

from eventsourcing.persistence import StoredEvent

from application.ports import Appended, Key, KeyUse, Transaction
from domain.events import RecordedEvent
from infrastructure.codec import Codec
from infrastructure.postgres.chain import leaf, link, timestamp


class Write(NamedTuple):
    """One transaction as it goes to disk: all of it or nothing. ``metadata`` has one entry for each event."""

    reads: Mapping[str, int]
    events: Sequence[StoredEvent] = ()
    metadata: Sequence[bytes] = ()
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
    events: Sequence[StoredEvent]
    metadata: Sequence[bytes]
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
    reads: dict[str, int] = dict(transaction.reads.items())
    versions = dict(reads)
    metadata: list[bytes] = []
    previous = None
    for event in transaction.events:
        if event.version != versions.get(event.stream_id, -1) + 1:
            raise ValueError(
                f"version {event.version} of {event.stream_id} does not follow {versions.get(event.stream_id)}"
            )
        versions[event.stream_id] = event.version
        # The events of a command mostly share one object.
        metadata.append(metadata[-1] if event.metadata is previous else codec.encode_metadata(event.metadata))
        previous = event.metadata
    return Write(
        reads, list(map(codec.to_stored_event, transaction.events)), metadata, transaction.keys, transaction.read_since
    )


def judge(writes: Iterable[Write], versions: Mapping[str, int], taken: Collection[Key]) -> list[bool]:
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
    imagined: set[str] = set()
    holding = []
    for write in writes:
        holds = imagined.isdisjoint(write.reads) and used.isdisjoint(write.keys)
        for stream, version in write.reads.items():
            holds &= now.setdefault(stream, version) == version
        if holds:
            now.update((str(event.originator_id), event.originator_version) for event in write.events)
            used.update(write.keys)
        else:
            imagined.update(str(event.originator_id) for event in write.events)
        holding.append(holds)
    return holding


def chain(head: Head, writes: Sequence[Write], holding: Sequence[bool]) -> Batch:
    """The events of those writes that hold, chained to the head, whose time is the time of recording."""
    events: list[StoredEvent] = []
    metadata: list[bytes] = []
    keys: dict[Key, KeyUse] = {}
    for write in compress(writes, holding):
        events += write.events
        metadata += write.metadata
        keys |= write.keys
    at = timestamp(head.recorded_at)
    position, last, recorded_at = head
    hashes = []
    for event, beside in zip(events, metadata, strict=True):
        position += 1
        stream_id, version = str(event.originator_id), event.originator_version
        last = link(last, leaf(position, stream_id, version, event.topic, event.state, beside, at))
        hashes.append(last)
    return Batch(Head(position, last, recorded_at), events, metadata, hashes, keys)


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
