"""Alpaca's words for orders, and ours.

An order has two names at the venue: its own id, and the ``client_order_id`` we give it. An order of ours is named by
our order id, its n-th replacement ``<order id>.<n>``. Legs are named by the venue.
"""

from decimal import Decimal
from functools import lru_cache
from re import compile as pattern
from typing import Final

import msgspec
import structlog

from application.venue import VenueOrder, VenueRefusedError, VenueReplacement, VenueTerms, WorkingOrder
from domain.refusals import InvalidPrice, InvalidQuantity
from domain.values import (
    ZERO,
    OrderId,
    OrderType,
    Price,
    Quantity,
    Side,
    TimeInForce,
    parse_price,
    parse_quantity,
)
from infrastructure.exchanges.alpaca_reading import Moment, UnreadableError, decoded, raw_text, utc

_SIDES: Final = {Side.BUY: "buy", Side.SELL: "sell"}
_OUR_SIDES: Final = {word: side for side, word in _SIDES.items()}
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
_HEX: Final = "[0-9A-Fa-f]"
_REPLACEMENT: Final = pattern(rf"({_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}})\.([1-9][0-9]{{0,8}})")

log = structlog.get_logger(__name__)


class WireOrder(msgspec.Struct):
    """An order as the venue shows it."""

    id: str
    client_order_id: str
    status: str
    symbol: str | None = None
    side: str | None = None
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    filled_qty: Decimal | None = None
    filled_at: object = None
    created_at: Moment | None = None
    submitted_at: Moment | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    legs: list[msgspec.Raw] | None = None
    reject_reason: str | None = None

    @property
    def filled(self) -> Decimal:
        """How much of it has been filled."""
        return ZERO if self.filled_qty is None else self.filled_qty

    @property
    def has_executions(self) -> bool:
        """Whether it was ever filled, as far as it tells: what was taken back since may leave nothing filled."""
        return self.filled != ZERO or self.filled_at is not None or self.status in {"filled", "partially_filled"}


def replacement_name(order_id: OrderId, number: int) -> str:
    """How the replacement is named at the venue."""
    return f"{order_id}.{number}"


def named(client_order_id: str) -> tuple[OrderId, int]:
    """Whose order it is, and the number of the replacement: 0 for the order itself and for what has another name."""
    shape = _REPLACEMENT.fullmatch(client_order_id)
    return (OrderId(client_order_id), 0) if shape is None else (OrderId(shape[1]), int(shape[2]))


def order_request(order: VenueOrder) -> bytes:
    """The body of ``POST /v2/orders``; amounts are decimal strings.

    Raises:
        VenueRefusedError: the venue has no such order: only limit orders can have a leg.
    """
    body: dict[str, object] = {
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": _SIDES[order.side],
        "qty": f"{order.quantity:f}",
        "type": _TYPES[order.order_type],
        "time_in_force": _LIFETIMES[order.time_in_force],
    }
    if order.leg is not None:
        if order.order_type is not OrderType.LIMIT or order.price is None:
            raise VenueRefusedError("INVALID_LEG", "only a limit order can have a leg")
        body["order_class"] = "oco"
        body["take_profit"] = {"limit_price": f"{order.price:f}"}
        body["stop_loss"] = {"stop_price": f"{order.leg.stop_price:f}"}
    else:
        body |= _prices(order.price, order.stop_price)
    return msgspec.json.encode(body)


def replacement_request(replacement: VenueReplacement) -> bytes:
    """The body of ``PATCH /v2/orders/{id}``: what is left out stays as it is."""
    body = {"client_order_id": replacement_name(replacement.client_order_id, replacement.number)}
    if replacement.quantity is not None:
        body["qty"] = f"{replacement.quantity:f}"
    return msgspec.json.encode(body | _prices(replacement.price, replacement.stop_price))


def read_order(body: bytes | msgspec.Raw) -> WireOrder:
    """The order in an answer.

    Raises:
        UnreadableError: it is no order.
    """
    order = decoded(body, WireOrder)
    if not order.filled.is_finite():
        raise UnreadableError(f"the venue filled {order.filled} of order {order.client_order_id}")
    return order


def read_order_named(body: bytes, client_order_id: str) -> WireOrder:
    """The order in an answer, which must have this name.

    Raises:
        UnreadableError: it is no order, or another one than was asked for.
    """
    order = read_order(body)
    if order.client_order_id != client_order_id:
        raise UnreadableError(f"asked for order {client_order_id}, the venue answered {order.client_order_id}")
    return order


def terms_of(order: WireOrder) -> VenueTerms | None:
    """What the venue works on; None where it does not say, or says nonsense, which is logged."""
    if order.qty is None:
        return None
    try:
        return _terms(order.qty, order.limit_price, order.stop_price)
    except (InvalidQuantity, InvalidPrice, TypeError) as error:  # a signalling NaN cannot even be looked up
        log.warning("venue_terms_unreadable", order_id=order.client_order_id, problem=str(error))
        return None


@lru_cache(maxsize=10_000)
def _terms(quantity: Decimal, price: Decimal | None, stop_price: Decimal | None) -> VenueTerms:
    """The same terms are told again and again: by an answer, by the stream, and in every list of what works."""
    return VenueTerms(
        quantity=parse_quantity(quantity),
        price=None if price is None else parse_price(price),
        stop_price=None if stop_price is None else parse_price(stop_price),
    )


def read_working_orders(body: bytes) -> tuple[dict[str, WorkingOrder], int]:
    """The orders on one page by the venue's ids, and how many entries it had.

    An entry that cannot be read is logged as an error and left out: it must not hide the others.

    Raises:
        UnreadableError: it is no list of orders.
    """
    entries = decoded(body, list[msgspec.Raw])
    found: dict[str, WorkingOrder] = {}
    for raw in entries:
        try:
            order = read_order(raw)
            found[order.id] = _working(order)
        except UnreadableError as error:
            log.error("venue_order_unreadable", problem=str(error), raw=raw_text(raw))  # noqa: TRY400 - no traceback: the text is what helps
    return found, len(entries)


def _working(order: WireOrder) -> WorkingOrder:
    side, terms, moment = _OUR_SIDES.get(order.side or ""), terms_of(order), order.submitted_at or order.created_at
    if side is None or not order.symbol or moment is None or (terms is None and order.qty is not None):
        raise UnreadableError(f"order {order.id} works on nothing that can be understood")
    try:
        filled = parse_quantity(order.filled) if order.filled else ZERO
    except InvalidQuantity as error:
        raise UnreadableError(f"the venue filled {order.filled} of order {order.id}") from error
    return WorkingOrder(
        client_order_id=named(order.client_order_id)[0],
        venue_order_id=order.id,
        symbol=order.symbol,
        side=side,
        status=order.status,
        # An order for an amount of dollars, which is none of ours, has no quantity.
        terms=terms or VenueTerms(Quantity(ZERO), None, None),
        filled_quantity=filled,
        submitted_at=utc(moment),
    )


def _prices(price: Price | None, stop_price: Price | None) -> dict[str, str]:
    prices = {"limit_price": price, "stop_price": stop_price}
    return {name: f"{value:f}" for name, value in prices.items() if value is not None}
