"""What may happen to an order: ``decide`` turns a request or a report into events."""

from typing import assert_never

from domain.commands import (
    CancelOrder,
    OrderCommand,
    OrderReport,
    PlaceOrder,
    RecordAcceptance,
    RecordBust,
    RecordCancellation,
    RecordCancelRefusal,
    RecordCorrection,
    RecordDifference,
    RecordExpiry,
    RecordFill,
    RecordNeverArrived,
    RecordRecovery,
    RecordRejection,
    RecordReplacement,
    RecordReplaceRefusal,
    RecordSent,
    RecordUnresolved,
    ReplaceOrder,
)
from domain.events import (
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderEvent,
    OrderExpired,
    OrderPlaced,
    OrderReconciled,
    OrderRecovered,
    OrderRejected,
    OrderSent,
    OrderUnresolved,
)
from domain.executions import book, bust, correct
from domain.lifecycle import Flag, Kind, Status, after
from domain.order import Difference, Order, with_flag
from domain.pricing import reserve_price
from domain.refusals import OrderNotCancellable, OrderNotFound
from domain.replacing import refuse_replacement, replaced, request_replacement, works_on_without

NEVER_ARRIVED = "NEVER_ARRIVED"
"""The code of a rejection that no venue pronounced: it provably never had the order."""


def decide(order: Order | None, command: OrderCommand) -> list[OrderEvent]:
    """The events that the command leads to; none when it brings nothing new.

    Raises:
        Refusal: the request is against a rule. Reports are never refused.
        OrderNotFound: there is no such order.
    """
    if isinstance(command, PlaceOrder):
        return [placed(command)] if order is None else []
    if order is None:
        raise OrderNotFound
    if isinstance(command, CancelOrder):
        return _cancel(order, command)
    if isinstance(command, ReplaceOrder):
        return request_replacement(order, command)
    return _record(order, command)


def placed(command: PlaceOrder) -> OrderPlaced:
    """The event of a new order."""
    return OrderPlaced(
        order_id=command.order_id,
        trader_id=command.trader_id,
        client_order_id=command.client_order_id,
        symbol=command.symbol,
        side=command.side,
        quantity=command.quantity,
        order_type=command.order_type,
        price=command.price,
        stop_price=command.stop_price,
        time_in_force=command.time_in_force,
        stop_loss=command.stop_loss,
        take_profit=command.take_profit,
        reference_price=command.reference_price,
        reserve_price=reserve_price(command),
        parent_order_id=command.parent_order_id,
        oco_order_id=command.oco_order_id,
        status=Status.PENDING,
    )


def _cancel(order: Order, request: CancelOrder) -> list[OrderEvent]:
    if order.is_over:
        raise OrderNotCancellable(status=order.status)
    if order.status is Status.PENDING_CANCEL:
        return []
    if order.is_unsent:
        reason = request.reason or "cancelled before it was sent to the venue"
        return [OrderCancelled(reason=reason, status=after(order.status, Kind.CANCELLED))]
    return [OrderCancelRequested(status=after(order.status, Kind.CANCEL_ASKED))]


def _record(order: Order, report: OrderReport) -> list[OrderEvent]:
    match report:
        case RecordFill():
            return book(order, report)
        case RecordBust():
            return bust(order, report)
        case RecordCorrection():
            return correct(order, report)
        case RecordReplacement():
            return replaced(order, report)
        case RecordDifference():
            return _differed(order, report)
        case RecordAcceptance() if order.is_over and not order.is_there:
            late = "the venue has the order after all"
            return _differed(
                order,
                RecordDifference(
                    venue_order_id=report.venue_order_id,
                    venue_status="accepted",
                    venue_filled_quantity=order.filled_quantity,
                    reason=late,
                ),
            )
        case RecordRejection() | RecordCancellation() | RecordExpiry() | RecordCancelRefusal() if (
            order.past_venue_order_ids and report.venue_order_id not in {None, order.venue_order_id}
        ):
            return []  # it speaks of what was replaced; the order itself works on
        case _:
            return [] if order.is_over else _record_open(order, report)


def _record_open(
    order: Order,
    report: RecordSent
    | RecordRecovery
    | RecordUnresolved
    | RecordNeverArrived
    | RecordAcceptance
    | RecordRejection
    | RecordCancelRefusal
    | RecordCancellation
    | RecordExpiry
    | RecordReplaceRefusal,
) -> list[OrderEvent]:
    acknowledged = order.is_acknowledged
    match report:
        case RecordSent():
            # Neither an order that was heard of nor one that its trader wants back is sent again.
            is_due = not order.is_there and order.status in _TO_BE_SENT and report.attempt > order.attempts
            return [OrderSent(attempt=report.attempt, status=order.status)] if is_due else []
        case RecordRecovery():
            found = OrderRecovered(attempt=report.attempt, venue_order_id=report.venue_order_id, status=order.status)
            return [] if acknowledged or report.attempt <= order.recovered_attempt else [found]
        case RecordUnresolved():
            flags = with_flag(order.flags, Flag.UNRESOLVED)
            unresolved = OrderUnresolved(reason=report.reason, status=order.status, flags=flags)
            return [] if order.is_there or Flag.UNRESOLVED in order.flags else [unresolved]
        case RecordNeverArrived():
            # Whatever was heard of it meanwhile is stronger than not having been found.
            return [] if order.is_there else [_never_arrived(order, report.reason)]
        case RecordAcceptance():
            status = after(order.status, Kind.ACCEPTED)
            return [] if acknowledged else [OrderAccepted(venue_order_id=report.venue_order_id, status=status)]
        case RecordRejection():
            status = after(order.status, Kind.REJECTED)
            return [OrderRejected(code=report.code, reason=report.reason, status=status)]
        case RecordCancelRefusal():
            refused = OrderCancelRefused(reason=report.reason, status=works_on_without(order))
            return [refused] if order.status is Status.PENDING_CANCEL else []
        case RecordCancellation():
            return [OrderCancelled(reason=report.reason, status=after(order.status, Kind.CANCELLED))]
        case RecordExpiry():
            return [OrderExpired(reason=report.reason, status=after(order.status, Kind.EXPIRED))]
        case RecordReplaceRefusal():
            return refuse_replacement(order, report)
        case _:
            assert_never(report)


_TO_BE_SENT = frozenset({Status.PENDING, Status.PENDING_REPLACE})


def _never_arrived(order: Order, reason: str) -> OrderEvent:
    """The end of an order that the venue never had: its trader wanted it back, or it is refused."""
    if order.status is Status.PENDING_CANCEL:
        return OrderCancelled(reason=reason, status=after(order.status, Kind.CANCELLED))
    return OrderRejected(code=NEVER_ARRIVED, reason=reason, status=after(order.status, Kind.REJECTED))


def _differed(order: Order, report: RecordDifference) -> list[OrderEvent]:
    difference = Difference(report.venue_order_id, report.venue_status, report.venue_filled_quantity)
    if difference == order.difference or report.compared_with not in {None, order.status}:
        return []
    return [
        OrderReconciled(
            venue_order_id=report.venue_order_id,
            venue_status=report.venue_status,
            venue_filled_quantity=report.venue_filled_quantity,
            filled_quantity=order.filled_quantity,
            reason=report.reason,
            status=order.status,
        )
    ]
