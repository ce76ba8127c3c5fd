"""A trader's account: cash, units, and what of both is held for working orders. The money follows the orders."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple, assert_never, cast

from domain.activity import NO_ACTIVITY, Activity, Asked
from domain.commands import AccountRequest, ChangeLimits, Deposit, Withdraw
from domain.events import (
    AccountEvent,
    FundsDeposited,
    FundsReleased,
    FundsReserved,
    FundsWithdrawn,
    LimitsChanged,
    OrderAccepted,
    OrderCancelRequested,
    OrderEvent,
    OrderFillBusted,
    OrderFillCorrected,
    OrderFilled,
    OrderRecovered,
    OrderSent,
    OrderUnresolved,
    ReservationChanged,
    SharesReleased,
    SharesReserved,
    TradeBooked,
    TradeCorrected,
)
from domain.limits import NONE_OF_THEIR_OWN
from domain.order import NOTHING, Held, Order
from domain.refusals import InsufficientFundsToWithdraw
from domain.values import ZERO, Currency, Money, Price, Quantity, Side, Symbol, dollars, tidy


class Holding(NamedTuple):
    """What is held of a symbol, and what working orders may still add to it or take from it.

    What it cost is no matter of any decision: see ``domain.position``.
    """

    quantity: Quantity = Quantity(ZERO)
    working_buys: Quantity = Quantity(ZERO)
    working_sells: Quantity = Quantity(ZERO)

    @property
    def available(self) -> Quantity:
        """Units that no working sell holds."""
        return Quantity(self.quantity - self.working_sells)


_NO_HOLDING = Holding()


class Account(NamedTuple):
    """An account as its events leave it. Money in dollars; ``reserved`` is the part of ``cash`` held for buys.

    ``limits`` are those that were set for the trader, None if none ever was.
    """

    cash: Money = Money(ZERO)
    reserved: Money = Money(ZERO)
    open_orders: int = 0
    holdings: Mapping[Symbol, Holding] = MappingProxyType({})
    limits: LimitsChanged | None = None
    activity: Activity = NO_ACTIVITY

    @property
    def available(self) -> Money:
        """Cash that no working order holds; below zero only when facts cost more than was held."""
        return Money(self.cash - self.reserved)

    def holding(self, symbol: Symbol) -> Holding:
        """What is held of the symbol, nothing if it never was."""
        return self.holdings.get(symbol, _NO_HOLDING)


def decide(account: Account, request: AccountRequest) -> list[AccountEvent]:
    """The events that a request leads to; none when the limits are so already.

    Raises:
        InsufficientFundsToWithdraw: more is asked for than is available.
    """
    match request:
        case Deposit():
            return [FundsDeposited(amount=request.amount, currency=Currency.USD)]
        case Withdraw():
            if request.amount > account.available:
                raise InsufficientFundsToWithdraw(amount=dollars(request.amount), available=dollars(account.available))
            return [FundsWithdrawn(amount=request.amount, currency=Currency.USD)]
        case ChangeLimits():
            before = account.limits or NONE_OF_THEIR_OWN
            changed = replace(before, **request.changes)
            return [] if changed == before else [replace(changed, reason=request.reason)]
        case _:
            assert_never(request)


_HOLDS_NOTHING_ELSE = frozenset({OrderSent, OrderAccepted, OrderRecovered, OrderUnresolved, OrderCancelRequested})
"""After these an order asks for what it asked for before, is filled as far, and is over if it was."""


def follow(before: Order | None, event: OrderEvent, after: Order, asked: Asked | None = None) -> list[AccountEvent]:
    """What an order's event means for its trader's account; the order is given as it was and as it is now.

    ``asked`` is what the limits over time count where the event is what its trader has just asked for.
    A reservation lives exactly as long as its order works: what a fill does not use up, the end of the order releases.
    """
    if before is None:
        return [_reserved(after, asked)]
    if isinstance(event, OrderFilled):
        return [_booking(before, event, after)]
    if type(event) in _HOLDS_NOTHING_ELSE:
        return []
    if isinstance(event, OrderFillBusted | OrderFillCorrected):
        return [*_correction(event, after), *_adjusted(before, after)]
    return _adjusted(before, after, asked)


def evolve(account: Account, event: AccountEvent) -> Account:
    """The account after the event."""
    cash, reserved, open_orders, holdings, limits, activity = account
    if isinstance(event, LimitsChanged):
        return Account(cash, reserved, open_orders, holdings, event, activity)
    more_cash, more_reserved, more_orders, units, asked = effect(event)
    if units is not None:
        holdings = _working(holdings, units)
    if asked is not None:
        activity = activity.after(asked)
    return Account(
        Money(cash + more_cash), Money(reserved + more_reserved), open_orders + more_orders, holdings, limits, activity
    )


class Units(NamedTuple):
    """So many more units of a symbol work on one side of the market, and so many of them were traded."""

    symbol: Symbol
    side: Side
    working: Decimal
    traded: Decimal = ZERO


class Effect(NamedTuple):
    """What an event adds to the cash, to the part of it that is held, to the number of open orders, and to the units.

    ``asked`` is what the limits over time count of it.
    """

    cash: Decimal = ZERO
    reserved: Decimal = ZERO
    open_orders: int = 0
    units: Units | None = None
    asked: Asked | None = None


_NO_EFFECT = Effect()


def effect(event: AccountEvent) -> Effect:
    """What an event does to an account, but for its limits."""
    match event:  # what most accounts meet comes first: every decision and every rebuild asks
        case FundsReserved():
            units = Units(event.symbol, Side.BUY, event.quantity)
            return Effect(ZERO, event.amount, 1, units, _asked(event, event.terms))
        case TradeBooked():
            cash = _received(event.side, event.quantity * event.price, event.commission)
            units = Units(event.symbol, event.side, -event.released_quantity, event.quantity)
            return Effect(cash, -event.released_cash, -event.closed, units)
        case FundsReleased():
            return Effect(ZERO, -event.amount, -1, Units(event.symbol, Side.BUY, -event.quantity))
        case SharesReserved():
            units = Units(event.symbol, Side.SELL, event.quantity)
            return Effect(ZERO, ZERO, 1, units, _asked(event, event.terms))
        case SharesReleased():
            return Effect(ZERO, ZERO, -1, Units(event.symbol, Side.SELL, -event.quantity))
        case ReservationChanged():
            return Effect(ZERO, event.amount, 0, Units(event.symbol, event.side, event.quantity), _asked(event))
        case FundsDeposited():
            return Effect(event.amount)
        case FundsWithdrawn():
            return Effect(-event.amount)
        case TradeCorrected():
            value = event.quantity * event.price - event.previous_quantity * event.previous_price
            cash = _received(event.side, value, event.commission - event.previous_commission)
            return Effect(cash, units=Units(event.symbol, event.side, ZERO, event.quantity - event.previous_quantity))
        case LimitsChanged():
            return _NO_EFFECT
        case _:
            assert_never(event)


def _asked(event: FundsReserved | SharesReserved | ReservationChanged, terms: str | None = None) -> Asked | None:
    if event.asked_at is None or event.notional is None:
        return None
    return Asked(event.asked_at, event.notional, terms)


def _reserved(order: Order, asked: Asked | None = None) -> AccountEvent:
    terms, held = order.terms, order.held
    at, notional, words = asked or (None, None, None)
    if terms.side is Side.SELL:
        return SharesReserved(
            order_id=terms.order_id,
            symbol=terms.symbol,
            quantity=held.quantity,
            asked_at=at,
            notional=notional,
            terms=words,
        )
    return FundsReserved(
        order_id=terms.order_id,
        symbol=terms.symbol,
        quantity=held.quantity,
        amount=held.amount,
        asked_at=at,
        notional=notional,
        terms=words,
    )


def _released(order: Order) -> AccountEvent:
    terms, held = order.terms, order.held
    if terms.side is Side.SELL:
        return SharesReleased(order_id=terms.order_id, symbol=terms.symbol, quantity=held.quantity)
    return FundsReleased(order_id=terms.order_id, symbol=terms.symbol, quantity=held.quantity, amount=held.amount)


def _adjusted(before: Order, after: Order, asked: Asked | None = None) -> list[AccountEvent]:
    """What an order that ended, works again or asks for more or less does to what is held for it."""
    if after.is_over and not before.is_over:
        return [_released(before)]
    if before.is_over and not after.is_over:
        return [_reserved(after)]
    change = _difference(after.held, before.held)
    if change == NOTHING and asked is None:
        return []
    terms = after.terms
    return [
        ReservationChanged(
            order_id=terms.order_id,
            symbol=terms.symbol,
            side=terms.side,
            quantity=change.quantity,
            amount=change.amount,
            asked_at=asked and asked.at,
            notional=asked and asked.notional,
        )
    ]


def _booking(before: Order, event: OrderFilled, after: Order) -> AccountEvent:
    used = _difference(before.held, after.held)
    return TradeBooked(
        order_id=before.order_id,
        fill_id=event.fill_id,
        symbol=event.symbol,
        side=event.side,
        quantity=event.quantity,
        price=event.price,
        commission=event.commission,
        released_quantity=used.quantity,
        released_cash=used.amount,
        closed=after.is_over and not before.is_over,
    )


def _correction(event: OrderFillBusted | OrderFillCorrected, order: Order) -> list[AccountEvent]:
    if isinstance(event, OrderFillCorrected):
        return [
            TradeCorrected(
                order_id=order.order_id,
                fill_id=event.fill_id,
                symbol=event.symbol,
                side=event.side,
                quantity=event.quantity,
                price=event.price,
                commission=event.commission,
                previous_quantity=event.previous_quantity,
                previous_price=event.previous_price,
                previous_commission=event.previous_commission,
            )
        ]
    if not event.quantity:
        return []
    return [
        TradeCorrected(
            order_id=order.order_id,
            fill_id=event.fill_id,
            symbol=event.symbol,
            side=event.side,
            quantity=Quantity(ZERO),
            price=Price(ZERO),
            commission=Money(ZERO),
            previous_quantity=event.quantity,
            previous_price=event.price,
            previous_commission=event.commission,
        )
    ]


def _received(side: Side, value: Decimal, commission: Decimal) -> Money:
    return Money((-value if side is Side.BUY else value) - commission)


def _working(holdings: Mapping[Symbol, Holding], units: Units) -> Mapping[Symbol, Holding]:
    """The holdings after these units."""
    symbol, side, working, traded = units
    quantity, buys, sells = holdings.get(symbol, _NO_HOLDING)
    if side is Side.BUY:
        changed = Holding(Quantity(quantity + traded), Quantity(buys + working), sells)
    else:
        changed = Holding(Quantity(quantity - traded), buys, Quantity(sells + working))
    # Read-only ones and those that were read from a snapshot both know "|", which is four times as fast as unpacking.
    return MappingProxyType(cast("dict[Symbol, Holding]", holdings) | {symbol: changed})


def _difference(more: Held, less: Held) -> Held:
    return Held(Quantity(tidy(more.quantity - less.quantity)), Money(tidy(more.amount - less.amount)))
