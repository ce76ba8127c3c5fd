"""A trader's account: cash, what is held for working orders, positions. The money follows the orders."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import assert_never

from domain.commands import AccountRequest, Deposit, Withdraw
from domain.events import (
    AccountEvent,
    FundsDeposited,
    FundsReleased,
    FundsReserved,
    FundsWithdrawn,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderPlaced,
    OrderRejected,
    SharesReleased,
    SharesReserved,
    TradeBooked,
)
from domain.lifecycle import FINAL
from domain.order import Order
from domain.position import Position
from domain.refusals import InsufficientFundsToWithdraw
from domain.values import ZERO, Money, Price, Quantity, Side, Symbol, dollars, tidy


@dataclass(frozen=True, slots=True)
class Holding:
    """A position and what working orders may still add to it or take from it."""

    position: Position = Position()
    working_buys: Quantity = Quantity(ZERO)
    working_sells: Quantity = Quantity(ZERO)

    @property
    def available(self) -> Quantity:
        """Units that no working sell holds."""
        return Quantity(self.position.quantity - self.working_sells)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its events leave it. Money in dollars; ``reserved`` is the part of ``cash`` held for buys."""

    cash: Money = Money(ZERO)
    reserved: Money = Money(ZERO)
    open_orders: int = 0
    holdings: Mapping[Symbol, Holding] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def available(self) -> Money:
        """Cash that no working order holds; below zero only when facts cost more than was held."""
        return Money(self.cash - self.reserved)

    def holding(self, symbol: Symbol) -> Holding:
        """What is held of the symbol, nothing if it never was."""
        return self.holdings.get(symbol, Holding())


def decide(account: Account, request: AccountRequest) -> list[AccountEvent]:
    """The events that a deposit or withdrawal leads to.

    Raises:
        InsufficientFundsToWithdraw: more is asked for than is available.
    """
    match request:
        case Deposit():
            return [FundsDeposited(amount=request.amount)]
        case Withdraw():
            if request.amount > account.available:
                raise InsufficientFundsToWithdraw(amount=dollars(request.amount), available=dollars(account.available))
            return [FundsWithdrawn(amount=request.amount)]
        case _:
            assert_never(request)


def follow(order: Order | None, event: OrderEvent) -> list[AccountEvent]:
    """What an order's event means for its trader's account; ``order`` is the order before the event.

    A reservation lives exactly as long as its order works: what a fill does not use up, the end of the order releases.
    """
    if isinstance(event, OrderPlaced):
        return [_reservation(event)]
    if order is None:
        return []
    if isinstance(event, OrderFilled):
        return [_booking(order, event)]
    if isinstance(event, OrderRejected | OrderCancelled | OrderExpired):
        return [_release(order)]
    return []


def evolve(account: Account, event: AccountEvent) -> Account:
    """The account after the event."""
    match event:
        case FundsDeposited():
            return replace(account, cash=Money(account.cash + event.amount))
        case FundsWithdrawn():
            return replace(account, cash=Money(account.cash - event.amount))
        case FundsReserved():
            held = _working(account, event.symbol, buys=event.quantity)
            reserved = Money(account.reserved + event.amount)
            return replace(held, reserved=reserved, open_orders=account.open_orders + 1)
        case FundsReleased():
            freed = _working(account, event.symbol, buys=-event.quantity)
            reserved = Money(account.reserved - event.amount)
            return replace(freed, reserved=reserved, open_orders=account.open_orders - 1)
        case SharesReserved():
            held = _working(account, event.symbol, sells=event.quantity)
            return replace(held, open_orders=account.open_orders + 1)
        case SharesReleased():
            freed = _working(account, event.symbol, sells=-event.quantity)
            return replace(freed, open_orders=account.open_orders - 1)
        case TradeBooked():
            return _booked(account, event)
        case _:
            assert_never(event)


def _reservation(event: OrderPlaced) -> AccountEvent:
    if event.reserve_price is None:
        return SharesReserved(order_id=event.order_id, symbol=event.symbol, quantity=event.quantity)
    amount = _value(event.quantity, event.reserve_price)
    return FundsReserved(order_id=event.order_id, symbol=event.symbol, quantity=event.quantity, amount=amount)


def _release(order: Order) -> AccountEvent:
    terms, leaves = order.terms, order.leaves_quantity
    if terms.reserve_price is None:
        return SharesReleased(order_id=terms.order_id, symbol=terms.symbol, quantity=leaves)
    amount = _value(leaves, terms.reserve_price)
    return FundsReleased(order_id=terms.order_id, symbol=terms.symbol, quantity=leaves, amount=amount)


def _booking(order: Order, event: OrderFilled) -> AccountEvent:
    terms = order.terms
    used = Quantity(min(event.quantity, order.leaves_quantity))
    return TradeBooked(
        order_id=terms.order_id,
        fill_id=event.fill_id,
        symbol=terms.symbol,
        side=terms.side,
        quantity=event.quantity,
        price=event.price,
        commission=event.commission,
        released_quantity=used,
        released_cash=_value(used, terms.reserve_price or Price(ZERO)),
        closed=event.status in FINAL and not order.is_over,
    )


def _booked(account: Account, event: TradeBooked) -> Account:
    buying = event.side is Side.BUY
    used = -event.released_quantity
    freed = _working(account, event.symbol, buys=used) if buying else _working(account, event.symbol, sells=used)
    holding = freed.holding(event.symbol)
    position = holding.position.traded(event.side, event.quantity, event.price, event.commission)
    value = event.quantity * event.price
    return replace(
        freed,
        cash=Money(account.cash + (-value if buying else value) - event.commission),
        reserved=Money(account.reserved - event.released_cash),
        open_orders=account.open_orders - event.closed,
        holdings=_holdings(freed, event.symbol, replace(holding, position=position)),
    )


def _working(account: Account, symbol: Symbol, *, buys: Decimal = ZERO, sells: Decimal = ZERO) -> Account:
    holding = account.holding(symbol)
    changed = replace(
        holding,
        working_buys=Quantity(holding.working_buys + buys),
        working_sells=Quantity(holding.working_sells + sells),
    )
    return replace(account, holdings=_holdings(account, symbol, changed))


def _holdings(account: Account, symbol: Symbol, holding: Holding) -> Mapping[Symbol, Holding]:
    return MappingProxyType({**account.holdings, symbol: holding})


def _value(quantity: Quantity, price: Price) -> Money:
    return Money(tidy(quantity * price))
