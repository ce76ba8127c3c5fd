"""The port to the exchange: what is sent there, what it says, and what its answers prove.

The real parts are under ``infrastructure/exchanges/``.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.frozen import dataclass
from domain.instruments import ANYTHING, SymbolRules
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce


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
    """A symbol the venue trades, and what orders in it must fit.

    ``reference_price`` is its last price and ``price_at`` the time of it, when known.
    """

    symbol: Symbol
    name: str
    tradable: bool
    fractionable: bool
    reference_price: Price | None
    price_at: datetime | None
    rules: SymbolRules = ANYTHING


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
        """What the venue trades, with reference prices and the rules of each."""
        ...
