"""What the application needs from the world. Each port has a real part of the same name under infrastructure/.

The in-memory parts in ``infrastructure/memory.py`` are product code and pass the same contract suites.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from application.snapshots import Snapshot
from application.venue import Instrument
from domain.aggregates import State
from domain.events import Event, Metadata, RecordedEvent, StreamId
from domain.frozen import dataclass
from domain.values import OrderId, Symbol, TraderId


class StoreUnavailableError(Exception):
    """The event store cannot be reached; unless it is OutcomeUnknownError, nothing was recorded."""


class OutcomeUnknownError(StoreUnavailableError):
    """The event store fell silent before it said whether it has recorded what it was given: it may have."""


class EventsArchivedError(Exception):
    """Events that are asked for are not in the database any more; the message says which."""


class UnwritableEventError(TypeError):
    """The event is not what its class says, so it must not be stored; nothing was recorded."""


class UnreadableEventError(Exception):
    """The log has an event that this program does not know, or knows otherwise; the message names it and its place.

    Whoever reads stops right before it and never passes over it: a newer program may know what it means.
    """


# ── Time and names ───────────────────────────────────────────────────────────────────────────────────────────────────


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> datetime:
        """The current time, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""
        ...


class Ids(Protocol):
    """Fresh identifiers."""

    def new(self) -> str:
        """A new UUID as text."""
        ...


# ── The event store ──────────────────────────────────────────────────────────────────────────────────────────────────


class NewEvent(NamedTuple):
    """An event to be recorded as version ``version`` of its stream."""

    stream_id: StreamId
    version: int
    event: Event
    metadata: Metadata


class Key(NamedTuple):
    """A name that may be used once by a trader: ``kind`` is ``idempotency`` or ``client_order_id``."""

    trader_id: TraderId
    kind: str
    value: str


class KeyUse(NamedTuple):
    """What a key was used for: the request's fingerprint, and the stream and version its first answer was read from."""

    fingerprint: str
    stream_id: StreamId
    version: int


class Transaction(NamedTuple):
    """What one command wants recorded, all of it or nothing.

    ``reads`` gives the version of every stream the decision looked at (0: the stream did not exist), after the
    transactions before it in the same batch. A transaction without events asks only whether its reads still hold.

    ``read_since`` is a position that none of these versions stands before, not counting streams whose names were made
    for this transaction. 0, and they may stand anywhere: then a store may have to look them up.
    """

    reads: Mapping[StreamId, int]
    events: Sequence[NewEvent] = ()
    keys: Mapping[Key, KeyUse] = MappingProxyType({})
    read_since: int = 0


class Appended(NamedTuple):
    """The outcome of an append.

    ``recorded`` has one entry per transaction: its events as recorded (empty when it had none), or None where a stream
    it read had moved on, in which case nothing of it was recorded. ``position`` is the end of the log afterwards.
    """

    position: int
    recorded: Sequence[Sequence[RecordedEvent] | None]


class Loaded(NamedTuple):
    """Streams and keys as they stood at one moment. ``position`` is the end of the log at that moment or before.

    Where there is a snapshot of a stream, its events are those after it.
    """

    position: int
    streams: Mapping[StreamId, Sequence[RecordedEvent]]
    keys: Mapping[Key, KeyUse]
    snapshots: Mapping[StreamId, Snapshot[State]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment in the log's life: after everything up to a position, and up to a time; None does not bound it.

    All events of one commit have one time, so a time is after all of them or before. Positions tell them apart.
    """

    time: datetime | None = None
    position: int | None = None


NOW = AsOf()


@dataclass(frozen=True, slots=True)
class History:
    """Streams as they stood at a moment: their events in the order of the log, which ended at ``position`` then."""

    position: int
    events: Sequence[RecordedEvent]


class EventStore(Protocol):
    """The log of everything. Commit order is position order: a reader that remembers one number misses nothing."""

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        """Record, in one commit, every transaction whose reads hold; the others leave no trace.

        ``known_position``: the reads were right when the log ended there; only later events can contradict them.
        An append whose answer was lost on the way is looked up and answered, never repeated.

        Raises:
            StoreUnavailableError: the store cannot be reached; nothing was recorded.
            OutcomeUnknownError: its answer was lost, and cannot be looked up.
            UnwritableEventError: an event is not what its class says; nothing of any transaction was recorded.
        """
        ...

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        """The events of each stream after the given version, in order, and those of the keys that are in use.

        ``from_snapshots`` says that it matters only where a stream stands now: then it may begin with a snapshot.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: one of the events is not one that this program knows.
            EventsArchivedError: some of these events are not in the database any more, and no snapshot stands for them.
        """
        ...

    async def history(self, streams: Sequence[StreamId], as_of: AsOf = NOW, version: int | None = None) -> History:
        """The events of the streams up to a moment, and up to a version if one is given.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: one of the events is not one that this program knows.
        """
        ...

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """At most ``limit`` events with a position above ``after``, in position order, without gaps.

        They end before one that this program does not know, and the next call raises.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            UnreadableEventError: the first of them is one that this program does not know.
            EventsArchivedError: the first of them are not in the database any more.
        """
        ...

    async def position(self) -> int:
        """The end of the log: the highest position, 0 when it is empty.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        ...


class Feed(Protocol):
    """The log as it grows, for any number of consumers in this process."""

    def follow(self, after: int) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Every event above the position, in order, none missing and none twice: first what is there, then live."""
        ...


# ── Everything else ──────────────────────────────────────────────────────────────────────────────────────────────────


class Instruments(Protocol):
    """The instruments this process knows, kept fresh in the background: asking never waits."""

    def get(self, symbol: Symbol) -> Instrument | None:
        """The instrument, or None when the venue does not trade it."""
        ...


class Bus(Protocol):
    """Carries status messages to whoever listens. Transport, never truth: losing it loses nothing."""

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send each (channel, message); a bus that is down is no error."""
        ...


class Bookkeeping(Protocol):
    """What the log says of orders at the venue, for whoever compares the venue's books with ours.

    All methods raise StoreUnavailableError when that cannot be had.
    """

    async def open_orders(self) -> tuple[Sequence[OrderId], int]:
        """Ids of all orders that were not over, oldest first, when the log ended at the position beside them."""
        ...

    async def executions_read(self, venue_name: str) -> datetime | None:
        """The time up to which all executions of the venue are in the log, its own time; None: nobody has looked yet."""
        ...

    async def save_executions_read(self, venue_name: str, until: datetime) -> None:
        """All executions of the venue up to this time of its own are in the log."""
        ...

    async def order_known_as(self, venue_order_id: str) -> OrderId | None:
        """The order that the venue ever had under this id of its own, as far as the log says; None if none of ours was."""
        ...
