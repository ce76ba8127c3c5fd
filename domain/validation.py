"""Whether an order may be placed: its terms, the trader's balance and position, the risk limits."""

from collections.abc import Callable
from dataclasses import field
from datetime import timedelta

from domain.account import Account
from domain.activity import Asked
from domain.commands import PlaceOrder, ReplaceOrder
from domain.frozen import dataclass
from domain.limits import DEFAULTS, Limits
from domain.order import Order
from domain.pricing import LIMITED, STOPPED
from domain.refusals import InsufficientFunds, InsufficientPosition, InvalidPrice, InvalidRequest, Refusal
from domain.risk import Controls, asked_by_order
from domain.values import (
    Money,
    Price,
    Quantity,
    Side,
    Symbol,
    TimeInForce,
    dollars,
    parse_price,
    parse_quantity,
    tidy,
)


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
    return _PASSED


_PASSED = ValidationResult(valid=True)


@dataclass(frozen=True, slots=True)
class OrderValidator:
    """All checks before an order is recorded, each usable alone. ``validate_order`` runs them in order.

    ``limits`` are those of traders who have none of their own. A reference price older than ``price_age_max`` is none.
    """

    limits: Limits = DEFAULTS
    price_age_max: timedelta = timedelta(days=7)

    def validate_order(self, order: PlaceOrder, account: Account) -> ValidationResult:
        """Every check; the first that fails is the answer."""
        return _result(lambda: self.admit(order, account))

    def admit(self, order: PlaceOrder, account: Account) -> Asked | None:
        """Let pass what every check lets pass; returns what the limits over time count of it.

        Raises:
            Refusal: that of the first check that fails.
        """
        _check_terms(order)
        controls = self._controls(account)
        notional = controls.check_order(order)
        if order.side is Side.BUY:
            _check_balance(notional, account.available)
        else:
            _check_position(order.symbol, order.quantity, account.holding(order.symbol).available)
        return asked_by_order(order, notional, controls.limits)

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
        """The pre-trade controls: see ``domain.risk``."""
        return _result(lambda: self._controls(account).check_order(order))

    def validate_replacement(
        self, before: Order, after: Order, account: Account, request: ReplaceOrder
    ) -> ValidationResult:
        """Whether the account and the limits carry what the order would become, given as it was and as it would be."""
        return _result(lambda: self._check_replacement(before, after, account, request))

    def limits_of(self, account: Account) -> Limits:
        """The limits that hold for the trader: their own, and else those of everybody."""
        return self.limits.with_own(account.limits)

    def _controls(self, account: Account) -> Controls:
        return Controls(self.limits_of(account), account, self.price_age_max)

    def _check_replacement(self, before: Order, after: Order, account: Account, request: ReplaceOrder) -> None:
        self._controls(account).check_replacement(before, after, request)
        terms = after.terms
        if terms.side is Side.BUY and after.held.amount > before.held.amount:
            _check_balance(after.held.amount, Money(tidy(account.available + before.held.amount)))
        if terms.side is Side.SELL and after.held.quantity > before.held.quantity:
            available = Quantity(account.holding(terms.symbol).available + before.held.quantity)
            _check_position(terms.symbol, after.held.quantity, available)


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
    _check_rules(order)


def _check_rules(order: PlaceOrder) -> None:
    is_protected = order.stop_loss is not None or order.take_profit is not None
    is_plain_day = order.time_in_force is TimeInForce.DAY and not is_protected
    order.rules.check_quantity(order.quantity, is_plain_day=is_plain_day)
    for name in ("price", "stop_price", "stop_loss", "take_profit"):
        price = getattr(order, name)
        if price is not None:
            order.rules.check_price(name, price)


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
