"""Alpaca's words for orders and fills, and ours.

Everything that comes in is untrusted: it is decoded against a type, amounts go through the domain's own parsers, and
whatever does not fit is an UnreadableError. Numbers are decoded digit by digit into decimals, never through a float.

One execution has one name. The stream calls it ``execution_id``; the account's activities call it
``20220202135509981::<execution_id>``, with New York's wall clock in front. The fill id is the execution id.

Alpaca charges no commission per execution, and books fees on crypto later, as activities of their own. A server that
does charge says so beside the fill, in ``commission``.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from re import compile as pattern
from typing import Annotated, Final, TypeVar

import msgspec
import structlog

from application.ports import VenueFill, VenueOrder, VenueOutcomeUnknownError, VenueReport
from domain.refusals import InvalidPrice, InvalidQuantity
from domain.values import (
    AMOUNT_LIMIT,
    DECIMALS_MAX,
    ZERO,
    FillId,
    Money,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    parse_price,
    parse_quantity,
    tidy,
)
from infrastructure.exchanges.alpaca_http import NUL_ESCAPES

_SIDES: Final = {Side.BUY: "buy", Side.SELL: "sell"}
_TYPES: Final = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
}
_LIFETIMES: Final = {
    TimeInForce.DAY: "day",
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
}
_ENDS: Final = {"canceled": "cancelled", "expired": "expired", "rejected": "rejected"}
_EVENTS: Final = {
    "new": "accepted",
    "accepted": "accepted",
    "partial_fill": "filled",
    "fill": "filled",
    "order_cancel_rejected": "cancel_refused",
    **_ENDS,
}
# The venue took an execution back or changed it. Nothing here books that, so somebody must look.
_CORRECTIONS: Final = frozenset({"trade_bust", "trade_correct"})
_EXECUTION_ID: Final = pattern(r"[\x21-\x7e]{1,128}")
_COMMISSION_DECIMALS_MAX: Final = 2 * DECIMALS_MAX
_RAW_CHARACTERS: Final = 4_000

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Shape = TypeVar("Shape")

log = structlog.get_logger(__name__)


class UnreadableError(VenueOutcomeUnknownError):
    """The venue said something that cannot be understood, which proves nothing."""


class WireOrder(msgspec.Struct):
    """An order as the venue shows it."""

    id: str
    client_order_id: str
    status: str
    filled_qty: Decimal | None = None
    created_at: Moment | None = None
    reject_reason: str | None = None

    @property
    def filled(self) -> Decimal:
        """How much of it has been filled."""
        return ZERO if self.filled_qty is None else self.filled_qty


class FillPage(msgspec.Struct):
    """One page of the account's fills: those of one order, how many entries it had, and the last one's own name."""

    fills: list[VenueFill]
    entries: int
    last_id: str


class _Activity(msgspec.Struct):
    id: str
    order_id: str
    qty: Decimal
    price: Decimal
    transaction_time: Moment
    commission: Decimal | None = None


class _UpdatedOrder(msgspec.Struct):
    id: str
    client_order_id: str
    reject_reason: str | None = None


class _TradeUpdate(msgspec.Struct):
    event: str
    order: _UpdatedOrder
    execution_id: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    timestamp: Moment | None = None
    commission: Decimal | None = None


def decoded(body: bytes | str, shape: type[Shape]) -> Shape:
    """JSON of the given shape; fields it does not name are ignored.

    Raises:
        UnreadableError: it is anything else.
    """
    try:
        content = body.encode() if isinstance(body, str) else body
        return msgspec.json.decode(content.replace(*NUL_ESCAPES), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"cannot read what the venue said: {error}") from error


def utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        UnreadableError: no calendar has it.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise UnreadableError(f"{moment} is no time") from error


def raw_text(said: bytes | str) -> str:
    """What the venue said, as it said it, for a log line."""
    text = said if isinstance(said, str) else bytes(said).decode(errors="replace")
    return text[:_RAW_CHARACTERS]


def order_request(order: VenueOrder) -> bytes:
    """The body of ``POST /v2/orders``; amounts are decimal strings."""
    body = {
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": _SIDES[order.side],
        "qty": f"{order.quantity:f}",
        "type": _TYPES[order.order_type],
        "time_in_force": _LIFETIMES[order.time_in_force],
    }
    if order.price is not None:
        body["limit_price"] = f"{order.price:f}"
    if order.stop_price is not None:
        body["stop_price"] = f"{order.stop_price:f}"
    return msgspec.json.encode(body)


def read_order(body: bytes, client_order_id: OrderId) -> WireOrder:
    """The order in an answer.

    Raises:
        UnreadableError: it is no order, or another one than was asked for.
    """
    order = decoded(body, WireOrder)
    if order.client_order_id != client_order_id:
        raise UnreadableError(f"asked for order {client_order_id}, the venue answered {order.client_order_id}")
    if not order.filled.is_finite():
        raise UnreadableError(f"the venue filled {order.filled} of order {client_order_id}")
    return order


def read_fills(body: bytes, venue_order_id: str) -> FillPage:
    """The fills of one order on one page of activities. An entry that cannot be read is logged, since money moved.

    Raises:
        UnreadableError: it is no list of activities.
    """
    entries = decoded(body, list[msgspec.Raw])
    page = FillPage(fills=[], entries=len(entries), last_id="")
    for raw in entries:
        try:
            activity = decoded(bytes(raw), _Activity)
            page.last_id = activity.id
            if activity.order_id == venue_order_id:
                execution_id = activity.id.rpartition("::")[2]
                page.fills.append(
                    _fill(execution_id, activity.qty, activity.price, activity.commission, activity.transaction_time)
                )
        except UnreadableError as error:
            log.error("venue_fill_unreadable", problem=str(error), raw=raw_text(bytes(raw)))  # noqa: TRY400 - no traceback: the text is what helps
    return page


def reports_of(order: WireOrder, fills: Iterable[VenueFill]) -> list[VenueReport]:
    """Everything the venue says of an order: acceptance, fills, end.

    The end is left out while fills are missing that the order says it has: an order must not be over in our books
    before what it filled is in them. Whoever asks again later gets both.
    """
    reports = [] if order.status == "rejected" else [_report(order, "accepted")]
    filled = ZERO
    for fill in fills:
        filled += fill.quantity
        reports.append(_report(order, "filled", fill=fill))
    end = _ENDS.get(order.status)
    if filled < order.filled:
        log.warning("venue_fills_missing", order_id=order.client_order_id, filled=str(order.filled), known=str(filled))
    elif end is not None:
        reports.append(_report(order, end))
    return reports


def read_update(data: bytes | str) -> VenueReport:
    """The report in one message of the ``trade_updates`` stream.

    Raises:
        UnreadableError: it is no trade update, or it is a fill without its execution, quantity, price or time.
    """
    update = decoded(data, _TradeUpdate)
    status = _EVENTS.get(update.event, "other")
    if update.event in _CORRECTIONS:
        log.error("venue_correction_not_booked", correction=update.event, raw=raw_text(data))
    if status != "filled":
        return _report(update.order, status)
    if update.execution_id is None or update.qty is None or update.price is None or update.timestamp is None:
        raise UnreadableError(f"a {update.event} without its execution, quantity, price or time")
    return _report(
        update.order,
        status,
        fill=_fill(update.execution_id, update.qty, update.price, update.commission, update.timestamp),
    )


def _fill(
    execution_id: str, quantity: Decimal, price: Decimal, commission: Decimal | None, executed_at: datetime
) -> VenueFill:
    if not _EXECUTION_ID.fullmatch(execution_id):
        raise UnreadableError(f"{execution_id!r} names no execution")
    try:
        return VenueFill(
            fill_id=FillId(execution_id),
            quantity=parse_quantity(quantity),
            price=parse_price(price),
            commission=_commission(commission),
            executed_at=utc(executed_at),
        )
    except (InvalidQuantity, InvalidPrice) as error:
        raise UnreadableError(f"the venue executed {quantity} at {price}") from error


def _commission(charged: Decimal | None) -> Money:
    """What the venue charged, or paid where it is negative: below 10^12 dollars, with at most 18 decimals.

    A rate may have 9 decimals and the quantity it is multiplied with as many.
    """
    if not charged:
        return Money(ZERO)
    exponent = charged.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_COMMISSION_DECIMALS_MAX or charged.copy_abs() >= AMOUNT_LIMIT:
        raise UnreadableError(f"the venue charged {charged}")
    return Money(tidy(charged))


def _report(order: WireOrder | _UpdatedOrder, status: str, fill: VenueFill | None = None) -> VenueReport:
    reason = "" if status in {"accepted", "filled"} else order.reject_reason or ""
    return VenueReport(
        client_order_id=OrderId(order.client_order_id),
        venue_order_id=order.id,
        status=status,
        reason="the venue gave no reason" if status == "rejected" and not reason else reason,
        fill=fill,
    )
