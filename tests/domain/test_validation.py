from decimal import Decimal
from typing import Any

import pytest

from domain.account import Account, Holding
from domain.position import Position
from domain.refusals import InsufficientFunds
from domain.validation import Limits, OrderValidator, ValidationResult
from domain.values import Money, OrderType, Price, Quantity, Side
from tests.domain.orders import ACME, place

RICH = Account(cash=Money(Decimal(10) ** 12))
OK = ValidationResult(valid=True)


def units(quantity: int) -> Quantity:
    return Quantity(Decimal(quantity))


def test_an_order_that_costs_too_much_is_told_what_is_available() -> None:
    poor = Account(cash=Money(Decimal(4000)), reserved=Money(Decimal(800)))
    result = OrderValidator().validate_order(place(price=Price(Decimal(150))), poor)
    message = "Insufficient funds for $15,000.00 order; available: $3,200.00"
    assert result == ValidationResult(valid=False, error_code="INSUFFICIENT_FUNDS", message=message)
    with pytest.raises(InsufficientFunds):
        result.or_refuse()


def test_an_order_within_everything_is_valid() -> None:
    result = OrderValidator().validate_order(place(), RICH)
    assert result == OK
    result.or_refuse()


def test_balance_is_enough_to_the_last_cent() -> None:
    validator = OrderValidator()
    assert validator.validate_balance(Money(Decimal(100)), Money(Decimal(100))) == OK
    refused = validator.validate_balance(Money(Decimal("100.01")), Money(Decimal(100)))
    assert (refused.valid, refused.error_code) == (False, "INSUFFICIENT_FUNDS")


@pytest.mark.parametrize(("quantity", "code"), [("10", None), ("0", "INVALID_QUANTITY"), ("NaN", "INVALID_QUANTITY")])
def test_quantities_are_checked(quantity: str, code: str | None) -> None:
    assert OrderValidator().validate_quantity(quantity).error_code == code


@pytest.mark.parametrize(("price", "code"), [("10", None), ("-1", "INVALID_PRICE"), (1.5, "INVALID_PRICE")])
def test_prices_are_checked(price: object, code: str | None) -> None:
    assert OrderValidator().validate_price(price).error_code == code


TEN = Price(Decimal(10))


@pytest.mark.parametrize(
    ("terms", "code", "message"),
    [
        ({"price": None}, "INVALID_PRICE", "price is needed for a LIMIT order"),
        ({"order_type": OrderType.MARKET}, "INVALID_PRICE", "price has no meaning for a MARKET order"),
        ({"order_type": OrderType.STOP, "price": None}, "INVALID_PRICE", "stop_price is needed for a STOP order"),
        ({"stop_price": TEN}, "INVALID_PRICE", "stop_price has no meaning for a LIMIT order"),
        (
            {"stop_loss": TEN},
            "INVALID_REQUEST",
            "stop_loss is not available yet; send the exit as an order of its own",
        ),
        (
            {"order_type": OrderType.MARKET, "price": None, "reference_price": None},
            "NO_REFERENCE_PRICE",
            "There is no reference price for ACME, so a MARKET order cannot be valued; send a LIMIT order",
        ),
    ],
)
def test_terms_that_do_not_fit_the_type_are_refused(terms: dict[str, Any], code: str, message: str) -> None:
    result = OrderValidator().validate_order(place(**terms), RICH)
    assert (result.error_code, result.message) == (code, message)


@pytest.mark.parametrize(
    ("limits", "code", "message"),
    [
        (
            Limits(max_order_quantity=units(99)),
            "MAX_ORDER_QUANTITY_EXCEEDED",
            "Order quantity 100 is above the limit of 99",
        ),
        (
            Limits(max_order_notional=Money(Decimal("999.99"))),
            "MAX_NOTIONAL_EXCEEDED",
            "Order value $1,000.00 is above the limit of $999.99",
        ),
        (Limits(max_open_orders=2), "MAX_OPEN_ORDERS_EXCEEDED", "There are 2 open orders already; the limit is 2"),
        (
            Limits(max_position=units(159)),
            "MAX_POSITION_EXCEEDED",
            "The order could bring the ACME position to 160; the limit is 159",
        ),
    ],
)
def test_an_order_above_a_limit_is_refused(limits: Limits, code: str, message: str) -> None:
    holding = Holding(position=Position(quantity=units(40)), working_buys=units(20))
    account = Account(cash=RICH.cash, open_orders=2, holdings={ACME: holding})
    assert OrderValidator(limits).validate_risk_limits(place(), account) == ValidationResult(
        valid=False, error_code=code, message=message
    )
    assert OrderValidator(limits).validate_order(place(), account).error_code == code


def test_a_sell_needs_a_position_that_nothing_else_holds() -> None:
    holding = Holding(position=Position(quantity=units(150)), working_sells=units(51))
    account = Account(holdings={ACME: holding})
    validator = OrderValidator(Limits(max_position=units(1)))
    refused = validator.validate_order(place(side=Side.SELL), account)
    assert refused.message == "Insufficient position to sell 100 ACME; available: 99"
    assert validator.validate_order(place(side=Side.SELL, quantity=units(99)), account) == OK
