"""Other terms for an order that works: requests, and what the venue made of them."""

from collections.abc import Sequence
from dataclasses import replace

from domain.commands import RecordReplacement, RecordReplaceRefusal, ReplaceOrder
from domain.events import OrderCancelRefused, OrderEvent, OrderReplaced, OrderReplaceRefused, OrderReplaceRequested
from domain.lifecycle import FINAL, Flag, Kind, Status, after, works_on
from domain.order import Order, Replacement, Terms, without
from domain.pricing import LIMITED, STOPPED, limit_of
from domain.refusals import InvalidPrice, InvalidQuantity, OrderNotReplaceable
from domain.values import ZERO, OrderType, Price, Quantity, Side, TimeInForce, tidy

_TOO_LATE = "the order was filled first"


def request_replacement(order: Order, request: ReplaceOrder) -> list[OrderEvent]:
    """What a trader's request for other terms leads to: done at once if the order never left, else the venue decides.

    What the request leaves out is taken from the last request that is still pending, or else from the order. Of a STOP
    order, ``price`` is the stop price where that is left out, as when it is placed.

    Raises:
        OrderNotReplaceable: it is over, or about to be cancelled.
        InvalidQuantity: the new total is filled already, or nothing the venue takes, or the quantity of an exit, which
            is not its trader's to choose.
        InvalidPrice: orders of this type have no such price, or it is not on the symbol's tick.
    """
    if order.is_over or order.status is Status.PENDING_CANCEL:
        raise OrderNotReplaceable(status=order.status)
    if order.terms.order_type is OrderType.STOP and request.stop_price is None:
        request = replace(request, price=None, stop_price=request.price)
    _check(order, request)
    base = order.wished
    price, stop_price = request.price or base.price, request.stop_price or base.stop_price
    terms = Terms(request.quantity or base.quantity, price, stop_price, _reserve_price(order, price, stop_price))
    if terms == base:
        return []
    number = order.replacement_number + 1
    if order.is_unsent:
        return _replaced(order, number, None, terms)
    status = after(order.status, Kind.REPLACE_ASKED)
    return [
        OrderReplaceRequested(
            number=number,
            quantity=terms.quantity,
            price=price,
            stop_price=stop_price,
            reserve_price=terms.reserve_price,
            status=status,
        )
    ]


def replaced(order: Order, report: RecordReplacement) -> list[OrderEvent]:
    """The venue works on other terms: a fact, whether they were asked for, given up, or nobody's wish.

    A quantity below what is filled means what is filled (FIX). A FILLED order that was made larger works again.
    """
    if report.venue_order_id in order.past_venue_order_ids or 0 < report.number < order.replaced_number:
        return []  # it has been replaced again since
    quantity = Quantity(max(report.quantity, order.filled_quantity))
    terms = Terms(quantity, report.price, report.stop_price, _reserve_price(order, report.price, report.stop_price))
    is_known = (order.venue_order_id, order.current) == (report.venue_order_id, terms)
    is_pending = any(each.number == report.number for each in order.replacements)
    if is_known and not is_pending:
        return []
    if order.is_over and (order.status is not Status.FILLED or quantity == order.filled_quantity):
        return []
    return _replaced(order, report.number, report.venue_order_id, terms)


def refuse_replacement(order: Order, report: RecordReplaceRefusal) -> list[OrderEvent]:
    """The venue would not: one event for each pending replacement that it means."""
    refused = [each for each in order.replacements if report.number in {0, each.number}]
    events: list[OrderEvent] = []
    left = order.replacements
    for each in refused:
        left = tuple(other for other in left if other is not each)
        status = order.status if order.status is Status.PENDING_CANCEL else _works_on(order, left)
        events.append(OrderReplaceRefused(number=each.number, reason=report.reason, status=status))
    return events


def works_on_without(order: Order) -> Status:
    """The status of the order had nobody asked to cancel it."""
    return _works_on(order, order.replacements)


def status_with(order: Order, filled: Quantity, quantity: Quantity, pending: Sequence[Replacement]) -> Status:
    """The status of the order, no cancel pending, with so much filled of so much and these replacements pending."""
    return works_on(
        acknowledged=order.is_acknowledged, replacing=bool(pending), filled=filled > ZERO, full=filled >= quantity
    )


def too_late(pending: Sequence[Replacement], status: Status) -> list[OrderEvent]:
    """The answers to what is still pending when nothing is left to fill: it came too late."""
    answers: list[OrderReplaceRefused | OrderCancelRefused] = [
        OrderReplaceRefused(number=each.number, reason=_TOO_LATE, status=status) for each in pending
    ]
    if status is Status.PENDING_CANCEL:
        answers.append(OrderCancelRefused(reason=_TOO_LATE, status=status))
    return [*answers[:-1], *(replace(last, status=Status.FILLED) for last in answers[-1:])]


def _works_on(order: Order, pending: Sequence[Replacement]) -> Status:
    return status_with(order, order.filled_quantity, order.current.quantity, pending)


def _replaced(order: Order, number: int, venue_order_id: str | None, terms: Terms) -> list[OrderEvent]:
    pending = [each for each in order.replacements if each.number > number] if number else order.replacements
    is_full = order.filled_quantity >= terms.quantity
    status = works_on(
        acknowledged=venue_order_id is not None,
        replacing=bool(pending),
        filled=order.filled_quantity > ZERO,
        full=is_full,
    )
    if order.status is Status.PENDING_CANCEL:
        status = order.status
    replaced = OrderReplaced(
        number=number,
        venue_order_id=venue_order_id,
        quantity=terms.quantity,
        price=terms.price,
        stop_price=terms.stop_price,
        reserve_price=terms.reserve_price,
        leaves_quantity=Quantity(ZERO if status in FINAL else tidy(terms.quantity - order.filled_quantity)),
        status=status,
        flags=without(without(order.flags, Flag.OVERFILLED), Flag.UNRESOLVED),
    )
    return [replaced, *too_late(pending, status)] if is_full else [replaced]


def _check(order: Order, request: ReplaceOrder) -> None:
    terms = order.terms
    if request.quantity is not None and terms.oco_order_id is not None:
        raise InvalidQuantity(problem="of an exit follows what it protects; only its price can be replaced")
    if request.quantity is not None and request.quantity <= order.filled_quantity:
        raise InvalidQuantity(problem=f"must be above the {order.filled_quantity:f} that are filled already")
    if request.price is not None and terms.order_type not in LIMITED:
        raise InvalidPrice("price", problem=f"has no meaning for a {terms.order_type} order")
    if request.stop_price is not None and terms.order_type not in STOPPED:
        raise InvalidPrice("stop_price", problem=f"has no meaning for a {terms.order_type} order")
    is_protected = terms.stop_loss is not None or terms.take_profit is not None
    is_plain_day = terms.time_in_force is TimeInForce.DAY and not is_protected
    request.rules.check_quantity(request.quantity, is_plain_day=is_plain_day)
    request.rules.check_price("price", request.price)
    request.rules.check_price("stop_price", request.stop_price)


def _reserve_price(order: Order, price: Price | None, stop_price: Price | None) -> Price | None:
    if order.terms.side is Side.SELL:
        return None
    return limit_of(order.terms.order_type, price, stop_price or order.terms.reference_price)
