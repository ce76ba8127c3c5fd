"""An order: what it is (``Order``), what may happen to it (``decide``), what has happened to it (``evolve``)."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import assert_never

from domain.commands import (
    CancelOrder,
    OrderCommand,
    OrderReport,
    PlaceOrder,
    RecordAcceptance,
    RecordCancellation,
    RecordCancelRefusal,
    RecordExpiry,
    RecordFill,
    RecordNeverArrived,
    RecordRecovery,
    RecordRejection,
    RecordSent,
    RecordUnresolved,
)
from domain.events import (
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderPlaced,
    OrderRecovered,
    OrderRejected,
    OrderSent,
    OrderUnresolved,
)
from domain.lifecycle import FINAL, Flag, Kind, Status, after, works_on
from domain.refusals import NoReferencePrice, OrderNotCancellable, OrderNotFound
from domain.values import (
    DECIMALS_MAX,
    ZERO,
    FillId,
    Money,
    OrderId,
    OrderType,
    Price,
    Quantity,
    Side,
    TraderId,
    rounded_quotient,
    tidy,
)

MARKET_MARGIN = Decimal("0.05")
"""How much above the reference or stop price a buy without a limit is held for, as a share of that price."""


class BrokenHistoryError(Exception):
    """Recorded events contradict each other: the log was written by something that does not follow the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of an order, as booked."""

    fill_id: FillId
    quantity: Quantity
    price: Price
    commission: Money
    venue: str
    executed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as its events leave it. ``traded_value`` is the sum of quantity times price over all fills."""

    terms: OrderPlaced
    status: Status
    filled_quantity: Quantity = Quantity(ZERO)
    traded_value: Money = Money(ZERO)
    fills: tuple[Fill, ...] = ()
    attempts: int = 0
    recovered_attempt: int = 0
    venue_order_id: str | None = None
    reason: str | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def order_id(self) -> OrderId:
        """The order's id, which is also its idempotency key at the venue."""
        return self.terms.order_id

    @property
    def trader_id(self) -> TraderId:
        """Whose order it is."""
        return self.terms.trader_id

    @property
    def is_over(self) -> bool:
        """Whether nothing of it works any more."""
        return self.status in FINAL

    @property
    def leaves_quantity(self) -> Quantity:
        """What may still be filled: quantity minus cumulative, 0 once the order is over (FIX LeavesQty, tag 151)."""
        if self.is_over:
            return Quantity(ZERO)
        return Quantity(max(self.terms.quantity - self.filled_quantity, ZERO))

    @property
    def average_fill_price(self) -> Price | None:
        """Average price over all fills to 9 decimals, None before the first (FIX AvgPx, tag 6)."""
        return Price(rounded_quotient(self.traded_value, self.filled_quantity)) if self.filled_quantity else None


def decide(order: Order | None, command: OrderCommand) -> list[OrderEvent]:
    """The events that the command leads to; none when it brings nothing new.

    Raises:
        Refusal: the request is against a rule. Reports are never refused.
        OrderNotFound: there is no such order.
    """
    if isinstance(command, PlaceOrder):
        return [_placed(command)] if order is None else []
    if order is None:
        raise OrderNotFound
    if isinstance(command, CancelOrder):
        return _cancel(order)
    return _record(order, command)


def evolve(order: Order | None, event: OrderEvent) -> Order:
    """The order after the event.

    Raises:
        BrokenHistoryError: the event cannot have followed the ones before it.
    """
    if isinstance(event, OrderPlaced):
        if order is not None:
            raise BrokenHistoryError(f"order {event.order_id} was placed twice")
        return Order(terms=event, status=event.status)
    if order is None:
        raise BrokenHistoryError(f"{type(event).__name__} before OrderPlaced")
    match event:
        case OrderSent():
            return replace(order, status=event.status, attempts=event.attempt)
        case OrderRecovered():
            return replace(order, status=event.status, recovered_attempt=event.attempt)
        case OrderCancelRequested():
            return replace(order, status=event.status)
        case OrderUnresolved():
            return replace(order, status=event.status, flags=event.flags)
        case OrderAccepted():
            flags = _without(order.flags, Flag.UNRESOLVED)
            return replace(order, status=event.status, venue_order_id=event.venue_order_id, flags=flags)
        case OrderFilled():
            return _filled(order, event)
        case OrderCancelRefused():
            return replace(order, status=event.status, reason=event.reason)
        case OrderRejected() | OrderCancelled() | OrderExpired():
            flags = _without(order.flags, Flag.UNRESOLVED)
            return replace(order, status=event.status, reason=event.reason, flags=flags)
        case _:
            assert_never(event)


def _placed(command: PlaceOrder) -> OrderPlaced:
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
        reserve_price=worst_price(command) if command.side is Side.BUY else None,
        status=Status.PENDING,
    )


def worst_price(order: PlaceOrder) -> Price:
    """What a unit may cost at most: the limit, or the stop or reference price plus the margin.

    Raises:
        NoReferencePrice: a market order in a symbol that nobody can value.
    """
    limited = order.order_type in {OrderType.LIMIT, OrderType.STOP_LIMIT}
    price = order.price if limited else order.stop_price or order.reference_price
    if price is None:
        raise NoReferencePrice(symbol=order.symbol, order_type=order.order_type)
    return price if limited else _with_margin(price)


def _with_margin(price: Price) -> Price:
    step = Decimal(1).scaleb(-DECIMALS_MAX)
    return Price(tidy((price * (1 + MARKET_MARGIN)).quantize(step, rounding=ROUND_CEILING)))


def _cancel(order: Order) -> list[OrderEvent]:
    if order.is_over:
        raise OrderNotCancellable(status=order.status)
    if order.status is Status.PENDING_CANCEL:
        return []
    if order.attempts == 0 and order.venue_order_id is None and not order.fills:
        reason = "cancelled before it was sent to the venue"
        return [OrderCancelled(reason=reason, status=after(order.status, Kind.CANCELLED))]
    return [OrderCancelRequested(status=after(order.status, Kind.CANCEL_ASKED))]


def _record(order: Order, report: OrderReport) -> list[OrderEvent]:
    if isinstance(report, RecordFill):
        return _fill(order, report)
    if order.is_over:
        return []
    acknowledged = order.venue_order_id is not None
    match report:
        case RecordSent():
            # Neither an acknowledged order nor one that its trader wants back is sent again.
            is_due = not acknowledged and order.status is Status.PENDING and report.attempt > order.attempts
            return [OrderSent(attempt=report.attempt, status=order.status)] if is_due else []
        case RecordRecovery():
            found = OrderRecovered(attempt=report.attempt, venue_order_id=report.venue_order_id, status=order.status)
            return [] if acknowledged or report.attempt <= order.recovered_attempt else [found]
        case RecordUnresolved():
            flags = _with(order.flags, Flag.UNRESOLVED)
            unresolved = OrderUnresolved(reason=report.reason, status=order.status, flags=flags)
            return [] if acknowledged or Flag.UNRESOLVED in order.flags else [unresolved]
        case RecordNeverArrived():
            # Whatever was heard of it meanwhile is stronger than not having been found.
            return [] if acknowledged or order.fills else [_never_arrived(order, report.reason)]
        case RecordAcceptance():
            status = after(order.status, Kind.ACCEPTED)
            return [] if acknowledged else [OrderAccepted(venue_order_id=report.venue_order_id, status=status)]
        case RecordRejection():
            status = after(order.status, Kind.REJECTED)
            return [OrderRejected(code=report.code, reason=report.reason, status=status)]
        case RecordCancelRefusal():
            status = works_on(acknowledged=acknowledged, filled=bool(order.fills))
            refused = OrderCancelRefused(reason=report.reason, status=status)
            return [refused] if order.status is Status.PENDING_CANCEL else []
        case RecordCancellation():
            return [OrderCancelled(reason=report.reason, status=after(order.status, Kind.CANCELLED))]
        case RecordExpiry():
            return [OrderExpired(reason=report.reason, status=after(order.status, Kind.EXPIRED))]
        case _:
            assert_never(report)


def _never_arrived(order: Order, reason: str) -> OrderEvent:
    """The end of an order that the venue never had: its trader wanted it back, or it is refused."""
    if order.status is Status.PENDING_CANCEL:
        return OrderCancelled(reason=reason, status=after(order.status, Kind.CANCELLED))
    return OrderRejected(code="NEVER_ARRIVED", reason=reason, status=after(order.status, Kind.REJECTED))


def _fill(order: Order, report: RecordFill) -> list[OrderEvent]:
    if any(fill.fill_id == report.fill_id for fill in order.fills):
        return []
    quantity = order.terms.quantity
    cumulative = Quantity(tidy(order.filled_quantity + report.quantity))
    value = order.traded_value + report.quantity * report.price
    status = after(order.status, Kind.FULL_FILL if cumulative >= quantity else Kind.PART_FILL)
    flags = _without(order.flags, Flag.UNRESOLVED)
    if order.is_over:
        flags = _with(flags, Flag.LATE_FILL)
    if cumulative > quantity:
        flags = _with(flags, Flag.OVERFILLED)
    event = OrderFilled(
        fill_id=report.fill_id,
        symbol=order.terms.symbol,
        side=order.terms.side,
        quantity=report.quantity,
        price=report.price,
        commission=report.commission,
        venue=report.venue,
        executed_at=report.executed_at,
        filled_quantity=cumulative,
        leaves_quantity=Quantity(ZERO if status in FINAL else tidy(quantity - cumulative)),
        average_fill_price=Price(rounded_quotient(value, cumulative)),
        status=status,
        flags=flags,
    )
    return [event]


def _filled(order: Order, event: OrderFilled) -> Order:
    if event.filled_quantity != order.filled_quantity + event.quantity:
        raise BrokenHistoryError(f"fill {event.fill_id} of order {order.order_id} does not add up")
    fill = Fill(
        fill_id=event.fill_id,
        quantity=event.quantity,
        price=event.price,
        commission=event.commission,
        venue=event.venue,
        executed_at=event.executed_at,
    )
    return replace(
        order,
        status=event.status,
        filled_quantity=event.filled_quantity,
        traded_value=Money(order.traded_value + event.quantity * event.price),
        fills=(*order.fills, fill),
        flags=event.flags,
    )


def _with(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    return flags if flag in flags else tuple(sorted((*flags, flag)))


def _without(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    return tuple(each for each in flags if each is not flag)
