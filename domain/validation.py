"""Whether an order may be placed: its terms, the trader's balance and position, the risk limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from domain.account import Account
from domain.commands import PlaceOrder
from domain.order import Order
from domain.pricing import LIMITED, STOPPED, limit_of, worst_price
from domain.refusals import (
    InsufficientFunds,
    InsufficientPosition,
    InvalidPrice,
    InvalidRequest,
    MaxNotionalExceeded,
    MaxOpenOrdersExceeded,
    MaxOrderQuantityExceeded,
    MaxPositionExceeded,
    Refusal,
)
from domain.values import ZERO, Money, Price, Quantity, Side, Symbol, dollars, parse_price, parse_quantity, tidy


@dataclass(frozen=True, slots=True)
class Limits:
    """Risk limits of one trader. The defaults refuse only the absurd."""

    max_position: Quantity = Quantity(Decimal(100_000_000))
    max_order_quantity: Quantity = Quantity(Decimal(10_000_000))
    max_order_notional: Money = Money(Decimal(1_000_000_000))
    max_open_orders: int = 1_000_000


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Whether a check passed; if not, the error code and a sentence that the trader can act on."""

    valid: bool
    error_code: str | None = None
    message: str | None = None
    refusal: Refusal | None = field(default=None, repr=False, compare=False)

    def or_refuse(self) -> None:
        """Raise the refusal behind a failed check."""
        if self.refusal is not None:
            raise self.refusal


def _result(check: Callable[[], object]) -> ValidationResult:
    try:
        check()
    except Refusal as refusal:
        return ValidationResult(valid=False, error_code=refusal.code, message=refusal.message, refusal=refusal)
    return ValidationResult(valid=True)


@dataclass(frozen=True, slots=True)
class OrderValidator:
    """All checks before an order is recorded, each usable alone. ``validate_order`` runs them in order."""

    limits: Limits = Limits()

    def validate_order(self, order: PlaceOrder, account: Account) -> ValidationResult:
        """Every check; the first that fails is the answer."""
        return _result(lambda: self._check_order(order, account))

    def validate_quantity(self, quantity: object) -> ValidationResult:
        """A number above 0, in range and with few enough decimals."""
        return _result(lambda: parse_quantity(quantity))

    def validate_price(self, price: object) -> ValidationResult:
        """A number above 0, in range and with few enough decimals."""
        return _result(lambda: parse_price(price))

    def validate_balance(self, cost: Money, available: Money) -> ValidationResult:
        """Whether ``available`` dollars cover ``cost`` dollars."""
        return _result(lambda: _check_balance(cost, available))

    def validate_risk_limits(self, order: PlaceOrder, account: Account) -> ValidationResult:
        """Order quantity, order value, open orders and the position that working orders could lead to."""
        return _result(lambda: self._check_limits(order, account))

    def validate_replacement(self, before: Order, after: Order, account: Account) -> ValidationResult:
        """Whether the account and the limits carry what the order would become, given as it was and as it would be."""
        return _result(lambda: self._check_replacement(before, after, account))

    def _check_order(self, order: PlaceOrder, account: Account) -> None:
        _check_terms(order)
        self._check_limits(order, account)
        if order.side is Side.BUY:
            _check_balance(Money(tidy(order.quantity * worst_price(order))), account.available)
        else:
            _check_position(order.symbol, order.quantity, account.holding(order.symbol).available)

    def _check_limits(self, order: PlaceOrder, account: Account) -> None:
        if account.open_orders >= self.limits.max_open_orders:
            raise MaxOpenOrdersExceeded(open_orders=account.open_orders, limit=self.limits.max_open_orders)
        self._check_size(order.quantity, order.quantity * worst_price(order))
        if order.side is Side.BUY:
            self._check_position_limit(order.symbol, order.quantity, account)

    def _check_replacement(self, before: Order, after: Order, account: Account) -> None:
        terms = after.terms
        wished = after.replacements[-1].terms if after.replacements else after.current
        price = limit_of(terms.order_type, wished.price, wished.stop_price or terms.reference_price) or ZERO
        self._check_size(wished.quantity, wished.quantity * price)
        # What asks for no more than before is within what was granted, also if that would not be granted today.
        grows = after.held.quantity > before.held.quantity
        if terms.side is Side.BUY and grows:
            self._check_position_limit(terms.symbol, Quantity(after.held.quantity - before.held.quantity), account)
        if terms.side is Side.BUY and after.held.amount > before.held.amount:
            _check_balance(after.held.amount, Money(tidy(account.available + before.held.amount)))
        if terms.side is Side.SELL and grows:
            available = Quantity(account.holding(terms.symbol).available + before.held.quantity)
            _check_position(terms.symbol, after.held.quantity, available)

    def _check_size(self, quantity: Quantity, notional: Decimal) -> None:
        limits = self.limits
        if quantity > limits.max_order_quantity:
            raise MaxOrderQuantityExceeded(quantity=f"{quantity:f}", limit=f"{limits.max_order_quantity:f}")
        if notional > limits.max_order_notional:
            raise MaxNotionalExceeded(notional=dollars(notional), limit=dollars(limits.max_order_notional))

    def _check_position_limit(self, symbol: Symbol, more: Quantity, account: Account) -> None:
        holding = account.holding(symbol)
        position = holding.quantity + holding.working_buys + more
        if position > self.limits.max_position:
            raise MaxPositionExceeded(
                symbol=symbol, position=f"{tidy(position):f}", limit=f"{self.limits.max_position:f}"
            )


def _check_terms(order: PlaceOrder) -> None:
    kind = order.order_type
    limited, stopped = kind in LIMITED, kind in STOPPED
    if limited and order.price is None:
        raise InvalidPrice("price", problem=f"is needed for a {kind} order")
    if not limited and order.price is not None:
        raise InvalidPrice("price", problem=f"has no meaning for a {kind} order")
    if stopped and order.stop_price is None:
        raise InvalidPrice("stop_price", problem=f"is needed for a {kind} order")
    if not stopped and order.stop_price is not None:
        raise InvalidPrice("stop_price", problem=f"has no meaning for a {kind} order")
    _check_exits(order, order.price or order.stop_price or order.reference_price)


def _check_exits(order: PlaceOrder, entry: Price | None) -> None:
    for name, price in (("stop_loss", order.stop_loss), ("take_profit", order.take_profit)):
        if price is not None and order.side is Side.SELL:
            raise InvalidRequest(name, problem="protects what a BUY opens; a SELL closes it")
    if entry is None:
        return
    if order.stop_loss is not None and order.stop_loss >= entry:
        raise InvalidPrice("stop_loss", problem=f"must be below the order's price of {entry:f}")
    if order.take_profit is not None and order.take_profit <= entry:
        raise InvalidPrice("take_profit", problem=f"must be above the order's price of {entry:f}")


def _check_balance(cost: Money, available: Money) -> None:
    if cost > available:
        raise InsufficientFunds(cost=dollars(cost), available=dollars(available))


def _check_position(symbol: Symbol, quantity: Quantity, available: Quantity) -> None:
    if quantity > available:
        raise InsufficientPosition(quantity=f"{quantity:f}", symbol=symbol, available=f"{tidy(available):f}")
