"""The pre-trade controls: whether what a trader asks for is within the limits. Each raises the refusal of its name.

They fail closed: a price that is needed and not known, or too old to be relied on, is a refusal of its own.
"""

from datetime import timedelta
from typing import NamedTuple

from domain.account import Account
from domain.activity import Asked
from domain.commands import PlaceOrder, ReplaceOrder
from domain.limits import Limits
from domain.order import Order
from domain.pricing import limit_of, worst_price
from domain.refusals import (
    DuplicateOrder,
    MaxDailyNotionalExceeded,
    MaxNotionalExceeded,
    MaxOpenOrdersExceeded,
    MaxOrderQuantityExceeded,
    MaxPositionExceeded,
    NoPriceForCollar,
    PriceOutOfCollar,
    RateLimited,
    RestrictedSymbol,
    StalePrice,
)
from domain.values import ZERO, Money, OrderType, Price, Quantity, Side, Symbol, dollars, tidy

_HUNDRED = 100


class Controls(NamedTuple):
    """The controls for one trader: the limits, the account as it is, and how old a price may be."""

    limits: Limits
    account: Account
    price_age_max: timedelta

    def check_order(self, order: PlaceOrder) -> Money:
        """Whether a new order is within the limits; returns its notional."""
        limits, account = self.limits, self.account
        self._check_symbol(order.symbol)
        self._check_pace(order)
        if account.open_orders >= limits.max_open_orders:
            raise MaxOpenOrdersExceeded(open_orders=account.open_orders, limit=limits.max_open_orders)
        if order.order_type is OrderType.MARKET and order.reference_price is not None:
            self._check_age(order, order.symbol)
        notional = notional_of(order)
        self._check_quantity(order.quantity)
        self._check_notional(order, notional, notional)
        if order.side is Side.BUY:
            self._check_position(order.symbol, order.quantity)
        self._check_collar(order, order.symbol, order.price, order.stop_price)
        if limits.duplicate_window_seconds and order.asked_at:
            window = timedelta(seconds=limits.duplicate_window_seconds)
            if account.activity.was_asked(words(order), order.asked_at, window):
                raise DuplicateOrder(seconds=limits.duplicate_window_seconds)
        return notional

    def check_replacement(self, before: Order, after: Order, request: ReplaceOrder) -> None:
        """Whether what an order would become is within the limits.

        What asks for no more than before is within what was granted, also if that would not be granted today.
        """
        terms, had, wished = after.terms, before.wished, after.wished
        self._check_symbol(terms.symbol)
        self._check_pace(request)
        if wished.quantity > had.quantity:
            self._check_quantity(wished.quantity)
        added = added_notional(before, after)
        if added > ZERO:
            self._check_notional(request, _notional_wished(after), added)
        more = after.held.quantity - before.held.quantity
        if terms.side is Side.BUY and more > ZERO:
            self._check_position(terms.symbol, Quantity(more))
        if terms.parent_order_id is None and (wished.price, wished.stop_price) != (had.price, had.stop_price):
            self._check_collar(request, terms.symbol, wished.price, wished.stop_price)

    def _check_symbol(self, symbol: Symbol) -> None:
        if symbol in self.limits.restricted_symbols:
            raise RestrictedSymbol(symbol=symbol)

    def _check_pace(self, request: PlaceOrder | ReplaceOrder) -> None:
        if request.asked_at is None:
            return
        per_second = self.limits.max_orders_per_second
        seconds = self.account.activity.seconds_to_wait(request.asked_at, per_second)
        if seconds:
            raise RateLimited(limit=per_second, retry_after_seconds=seconds)

    def _check_quantity(self, quantity: Quantity) -> None:
        limit = self.limits.max_order_quantity
        if quantity > limit:
            raise MaxOrderQuantityExceeded(quantity=f"{quantity:f}", limit=f"{limit:f}")

    def _check_notional(self, request: PlaceOrder | ReplaceOrder, notional: Money, added: Money) -> None:
        limits = self.limits
        if notional > limits.max_order_notional:
            raise MaxNotionalExceeded(notional=dollars(notional), limit=dollars(limits.max_order_notional))
        if request.asked_at is None:
            return
        today = self.account.activity.notional_on(request.asked_at) + added
        if today > limits.max_daily_notional:
            raise MaxDailyNotionalExceeded(notional=dollars(today), limit=dollars(limits.max_daily_notional))

    def _check_position(self, symbol: Symbol, more: Quantity) -> None:
        holding, limit = self.account.holding(symbol), self.limits.max_position
        position = holding.quantity + holding.working_buys + more
        if position > limit:
            raise MaxPositionExceeded(symbol=symbol, position=f"{tidy(position):f}", limit=f"{limit:f}")

    def _check_collar(
        self, request: PlaceOrder | ReplaceOrder, symbol: Symbol, price: Price | None, stop_price: Price | None
    ) -> None:
        """Limit prices are compared with the market, or with the stop price, where the market will be by then."""
        percent = self.limits.price_collar_percent
        if percent is None or price is None:
            return
        reference, what = stop_price, "stop price"
        if reference is None:
            reference, what = request.reference_price, "reference price"
            if reference is None:
                raise NoPriceForCollar(symbol=symbol)
            self._check_age(request, symbol)
        if abs(price - reference) * _HUNDRED > percent * reference:
            raise PriceOutOfCollar(price=f"{price:f}", percent=f"{percent:f}", what=what, reference=f"{reference:f}")

    def _check_age(self, request: PlaceOrder | ReplaceOrder, symbol: Symbol) -> None:
        """Whether the reference price, which is needed, is new enough; one without a time is not."""
        if request.asked_at is None:
            return
        at = request.reference_price_at
        age = None if at is None else request.asked_at - at
        if age is None or age > self.price_age_max:
            said = "of unknown age" if age is None else f"{age.total_seconds():,.0f} s old"
            raise StalePrice(symbol=symbol, age=said, limit=f"{self.price_age_max.total_seconds():,.0f}")


def asked_by_order(order: PlaceOrder, notional: Money, limits: Limits) -> Asked | None:
    """What the limits over time count of a new order with this notional; None of an exit, which nobody asks for."""
    if order.asked_at is None:
        return None
    return Asked(order.asked_at, notional, words(order) if limits.duplicate_window_seconds else None)


def asked_by_replacement(before: Order, after: Order, request: ReplaceOrder) -> Asked | None:
    """What the limits over time count of a request for other terms."""
    return None if request.asked_at is None else Asked(request.asked_at, added_notional(before, after))


def notional_of(order: PlaceOrder) -> Money:
    """What the order is worth at most, in dollars: at its limit, or at the market's or the stop price with a margin.

    Raises:
        NoReferencePrice: a market order in a symbol that nobody can value.
    """
    return Money(tidy(order.quantity * worst_price(order)))


def added_notional(before: Order, after: Order) -> Money:
    """By how much a request for other terms raises what the order is worth; 0 where it does not."""
    return Money(tidy(max(_notional_wished(after) - _notional_wished(before), ZERO)))


def words(order: PlaceOrder) -> str:
    """The terms of an order in words, the same for the same terms."""
    prices = " ".join("-" if price is None else f"{price:f}" for price in (order.price, order.stop_price))
    return f"{order.side} {order.quantity:f} {order.symbol} {order.order_type} {prices} {order.time_in_force}"


def _notional_wished(order: Order) -> Money:
    wished, terms = order.wished, order.terms
    price = limit_of(terms.order_type, wished.price, wished.stop_price or terms.reference_price) or ZERO
    return Money(tidy(wished.quantity * price))
