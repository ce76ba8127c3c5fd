"""An order: what it is (``Order``) and what has happened to it (``evolve``). What may happen: ``domain.deciding``."""

from datetime import datetime
from typing import NamedTuple, assert_never

from domain.events import (
    FillEvent,
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderCounterpartFilled,
    OrderEvent,
    OrderExpired,
    OrderFillBusted,
    OrderFillCorrected,
    OrderFilled,
    OrderPlaced,
    OrderReconciled,
    OrderRecovered,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRefused,
    OrderReplaceRequested,
    OrderSent,
    OrderUnprotected,
    OrderUnresolved,
)
from domain.lifecycle import FINAL, Flag, Status
from domain.values import ZERO, FillId, Money, OrderId, OrderType, Price, Quantity, TraderId, rounded_quotient, tidy


class BrokenHistoryError(Exception):
    """Recorded events contradict each other: the log was written by something that does not follow the rules."""


class Fill(NamedTuple):
    """One execution of an order, as booked. ``corrections`` are the ids of its corrections, and of what it corrected."""

    fill_id: FillId
    quantity: Quantity
    price: Price
    commission: Money
    venue: str
    executed_at: datetime
    corrections: tuple[FillId, ...] = ()

    def is_known_as(self, execution_id: FillId) -> bool:
        """Whether the id is one of the fill's own."""
        return execution_id == self.fill_id or execution_id in self.corrections


class Terms(NamedTuple):
    """What an order asks for. ``reserve_price`` is the cash held per unit of a buy, None for a sell."""

    quantity: Quantity
    price: Price | None
    stop_price: Price | None
    reserve_price: Price | None


class Replacement(NamedTuple):
    """Terms that the trader asked for and that the venue has not answered yet."""

    number: int
    terms: Terms


class Held(NamedTuple):
    """What is held for an order: units that it may still trade, and dollars for a buy."""

    quantity: Quantity
    amount: Money


class Difference(NamedTuple):
    """What the venue said when its books and ours differed last."""

    venue_order_id: str
    venue_status: str
    venue_filled_quantity: Quantity


NOTHING = Held(Quantity(ZERO), Money(ZERO))


class Order(NamedTuple):
    """An order as its events leave it. ``traded_value`` is the sum of quantity times price over all fills.

    ``terms`` is how it was placed and ``current`` what it asks for now. ``busted`` are the ids of fills that the venue
    took back, and of the busts; ``past_venue_order_ids`` those under which the venue knew it before it was replaced.
    ``replacement_number`` is the last that was asked for, ``replaced_number`` the last that was carried out.
    """

    terms: OrderPlaced
    current: Terms
    status: Status
    filled_quantity: Quantity = Quantity(ZERO)
    traded_value: Money = Money(ZERO)
    fills: tuple[Fill, ...] = ()
    busted: tuple[FillId, ...] = ()
    attempts: int = 0
    recovered_attempt: int = 0
    venue_order_id: str | None = None
    past_venue_order_ids: tuple[str, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    replacement_number: int = 0
    replaced_number: int = 0
    difference: Difference | None = None
    counterpart_filled: Quantity = Quantity(ZERO)
    unprotected: tuple[FillId | OrderId, ...] = ()
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
    def is_acknowledged(self) -> bool:
        """Whether the venue has acknowledged it."""
        return self.venue_order_id is not None

    @property
    def is_there(self) -> bool:
        """Whether the venue has shown that it has the order, by an acknowledgement or by a fill before it."""
        return self.is_acknowledged or bool(self.fills) or bool(self.busted)

    @property
    def is_unsent(self) -> bool:
        """Whether it never left: nobody but its trader knows of it."""
        return self.attempts == 0 and not self.is_there

    @property
    def primary_order_id(self) -> OrderId | None:
        """The exit as a leg of which this one goes to the venue, and which holds the units for both; None: it is no leg."""
        return self.terms.oco_order_id if self.is_leg else None

    @property
    def is_leg(self) -> bool:
        """Whether it goes to the venue as a leg of its other exit."""
        return self.terms.oco_order_id is not None and self.terms.order_type is OrderType.STOP

    @property
    def leg_order_id(self) -> OrderId | None:
        """The exit that goes to the venue as a leg of this one, None where none does."""
        return None if self.is_leg else self.terms.oco_order_id

    @property
    def leaves_quantity(self) -> Quantity:
        """What may still be filled: quantity minus cumulative, 0 once the order is over (FIX LeavesQty, tag 151)."""
        if self.is_over:
            return Quantity(ZERO)
        return Quantity(tidy(max(self.current.quantity - self.filled_quantity, ZERO)))

    @property
    def average_fill_price(self) -> Price | None:
        """Average price over all fills to 9 decimals, None before the first (FIX AvgPx, tag 6)."""
        return Price(rounded_quotient(self.traded_value, self.filled_quantity)) if self.filled_quantity else None

    @property
    def wished(self) -> Terms:
        """The terms that its trader asked for last, whether the venue has answered or not."""
        return self.replacements[-1].terms if self.replacements else self.current

    @property
    def held(self) -> Held:
        """What its trader's account holds for it: while a replacement is pending, the most that either may need."""
        if self.is_over or self.is_leg:
            return NOTHING
        needed = _needed(self.current, self.filled_quantity)
        if not self.replacements and not self.counterpart_filled:
            return needed  # as of most orders
        quantity, amount = needed
        for replacement in self.replacements:
            wished = _needed(replacement.terms, self.filled_quantity)
            quantity, amount = max(quantity, wished.quantity), max(amount, wished.amount)
        if self.counterpart_filled:
            left = max(self.terms.quantity - self.filled_quantity - self.counterpart_filled, ZERO)
            quantity = Quantity(min(quantity, tidy(left)))
        return Held(quantity, amount)

    def fill_known_as(self, execution_id: FillId) -> Fill | None:
        """The fill with this id, or that was corrected by this id."""
        return next((fill for fill in self.fills if fill.is_known_as(execution_id)), None)


def _needed(terms: Terms, filled_quantity: Quantity) -> Held:
    """What is held for these terms where so much is filled."""
    leaves = Quantity(max(tidy(terms.quantity - filled_quantity), ZERO)) if filled_quantity else terms.quantity
    return Held(leaves, Money(tidy(leaves * terms.reserve_price) if terms.reserve_price else ZERO))


def evolve(order: Order | None, event: OrderEvent) -> Order:
    """The order after the event.

    Raises:
        BrokenHistoryError: the event cannot have followed the ones before it.
    """
    if isinstance(event, OrderPlaced):
        if order is not None:
            raise BrokenHistoryError(f"order {event.order_id} was placed twice")
        current = Terms(event.quantity, event.price, event.stop_price, event.reserve_price)
        return Order(event, current, event.status)
    if order is None:
        raise BrokenHistoryError(f"{type(event).__name__} before OrderPlaced")
    match event:  # what happens to most orders comes first
        case OrderSent():
            return order._replace(status=event.status, attempts=event.attempt)
        case OrderAccepted():
            flags = without(order.flags, Flag.UNRESOLVED)
            return order._replace(status=event.status, venue_order_id=event.venue_order_id, flags=flags)
        case OrderFilled():
            return _filled(order, event)
        case OrderCancelled() | OrderRejected() | OrderExpired():
            flags = without(order.flags, Flag.UNRESOLVED)
            return order._replace(status=event.status, reason=event.reason, flags=flags, replacements=())
        case OrderCancelRequested():
            return order._replace(status=event.status)
        case OrderRecovered():
            return order._replace(status=event.status, recovered_attempt=event.attempt)
        case OrderUnresolved():
            return order._replace(status=event.status, flags=event.flags)
        case OrderFillCorrected() | OrderFillBusted():
            return _revised(order, event)
        case OrderCancelRefused():
            pending = () if event.status in FINAL else order.replacements
            return order._replace(status=event.status, reason=event.reason, replacements=pending)
        case OrderReplaceRequested():
            terms = Terms(event.quantity, event.price, event.stop_price, event.reserve_price)
            pending = (*order.replacements, Replacement(event.number, terms))
            return order._replace(status=event.status, replacements=pending, replacement_number=event.number)
        case OrderReplaced():
            return _replaced(order, event)
        case OrderReplaceRefused():
            pending = tuple(each for each in order.replacements if each.number != event.number)
            return order._replace(status=event.status, reason=event.reason, replacements=pending)
        case OrderReconciled():
            difference = Difference(event.venue_order_id, event.venue_status, event.venue_filled_quantity)
            return order._replace(difference=difference, status=event.status)
        case OrderCounterpartFilled():
            return order._replace(counterpart_filled=event.quantity, status=event.status)
        case OrderUnprotected():
            named = tuple(each for each in (event.fill_id, event.exit_order_id) if each is not None)
            return order._replace(
                status=event.status,
                flags=event.flags,
                unprotected=(*order.unprotected, *named),
                reason=event.reason,
            )
        case _:
            assert_never(event)


def _replaced(order: Order, event: OrderReplaced) -> Order:
    past = order.past_venue_order_ids
    if order.venue_order_id is not None and event.venue_order_id != order.venue_order_id:
        past = (*past, order.venue_order_id)
    return order._replace(
        status=event.status,
        current=Terms(event.quantity, event.price, event.stop_price, event.reserve_price),
        venue_order_id=event.venue_order_id,
        past_venue_order_ids=past,
        replacements=tuple(each for each in order.replacements if each.number > event.number)
        if event.number
        else order.replacements,
        replacement_number=max(order.replacement_number, event.number),
        replaced_number=max(order.replaced_number, event.number),
        flags=event.flags,
    )


def _filled(order: Order, event: OrderFilled) -> Order:
    value = event.quantity * event.price
    return _traded(order, event, (*order.fills, _fill(event)), Held(event.quantity, Money(value)))


def _revised(order: Order, event: OrderFillCorrected | OrderFillBusted) -> Order:
    known = order.fill_known_as(event.fill_id)
    kept = tuple(fill for fill in order.fills if fill is not known)
    names = known.corrections if known else ()
    before = _value(known) if known else NOTHING
    if isinstance(event, OrderFillCorrected):
        after = _fill(event, (*names, event.execution_id))
        quantity, value = _value(after)
        change = Held(Quantity(quantity - before.quantity), Money(value - before.amount))
        return _traded(order, event, (*kept, after), change)
    change = Held(Quantity(-before.quantity), Money(-before.amount))
    gone = (event.fill_id, *names)
    if any(fill.is_known_as(event.execution_id) for fill in kept):
        # What it was corrected with is booked already, and answers to all of its names from now on.
        return _traded(order, event, tuple(_also_known_as(gone, fill, event.execution_id) for fill in kept), change)
    return _traded(order, event, kept, change)._replace(busted=(*order.busted, *gone, event.execution_id))


def _traded(order: Order, event: FillEvent, fills: tuple[Fill, ...], change: Held) -> Order:
    """The order with these fills, which are so many units and dollars more than before."""
    if event.filled_quantity != order.filled_quantity + change.quantity:
        raise BrokenHistoryError(f"fill {event.fill_id} of order {order.order_id} does not add up")
    return order._replace(
        status=event.status,
        filled_quantity=event.filled_quantity,
        traded_value=Money(order.traded_value + change.amount),
        fills=fills,
        replacements=() if event.status in FINAL else order.replacements,
        flags=event.flags,
    )


def _also_known_as(names: tuple[FillId, ...], fill: Fill, execution_id: FillId) -> Fill:
    return fill._replace(corrections=(*fill.corrections, *names)) if fill.is_known_as(execution_id) else fill


def _value(fill: Fill) -> Held:
    return Held(fill.quantity, Money(fill.quantity * fill.price))


def _fill(event: OrderFilled | OrderFillCorrected, corrections: tuple[FillId, ...] = ()) -> Fill:
    return Fill(
        event.fill_id, event.quantity, event.price, event.commission, event.venue, event.executed_at, corrections
    )


def with_flag(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    """The flags and this one, sorted, each once."""
    return flags if flag in flags else tuple(sorted((*flags, flag)))


def without(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    """The flags without this one."""
    return tuple(each for each in flags if each is not flag) if flag in flags else flags
