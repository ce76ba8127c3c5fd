"""What the application needs from the world. Each port has a real part of the same name under infrastructure/.

The in-memory parts in ``infrastructure/memory.py`` are product code and pass the same contract suites.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.events import Event, Metadata, RecordedEvent, StreamId
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId


class StoreUnavailableError(Exception):
    """The event store cannot be reached; nothing that was not acknowledged is known to be durable."""


class UnwritableEventError(TypeError):
    """The event is not what its class says, so it must not be stored; nothing was recorded."""


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


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be recorded as version ``version`` of its stream."""

    stream_id: StreamId
    version: int
    event: Event
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Key:
    """A name that may be used once by a trader: ``kind`` is ``idempotency`` or ``client_order_id``."""

    trader_id: TraderId
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a key was used for: the request's fingerprint, and the stream and version its first answer was read from."""

    fingerprint: str
    stream_id: StreamId
    version: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one command wants recorded, all of it or nothing.

    ``reads`` gives the version of every stream the decision looked at (0: the stream did not exist), after the
    transactions before it in the same batch. A transaction without events asks only whether its reads still hold.
    """

    reads: Mapping[StreamId, int]
    events: Sequence[NewEvent] = ()
    keys: Mapping[Key, KeyUse] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Appended:
    """The outcome of an append.

    ``recorded`` has one entry per transaction: its events as recorded (empty when it had none), or None where a stream
    it read had moved on, in which case nothing of it was recorded. ``position`` is the end of the log afterwards.
    """

    position: int
    recorded: Sequence[Sequence[RecordedEvent] | None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Streams and keys as they stood at one moment. ``position`` is the end of the log at that moment or before."""

    position: int
    streams: Mapping[StreamId, Sequence[RecordedEvent]]
    keys: Mapping[Key, KeyUse]


class EventStore(Protocol):
    """The log of everything. Commit order is position order: a reader that remembers one number misses nothing."""

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        """Record, in one commit, every transaction whose reads hold; the others leave no trace.

        ``known_position``: the reads were right when the log ended there; only later events can contradict them.
        An append whose answer was lost on the way is looked up and answered, never repeated.

        Raises:
            StoreUnavailableError: the store cannot be reached, or its answer was lost and cannot be looked up.
            UnwritableEventError: an event is not what its class says; nothing of any transaction was recorded.
        """
        ...

    async def load(self, streams: Mapping[StreamId, int], keys: Collection[Key] = ()) -> Loaded:
        """The events of each stream after the given version, in order, and those of the keys that are in use.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        ...

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """At most ``limit`` events with a position above ``after``, in position order, without gaps.

        Raises:
            StoreUnavailableError: the store cannot be reached.
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


# ── The venue ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class VenueLeg:
    """A stop order on the same side and for the same quantity as the order it belongs to: one cancels the other.

    The venue reduces one by what the other fills, at once, so that both together never fill more than one of them could.
    """

    client_order_id: OrderId
    stop_price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as it goes to the venue. ``client_order_id`` is our order id, the venue's idempotency key."""

    client_order_id: OrderId
    symbol: Symbol
    side: Side
    quantity: Quantity
    order_type: OrderType
    price: Price | None
    stop_price: Price | None
    time_in_force: TimeInForce
    leg: VenueLeg | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReplacement:
    """New terms for an order at the venue; what is None stays as it is.

    ``number`` counts the replacements of the order from 1. Number and order id together are the idempotency key of this
    one, for ever. ``quantity`` is the new total, of which the fills so far are a part.
    """

    client_order_id: OrderId
    number: int
    venue_order_id: str
    quantity: Quantity | None
    price: Price | None
    stop_price: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """An order to ask the venue for.

    ``venue_order_id`` is the venue's own id, where it is known; the legs of another order are known by it only. ``leg``
    is the order of ours that was sent as a leg of this one. ``replacement`` is the number of a replacement that may have
    reached the venue although nobody saw its answer, 0 for none.
    """

    client_order_id: OrderId
    venue_order_id: str | None = None
    leg: OrderId | None = None
    replacement: int = 0


@dataclass(frozen=True, slots=True)
class VenueTerms:
    """What the venue works on. ``quantity`` is the total, fills included."""

    quantity: Quantity
    price: Price | None
    stop_price: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """One execution. ``fill_id`` is the venue's own id and the same by stream, by query and after a reconnect."""

    fill_id: FillId
    quantity: Quantity
    price: Price
    commission: Money
    executed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReport:
    """What the venue says of an order, by answer, by query or by stream.

    ``client_order_id`` is our order id where the venue's order is one of ours or a replacement of one. Where the venue
    gave the order another name, it is that name, and ``venue_order_id`` tells whether it is ours after all.

    ``status`` is one of

    - ``accepted``; ``filled`` (in part or in full, with ``fill``); ``cancelled``; ``expired``; ``rejected``
    - ``replaced``: ``venue_order_id`` is the order that works from now on, with ``terms``; ``replacement`` is the number of
      the replacement, 0 where the venue changed the order without being asked
    - ``replace_refused`` (``replacement`` says which, 0: all that are pending); ``cancel_refused``
    - ``busted``: the venue took the execution ``busted_fill_id`` back; ``corrected``: it changed it into ``fill``
    - ``superseded``: ``venue_order_id`` still works although its replacement does; one of them has to go
    - ``other``: nothing to record
    - ``listening``: a stream says it, with empty ids, when it is live, and again when it could not read something.
      Nothing is missed after it; what came before, ask.
    """

    client_order_id: OrderId
    venue_order_id: str
    status: str
    reason: str = ""
    fill: VenueFill | None = None
    busted_fill_id: FillId | None = None
    replacement: int = 0
    terms: VenueTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingOrder:
    """An order that works at the venue right now, ours or not. ``client_order_id`` is as in a report."""

    client_order_id: OrderId
    venue_order_id: str
    symbol: str
    side: Side
    status: str
    terms: VenueTerms
    filled_quantity: Decimal
    submitted_at: datetime


class VenueRefusedError(Exception):
    """The venue refused definitively: the order is not there. ``code`` and the text are the venue's own."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class VenueUnreachableError(Exception):
    """The request provably never left: no connection could be made."""


class VenueOutcomeUnknownError(Exception):
    """No answer, or one that proves nothing: the venue may or may not have acted."""


class VenueHasOrderError(VenueOutcomeUnknownError):
    """The venue knows the client order id, but does not show the order: it is there, whatever a query says."""


class VenueBusyError(Exception):
    """The venue asked to slow down; the request was not acted on."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"the venue asks to wait {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A symbol the venue trades. ``reference_price`` is its last price and ``price_at`` the time of it, when known."""

    symbol: Symbol
    name: str
    tradable: bool
    fractionable: bool
    reference_price: Price | None
    price_at: datetime | None


class Venue(Protocol):
    """An exchange. Every request is bounded by a timeout.

    All methods raise VenueUnreachableError (never sent), VenueOutcomeUnknownError (sent, no answer that proves
    anything), VenueBusyError (asked to wait) or VenueRefusedError (a definitive no).
    """

    name: str

    async def submit(self, order: VenueOrder) -> Sequence[VenueReport]:
        """Send the order; the reports say what became of it at once (at least ``accepted``).

        A venue that knows the client order id already answers with the reports of the order it has.
        """
        ...

    async def find(self, sought: Sought) -> Sequence[VenueReport]:
        """Everything the venue knows of the order, whatever its state: acceptance, replacement, fills, end.

        Replacements are followed to the order that works now. The reports of a leg come with those of its order.
        Empty: not found.
        """
        ...

    async def cancel(self, venue_order_id: str) -> None:
        """Ask for the order to be cancelled; the outcome comes as a report. Never waits for a request to submit."""
        ...

    async def replace(self, replacement: VenueReplacement) -> Sequence[VenueReport]:
        """Ask for other terms; the reports say what became of it at once (at least ``replaced``).

        A venue that has carried out this replacement already answers with the reports of the order that it led to.
        """
        ...

    async def working_orders(self) -> Sequence[WorkingOrder]:
        """Every order of the account that works right now."""
        ...

    async def executions(self, after: datetime) -> Sequence[VenueReport]:
        """Every fill, bust and correction of the account after a moment, oldest first.

        The venue lists them without the names of their orders: ``client_order_id`` is empty, ``venue_order_id`` is not.
        """
        ...

    async def client_order_id(self, venue_order_id: str) -> OrderId | None:
        """Whose order that is, as in a report; None when the venue does not know it."""
        ...

    def reports(self) -> AsyncIterator[VenueReport]:
        """The live stream of reports, from now on. Raises VenueOutcomeUnknownError when the connection is lost."""
        ...

    async def instruments(self) -> Sequence[Instrument]:
        """What the venue trades, with reference prices."""
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
        """The order that the venue acknowledged under this id of its own; None if none of ours was."""
        ...
