"""What can be asked of an order or an account, in the imperative.

Requests come from people and can be refused. Reports come from the venue and the executor: they are facts, and what
is already known decides to nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.frozen import dataclass
from domain.instruments import ANYTHING, SymbolRules
from domain.lifecycle import Status
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId

# ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """A new order. ``reference_price`` is the market's price at this moment, None when nobody knows one.

    ``asked_at`` is now, and ``reference_price_at`` the time of that price where it is known. Exits, which nobody asks
    for, have neither. ``rules`` are those of the symbol.
    Only exits have a ``parent_order_id``, the order whose fill they protect, and an ``oco_order_id``, the other exit.
    """

    order_id: OrderId
    trader_id: TraderId
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: Quantity
    order_type: OrderType
    price: Price | None = None
    stop_price: Price | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    stop_loss: Price | None = None
    take_profit: Price | None = None
    reference_price: Price | None = None
    reference_price_at: datetime | None = None
    asked_at: datetime | None = None
    parent_order_id: OrderId | None = None
    oco_order_id: OrderId | None = None
    rules: SymbolRules = ANYTHING


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Take back what is not filled yet. ``reason`` is why, where it was not its trader's wish."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceOrder:
    """Go on with other terms; what is None stays as it is. ``quantity`` is the new total, fills included.

    The last four fields are those of ``PlaceOrder``.
    """

    quantity: Quantity | None = None
    price: Price | None = None
    stop_price: Price | None = None
    reference_price: Price | None = None
    reference_price_at: datetime | None = None
    asked_at: datetime | None = None
    rules: SymbolRules = ANYTHING


@dataclass(frozen=True, slots=True)
class Deposit:
    """Cash in, dollars."""

    amount: Money


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cash out, dollars."""

    amount: Money


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """Other limits for a trader: by name what ``domain.limits.parse_limit`` made of them, None for the default again."""

    changes: Mapping[str, Any]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class HaltTrading:
    """Take no new orders and no other terms in this scope, and cancel what works there if ``cancel_open``."""

    scope: str
    reason: str
    cancel_open: bool = False


@dataclass(frozen=True, slots=True)
class ResumeTrading:
    """End the halt of this scope."""

    scope: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeRollout:
    """Take new orders at all or not, and from this share of traders, in percent; what is None stays."""

    reason: str
    enabled: bool | None = None
    ramp_percent: int | None = None


# ── Reports ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class RecordSent:
    """The executor is about to hand the order to the venue for the ``attempt``-th time."""

    attempt: int


@dataclass(frozen=True, slots=True)
class RecordRecovery:
    """Asked after attempt ``attempt``, the venue says that it has the order."""

    attempt: int
    venue_order_id: str


@dataclass(frozen=True, slots=True)
class RecordUnresolved:
    """Nobody can say whether the venue has the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class RecordNeverArrived:
    """The venue provably does not have the order, and it is not sent again."""

    reason: str


@dataclass(frozen=True, slots=True)
class RecordAcceptance:
    """The venue acknowledged the order."""

    venue_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFill:
    """The venue filled some of the order."""

    fill_id: FillId
    quantity: Quantity
    price: Price
    commission: Money
    venue: str
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class RecordRejection:
    """The venue refused the order."""

    code: str
    reason: str
    venue_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordCancelRefusal:
    """The venue would not cancel."""

    reason: str
    venue_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordCancellation:
    """The venue cancelled what was left. ``venue_order_id`` is its own name for what ended, where it gives one."""

    reason: str
    venue_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordExpiry:
    """The venue ended the order's time in force."""

    reason: str
    venue_order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBust:
    """The venue took a fill back; ``execution_id`` is the bust's own id."""

    fill_id: FillId
    execution_id: FillId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCorrection:
    """The venue changed a fill; ``execution_id`` is the correction's own id, the rest what the fill is now."""

    fill_id: FillId
    execution_id: FillId
    quantity: Quantity
    price: Price
    commission: Money
    venue: str
    executed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReplacement:
    """The venue works on these terms now; ``number`` is the replacement's, 0 where nobody asked for one."""

    number: int
    venue_order_id: str
    quantity: Quantity
    price: Price | None
    stop_price: Price | None


@dataclass(frozen=True, slots=True)
class RecordReplaceRefusal:
    """The venue would not replace; ``number`` says which replacement, 0 all that are pending."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDifference:
    """The venue's books and ours differ; ``reason`` says how.

    ``compared_with`` is the status here when the books were compared: one that has changed since makes it old news.
    """

    venue_order_id: str
    venue_status: str
    venue_filled_quantity: Quantity
    reason: str
    compared_with: Status | None = None


@dataclass(frozen=True, slots=True)
class RecordCancelsRequested:
    """Every order is being cancelled that worked when the halt with this version was made, as it asked for."""

    halt_version: int


OrderReport = (
    RecordSent
    | RecordRecovery
    | RecordUnresolved
    | RecordNeverArrived
    | RecordAcceptance
    | RecordFill
    | RecordRejection
    | RecordCancelRefusal
    | RecordCancellation
    | RecordExpiry
    | RecordBust
    | RecordCorrection
    | RecordReplacement
    | RecordReplaceRefusal
    | RecordDifference
)
OrderCommand = PlaceOrder | CancelOrder | ReplaceOrder | OrderReport
AccountRequest = Deposit | Withdraw | ChangeLimits
HaltCommand = HaltTrading | ResumeTrading | RecordCancelsRequested
