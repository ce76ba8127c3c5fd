"""Fills, and what the venue makes of them later. Facts: booked whatever the state of the order, and flagged where odd."""

from decimal import Decimal

from domain.commands import RecordBust, RecordCorrection, RecordFill
from domain.events import OrderEvent, OrderFillBusted, OrderFillCorrected, OrderFilled
from domain.lifecycle import FINAL, Flag, Kind, Status, after
from domain.order import Fill, Order, with_flag, without
from domain.replacing import status_with, too_late
from domain.values import ZERO, FillId, Money, Price, Quantity, rounded_quotient, tidy

_STANDING = FINAL - {Status.FILLED} | {Status.PENDING_CANCEL, Status.PENDING_REPLACE}


def book(order: Order, report: RecordFill) -> list[OrderEvent]:
    """A fill; nothing if it is booked already, or was taken back before it came."""
    if _is_known(order, report.fill_id):
        return []
    cumulative = Quantity(tidy(order.filled_quantity + report.quantity))
    is_full = cumulative >= order.current.quantity
    status = after(order.status, Kind.FULL_FILL if is_full else Kind.PART_FILL)
    filled = OrderFilled(
        fill_id=report.fill_id,
        symbol=order.terms.symbol,
        side=order.terms.side,
        quantity=report.quantity,
        price=report.price,
        commission=report.commission,
        venue=report.venue,
        executed_at=report.executed_at,
        filled_quantity=cumulative,
        leaves_quantity=_leaves(order, cumulative, status),
        average_fill_price=_average(order.traded_value + report.quantity * report.price, cumulative),
        status=status,
        flags=_flags(order, cumulative),
    )
    return [filled, *too_late(order.replacements, status)] if is_full else [filled]


def bust(order: Order, report: RecordBust) -> list[OrderEvent]:
    """A fill taken back. If it has not come yet, it never will: it is remembered as busted."""
    if report.fill_id in order.busted or report.execution_id in order.busted:
        return []
    return [_taken_back(order, report)]


def correct(order: Order, report: RecordCorrection) -> list[OrderEvent]:
    """A changed fill. If the fill has not come yet, it is booked as corrected, and its own report will bring nothing.

    If what became of the correction, or of the fill, came before it, it only says what does not count.
    """
    fill, later = order.fill_known_as(report.fill_id), order.fill_known_as(report.execution_id)
    is_fill_busted, is_busted = report.fill_id in order.busted, report.execution_id in order.busted
    if (later is not None and later is fill) or (is_fill_busted and is_busted):
        return []
    if is_fill_busted:
        gone = RecordBust(fill_id=report.execution_id, execution_id=report.fill_id, reason="its fill was taken back")
        return [_taken_back(order, gone)]
    if later is not None or is_busted:
        why = "its correction was taken back" if is_busted else "its correction was corrected"
        gone = RecordBust(fill_id=report.fill_id, execution_id=report.execution_id, reason=why)
        return [_taken_back(order, gone)]
    cumulative = Quantity(tidy(_cumulative(order, fill) + report.quantity))
    value = _value(order, fill) + report.quantity * report.price
    status = _status(order, cumulative)
    corrected = OrderFillCorrected(
        fill_id=fill.fill_id if fill else report.fill_id,
        execution_id=report.execution_id,
        symbol=order.terms.symbol,
        side=order.terms.side,
        quantity=report.quantity,
        price=report.price,
        commission=report.commission,
        venue=report.venue,
        executed_at=report.executed_at,
        previous_quantity=fill.quantity if fill else Quantity(ZERO),
        previous_price=fill.price if fill else Price(ZERO),
        previous_commission=fill.commission if fill else Money(ZERO),
        filled_quantity=cumulative,
        leaves_quantity=_leaves(order, cumulative, status),
        average_fill_price=_average(value, cumulative),
        status=status,
        flags=_flags(order, cumulative, is_late=fill is None),
    )
    is_full = cumulative >= order.current.quantity
    return [corrected, *too_late(order.replacements, status)] if is_full else [corrected]


def _taken_back(order: Order, report: RecordBust) -> OrderFillBusted:
    fill = order.fill_known_as(report.fill_id)
    cumulative = _cumulative(order, fill)
    value = _value(order, fill)
    status = _status(order, cumulative)
    return OrderFillBusted(
        fill_id=fill.fill_id if fill else report.fill_id,
        execution_id=report.execution_id,
        symbol=order.terms.symbol,
        side=order.terms.side,
        quantity=fill.quantity if fill else Quantity(ZERO),
        price=fill.price if fill else Price(ZERO),
        commission=fill.commission if fill else Money(ZERO),
        reason=report.reason,
        filled_quantity=cumulative,
        leaves_quantity=_leaves(order, cumulative, status),
        average_fill_price=_average(value, cumulative) if cumulative else None,
        status=status,
        flags=_flags(order, cumulative, is_late=False),
    )


def _is_known(order: Order, execution_id: FillId) -> bool:
    return execution_id in order.busted or order.fill_known_as(execution_id) is not None


def _cumulative(order: Order, without_fill: Fill | None) -> Quantity:
    return Quantity(tidy(order.filled_quantity - without_fill.quantity)) if without_fill else order.filled_quantity


def _value(order: Order, without_fill: Fill | None) -> Decimal:
    return order.traded_value - (without_fill.quantity * without_fill.price if without_fill else ZERO)


def _average(value: Decimal, cumulative: Quantity) -> Price:
    return Price(rounded_quotient(value, cumulative))


def _status(order: Order, cumulative: Quantity) -> Status:
    """A venue that changes what was filled reopens a FILLED order; other ends and pending requests stand."""
    if order.status in _STANDING:
        return order.status
    return status_with(order, cumulative, order.current.quantity, order.replacements)


def _leaves(order: Order, cumulative: Quantity, status: Status) -> Quantity:
    return Quantity(ZERO if status in FINAL else tidy(max(order.current.quantity - cumulative, ZERO)))


def _flags(order: Order, cumulative: Quantity, *, is_late: bool = True) -> tuple[Flag, ...]:
    flags = without(without(order.flags, Flag.UNRESOLVED), Flag.OVERFILLED)
    if is_late and order.is_over:
        flags = with_flag(flags, Flag.LATE_FILL)
    if cumulative > order.current.quantity:
        flags = with_flag(flags, Flag.OVERFILLED)
    return flags
