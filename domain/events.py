"""What happened, in the past tense: the closed union of every event.

╔═══════════════════════════════════════════════════════════════════════════════════════════════════════════════════╗
║ The names in TOPICS and the fields below are on disk for ever. Never rename one, never change what one means.     ║
║ A changed shape is a new version with an upcaster: docs/how-to/change-an-event.md says how.                       ║
╚═══════════════════════════════════════════════════════════════════════════════════════════════════════════════════╝

Order events read like FIX execution reports: each says the status it left the order in, and a fill says the cumulative
and the remaining quantity, so that a reader of one event need not fold the ones before it.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, NewType

from domain.frozen import dataclass
from domain.lifecycle import Flag, Status
from domain.values import (
    Currency,
    FillId,
    Money,
    OrderId,
    OrderType,
    Price,
    Quantity,
    Side,
    Symbol,
    TimeInForce,
    TraderId,
)

StreamId = NewType("StreamId", str)


# ── Orders ── stream "order-<order id>" ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """The order is durable; nothing has been sent yet.

    ``reserve_price`` is the cash held per unit of a buy: the limit price, or the reference or stop price plus a margin.
    An exit names the order whose fill it protects in ``parent_order_id``, and in ``oco_order_id`` the other exit of the
    pair, of which one cancels the other.
    """

    order_id: OrderId
    trader_id: TraderId
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: Quantity
    order_type: OrderType
    price: Price | None
    stop_price: Price | None
    time_in_force: TimeInForce
    stop_loss: Price | None
    take_profit: Price | None
    reference_price: Price | None
    reserve_price: Price | None
    parent_order_id: OrderId | None
    oco_order_id: OrderId | None
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSent:
    """Attempt number ``attempt`` (1, 2, 3) to hand the order to the venue begins now."""

    attempt: int
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecovered:
    """Reconciliation found the order at the venue after attempt ``attempt`` had no answer."""

    attempt: int
    venue_order_id: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnresolved:
    """The venue may or may not have the order; its funds stay held until that is known."""

    reason: str
    status: Status
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAccepted:
    """The venue acknowledged the order."""

    venue_order_id: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled:
    """A fill, in part or in full: ``filled_quantity`` is cumulative, ``leaves_quantity`` is what still works."""

    fill_id: FillId
    symbol: Symbol
    side: Side
    quantity: Quantity
    price: Price
    commission: Money
    venue: str
    executed_at: datetime
    filled_quantity: Quantity
    leaves_quantity: Quantity
    average_fill_price: Price
    status: Status
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFillBusted:
    """The venue took a fill back (FIX ExecType H, trade cancel); ``execution_id`` is the bust's own id.

    ``quantity``, ``price`` and ``commission`` are what the fill had been booked with: 0 when it had not been, in which
    case it never will be.
    """

    fill_id: FillId
    execution_id: FillId
    symbol: Symbol
    side: Side
    quantity: Quantity
    price: Price
    commission: Money
    reason: str
    filled_quantity: Quantity
    leaves_quantity: Quantity
    average_fill_price: Price | None
    status: Status
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFillCorrected:
    """The venue changed a fill (FIX ExecType G, trade correct); ``execution_id`` is the correction's own id.

    The ``previous_`` fields are what the fill had been booked with: 0 when it had not been, in which case it is now.
    """

    fill_id: FillId
    execution_id: FillId
    symbol: Symbol
    side: Side
    quantity: Quantity
    price: Price
    commission: Money
    venue: str
    executed_at: datetime
    previous_quantity: Quantity
    previous_price: Price
    previous_commission: Money
    filled_quantity: Quantity
    leaves_quantity: Quantity
    average_fill_price: Price
    status: Status
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The venue refused the order, or it provably never arrived; ``code`` and ``reason`` are the venue's."""

    code: str
    reason: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelRequested:
    """The trader wants the rest of the order cancelled; the venue decides."""

    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelRefused:
    """The venue would not cancel; the order works on."""

    reason: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """The rest of the order is cancelled, by the venue or before it was ever sent."""

    reason: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExpired:
    """The order's time in force ended."""

    reason: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReplaceRequested:
    """The trader wants other terms; the venue decides. ``number`` counts the order's replacements from 1.

    The terms are those that the whole order would have; until the venue has answered, the larger hold counts.
    """

    number: int
    quantity: Quantity
    price: Price | None
    stop_price: Price | None
    reserve_price: Price | None
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReplaced:
    """The order works on these terms from now on, at the venue as ``venue_order_id`` if it is there already.

    ``number`` is the replacement's, 0 where the venue changed the order without being asked.
    """

    number: int
    venue_order_id: str | None
    quantity: Quantity
    price: Price | None
    stop_price: Price | None
    reserve_price: Price | None
    leaves_quantity: Quantity
    status: Status
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReplaceRefused:
    """Replacement ``number`` will not happen; the order works on as it was."""

    number: int
    reason: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReconciled:
    """The venue's books and ours differed: what the venue said, before anything was done about it.

    ``venue_status`` and ``venue_filled_quantity`` are the venue's, ``filled_quantity`` and ``status`` ours.
    """

    venue_order_id: str
    venue_status: str
    venue_filled_quantity: Quantity
    filled_quantity: Quantity
    reason: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCounterpartFilled:
    """The other exit of the pair has filled ``quantity`` in all: this one holds units only for what is left of them.

    The venue has taken as much from this order, and says so in a report of its own.
    """

    quantity: Quantity
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnprotected:
    """What the order has filled is not protected as its trader wished: an exit could not be placed, or is gone."""

    fill_id: FillId | None
    exit_order_id: OrderId | None
    reason: str
    status: Status
    flags: tuple[Flag, ...]


# ── Accounts ── stream "account-<trader id>" ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsDeposited:
    """Cash came in."""

    amount: Money
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsWithdrawn:
    """Cash went out."""

    amount: Money
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsReserved:
    """Cash is held for a buy order of ``quantity`` units.

    Of an order that its trader has just placed, it says what the limits over time count: ``asked_at`` (the clock of
    whoever decided), the order's ``notional``, and its ``terms`` in words where duplicates are looked for. All three are
    None of exits, and of orders that work again.
    """

    order_id: OrderId
    symbol: Symbol
    quantity: Quantity
    amount: Money
    asked_at: datetime | None
    notional: Money | None
    terms: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsReleased:
    """Cash held for the ``quantity`` units that a buy order will no longer fill is free again."""

    order_id: OrderId
    symbol: Symbol
    quantity: Quantity
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesReserved:
    """Units of the position are held for a sell order; the last three fields are those of ``FundsReserved``."""

    order_id: OrderId
    symbol: Symbol
    quantity: Quantity
    asked_at: datetime | None
    notional: Money | None
    terms: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesReleased:
    """Units that a sell order will no longer fill are free again."""

    order_id: OrderId
    symbol: Symbol
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeBooked:
    """A fill changed cash and position.

    ``released_quantity`` is how many of the order's working units the fill used up (an overfill uses fewer than it
    brings) and ``released_cash`` the cash that frees, 0 for a sell; ``closed`` says that the fill ended the order.
    """

    order_id: OrderId
    fill_id: FillId
    symbol: Symbol
    side: Side
    quantity: Quantity
    price: Price
    commission: Money
    released_quantity: Quantity
    released_cash: Money
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationChanged:
    """What is held for a working order became more, or less: by ``quantity`` units and ``amount`` dollars.

    Where its trader has just asked for other terms, ``asked_at`` says when, and ``notional`` what that adds to the order's.
    """

    order_id: OrderId
    symbol: Symbol
    side: Side
    quantity: Quantity
    amount: Money
    asked_at: datetime | None
    notional: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeCorrected:
    """A booked fill changed, or was taken back (``quantity`` 0); the ``previous_`` fields are what is undone."""

    order_id: OrderId
    fill_id: FillId
    symbol: Symbol
    side: Side
    quantity: Quantity
    price: Price
    commission: Money
    previous_quantity: Quantity
    previous_price: Price
    previous_commission: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsChanged:
    """What the trader's own limits are from now on; None where the default holds. Who changed them is in the metadata.

    ``restricted_symbols`` come on top of those that nobody may trade.
    """

    max_position: Quantity | None
    max_order_quantity: Quantity | None
    max_order_notional: Money | None
    max_open_orders: int | None
    max_orders_per_second: int | None
    max_daily_notional: Money | None
    price_collar_percent: Decimal | None
    duplicate_window_seconds: int | None
    restricted_symbols: tuple[Symbol, ...] | None
    reason: str | None


# ── Halts ── stream "halts" ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingHalted:
    """No new orders and no other terms in this scope: ``all``, ``trader:T`` or ``symbol:S``.

    ``cancel_open`` says that whatever works in the scope is to be cancelled, too.
    """

    scope: str
    reason: str
    cancel_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrdersCancelRequested:
    """Of every order that worked in the scope when it was halted, the cancel is recorded; the venue decides.

    ``halt_version`` is the version of the halt in this stream.
    """

    scope: str
    halt_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingResumed:
    """The halt of this scope is over; those of other scopes are not."""

    scope: str
    reason: str | None


# ── The rollout ── stream "rollout" ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutChanged:
    """Whether new orders are taken, and from how many percent of traders; None: as the environment of each process says."""

    enabled: bool | None
    ramp_percent: int | None
    reason: str


# ── The venue ── stream "venue-<name>" ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOrderReported:
    """The venue has an order that is not ours. It is nobody's here; somebody must look."""

    venue_order_id: str
    client_order_id: str
    symbol: str
    side: str
    quantity: Quantity
    filled_quantity: Quantity
    venue_status: str


# ── Read models ── stream "projection-<name>" ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionEventSkipped:
    """An operator decided that a projection never applies the event at ``position``, because it cannot."""

    projection: str
    position: int
    event_type: str
    reason: str


OrderEvent = (
    OrderPlaced
    | OrderSent
    | OrderRecovered
    | OrderUnresolved
    | OrderAccepted
    | OrderFilled
    | OrderRejected
    | OrderCancelRequested
    | OrderCancelRefused
    | OrderCancelled
    | OrderExpired
    | OrderFillBusted
    | OrderFillCorrected
    | OrderReplaceRequested
    | OrderReplaced
    | OrderReplaceRefused
    | OrderReconciled
    | OrderCounterpartFilled
    | OrderUnprotected
)
FillEvent = OrderFilled | OrderFillCorrected | OrderFillBusted
AccountEvent = (
    FundsDeposited
    | FundsWithdrawn
    | FundsReserved
    | FundsReleased
    | SharesReserved
    | SharesReleased
    | ReservationChanged
    | TradeBooked
    | TradeCorrected
    | LimitsChanged
)
HaltEvent = TradingHalted | OpenOrdersCancelRequested | TradingResumed
VenueEvent = UnknownOrderReported
ProjectionEvent = ProjectionEventSkipped
RolloutEvent = RolloutChanged
Event = OrderEvent | AccountEvent | HaltEvent | RolloutEvent | VenueEvent | ProjectionEvent

TOPICS: dict[str, type[Event]] = {
    "OrderPlaced": OrderPlaced,
    "OrderSent": OrderSent,
    "OrderRecovered": OrderRecovered,
    "OrderUnresolved": OrderUnresolved,
    "OrderAccepted": OrderAccepted,
    "OrderFilled": OrderFilled,
    "OrderRejected": OrderRejected,
    "OrderCancelRequested": OrderCancelRequested,
    "OrderCancelRefused": OrderCancelRefused,
    "OrderCancelled": OrderCancelled,
    "OrderExpired": OrderExpired,
    "OrderFillBusted": OrderFillBusted,
    "OrderFillCorrected": OrderFillCorrected,
    "OrderReplaceRequested": OrderReplaceRequested,
    "OrderReplaced": OrderReplaced,
    "OrderReplaceRefused": OrderReplaceRefused,
    "OrderReconciled": OrderReconciled,
    "OrderCounterpartFilled": OrderCounterpartFilled,
    "OrderUnprotected": OrderUnprotected,
    "FundsDeposited": FundsDeposited,
    "FundsWithdrawn": FundsWithdrawn,
    "FundsReserved": FundsReserved,
    "FundsReleased": FundsReleased,
    "SharesReserved": SharesReserved,
    "SharesReleased": SharesReleased,
    "ReservationChanged": ReservationChanged,
    "TradeBooked": TradeBooked,
    "TradeCorrected": TradeCorrected,
    "LimitsChanged": LimitsChanged,
    "TradingHalted": TradingHalted,
    "OpenOrdersCancelRequested": OpenOrdersCancelRequested,
    "TradingResumed": TradingResumed,
    "RolloutChanged": RolloutChanged,
    "UnknownOrderReported": UnknownOrderReported,
    "ProjectionEventSkipped": ProjectionEventSkipped,
}
"""The stored name of every event: its topic in the store, its ``type`` on every stream."""


# ── The record around an event ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Metadata:
    """Who caused an event and why: kept beside the data, covered by the hash chain.

    ``actor`` is who asked (``trader:alice``, ``ops:bob``, ``venue``, ``engine``); ``correlation_id`` names the request
    that began it all and ``causation_id`` the request or event that led here directly.
    """

    trader_id: TraderId
    actor: str
    correlation_id: str
    causation_id: str


class RecordedEvent(NamedTuple):
    """An event as it stands in the log.

    ``position`` counts from 1 without gaps over the whole log, ``version`` from 1 within the stream. ``recorded_at`` is
    UTC and never falls as positions rise. ``hash`` is the chain's 32-byte SHA-256 up to and including this event.
    """

    position: int
    stream_id: StreamId
    version: int
    event: Event
    metadata: Metadata
    recorded_at: datetime
    hash: bytes


HALTS_STREAM = StreamId("halts")
"""The stream that holds what is halted."""

ROLLOUT_STREAM = StreamId("rollout")
"""The stream that holds who may place orders."""


def order_stream(order_id: OrderId) -> StreamId:
    """The stream that holds an order's events."""
    return StreamId(f"order-{order_id}")


def account_stream(trader_id: TraderId) -> StreamId:
    """The stream that holds a trader's account events."""
    return StreamId(f"account-{trader_id}")


def venue_stream(venue_name: str) -> StreamId:
    """The stream that holds what a venue says beyond our orders."""
    return StreamId(f"venue-{venue_name}")


def projection_stream(name: str) -> StreamId:
    """The stream that holds what operators decided about a read model."""
    return StreamId(f"projection-{name}")


def order_of(stream_id: StreamId) -> OrderId | None:
    """The order whose stream this is, or None."""
    return OrderId(stream_id[6:]) if stream_id.startswith("order-") else None
