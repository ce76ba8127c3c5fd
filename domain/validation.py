"""Whether an order may be placed: its terms, the trader's balance and position, the risk limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from domain.account import Account
from domain.commands import PlaceOrder
from domain.order import worst_price
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
from domain.values import Money, OrderType, Quantity, Side, dollars, parse_price, parse_quantity, tidy


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

    def _check_order(self, order: PlaceOrder, account: Account) -> None:
        _check_terms(order)
        self._check_limits(order, account)
        if order.side is Side.BUY:
            _check_balance(Money(tidy(order.quantity * worst_price(order))), account.available)
        else:
            _check_position(order, account)

    def _check_limits(self, order: PlaceOrder, account: Account) -> None:
        limits = self.limits
        if order.quantity > limits.max_order_quantity:
            raise MaxOrderQuantityExceeded(quantity=f"{order.quantity:f}", limit=f"{limits.max_order_quantity:f}")
        notional = order.quantity * worst_price(order)
        if notional > limits.max_order_notional:
            raise MaxNotionalExceeded(notional=dollars(notional), limit=dollars(limits.max_order_notional))
        if account.open_orders >= limits.max_open_orders:
            raise MaxOpenOrdersExceeded(open_orders=account.open_orders, limit=limits.max_open_orders)
        holding = account.holding(order.symbol)
        position = holding.position.quantity + holding.working_buys + order.quantity
        if order.side is Side.BUY and position > limits.max_position:
            raise MaxPositionExceeded(
                symbol=order.symbol, position=f"{tidy(position):f}", limit=f"{limits.max_position:f}"
            )


def _check_terms(order: PlaceOrder) -> None:
    kind = order.order_type
    limited = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}
    stopped = kind in {OrderType.STOP, OrderType.STOP_LIMIT}
    if limited and order.price is None:
        raise InvalidPrice("price", problem=f"is needed for a {kind} order")
    if not limited and order.price is not None:
        raise InvalidPrice("price", problem=f"has no meaning for a {kind} order")
    if stopped and order.stop_price is None:
        raise InvalidPrice("stop_price", problem=f"is needed for a {kind} order")
    if not stopped and order.stop_price is not None:
        raise InvalidPrice("stop_price", problem=f"has no meaning for a {kind} order")
    for name in ("stop_loss", "take_profit"):
        if getattr(order, name) is not None:
            # An exit that nobody watches is worse than none: refused until the engine places exits itself.
            raise InvalidRequest(name, problem="is not available yet; send the exit as an order of its own")


def _check_balance(cost: Money, available: Money) -> None:
    if cost > available:
        raise InsufficientFunds(cost=dollars(cost), available=dollars(available))


def _check_position(order: PlaceOrder, account: Account) -> None:
    available = account.holding(order.symbol).available
    if order.quantity > available:
        raise InsufficientPosition(
            quantity=f"{order.quantity:f}", symbol=order.symbol, available=f"{tidy(available):f}"
        )
