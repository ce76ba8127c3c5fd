from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.account import Account, Holding
from domain.lifecycle import Status
from domain.limits import Limits
from domain.refusals import InsufficientFunds
from domain.validation import OrderValidator, ValidationResult
from domain.values import Money, OrderType, Price, Side
from tests.domain.conftest import after
from tests.domain.orders import ACME, accepted, dollars, filled, place, placed, price_of, sent, units, wish, wished

RICH = Account(cash=Money(Decimal(10) ** 12))
OK = ValidationResult(valid=True)


def test_an_order_that_costs_too_much_is_told_what_is_available() -> None:
    poor = Account(cash=Money(Decimal(4000)), reserved=Money(Decimal(800)))
    result = OrderValidator().validate_order(place(price=Price(Decimal(150))), poor)
    message = "Insufficient funds for $15,000.00 order; available: $3,200.00"
    assert result == ValidationResult(valid=False, error_code="INSUFFICIENT_FUNDS", message=message)
    with pytest.raises(InsufficientFunds):
        result.or_refuse()


@pytest.mark.parametrize("terms", [{}, {"stop_loss": price_of(9), "take_profit": price_of(11)}])
def test_an_order_within_everything_is_valid(terms: dict[str, Any]) -> None:
    result = OrderValidator().validate_order(place(**terms), RICH)
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
        ({"stop_loss": TEN}, "INVALID_PRICE", "stop_loss must be below the order's price of 10"),
        ({"take_profit": TEN}, "INVALID_PRICE", "take_profit must be above the order's price of 10"),
        (
            {"stop_loss": price_of(9), "side": Side.SELL},
            "INVALID_REQUEST",
            "stop_loss protects what a BUY opens; a SELL closes it",
        ),
        (
            {"take_profit": price_of(11), "side": Side.SELL},
            "INVALID_REQUEST",
            "take_profit protects what a BUY opens; a SELL closes it",
        ),
        (
            {"order_type": OrderType.STOP, "price": None, "stop_price": price_of(20), "take_profit": price_of(15)},
            "INVALID_PRICE",
            "take_profit must be above the order's price of 20",
        ),
        (
            {"order_type": OrderType.MARKET, "price": None, "stop_loss": price_of(12)},
            "INVALID_PRICE",
            "stop_loss must be below the order's price of 10",
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
    holding = Holding(quantity=units(40), working_buys=units(20))
    account = Account(cash=RICH.cash, open_orders=2, holdings={ACME: holding})
    assert OrderValidator(limits).validate_risk_limits(place(), account) == ValidationResult(
        valid=False, error_code=code, message=message
    )
    assert OrderValidator(limits).validate_order(place(), account).error_code == code


def test_a_sell_needs_a_position_that_nothing_else_holds() -> None:
    holding = Holding(quantity=units(150), working_sells=units(51))
    account = Account(holdings={ACME: holding})
    validator = OrderValidator(Limits(max_position=units(1)))
    refused = validator.validate_order(place(side=Side.SELL), account)
    assert refused.message == "Insufficient position to sell 100 ACME; available: 99"
    assert validator.validate_order(place(side=Side.SELL, quantity=units(99)), account) == OK


def test_exits_are_not_compared_with_a_price_that_nobody_knows() -> None:
    unpriced = place(order_type=OrderType.MARKET, price=None, reference_price=None, stop_loss=price_of(12))
    assert OrderValidator().validate_order(unpriced, RICH).error_code == "NO_REFERENCE_PRICE"


# ── Replacements ─────────────────────────────────────────────────────────────────────────────────────────────────────

WORKING = (placed(), sent(), accepted())
SELLING = (placed(side=Side.SELL, reserve_price=None), sent(), accepted())


def test_a_larger_replacement_needs_money_for_what_it_adds() -> None:
    before, wanted = after(*WORKING), after(*WORKING, wished(1, 150))
    validator = OrderValidator()
    enough = Account(cash=dollars(1500), reserved=dollars(1000))
    assert validator.validate_replacement(before, wanted, enough, wish()) == OK
    too_little = Account(cash=dollars(1499), reserved=dollars(1000))
    refused = validator.validate_replacement(before, wanted, too_little, wish())
    assert refused.message == "Insufficient funds for $1,500.00 order; available: $1,499.00"


def test_a_larger_replacement_needs_units_for_what_it_adds() -> None:
    wanted = after(*SELLING, wished(1, 150))
    holding = Holding(quantity=units(149), working_sells=units(100))
    refused = OrderValidator().validate_replacement(after(*SELLING), wanted, Account(holdings={ACME: holding}), wish())
    assert refused.message == "Insufficient position to sell 150 ACME; available: 149"
    more = Holding(quantity=units(150), working_sells=units(100))
    assert OrderValidator().validate_replacement(after(*SELLING), wanted, Account(holdings={ACME: more}), wish()) == OK


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_order_quantity=units(149)), "MAX_ORDER_QUANTITY_EXCEEDED"),
        (Limits(max_order_notional=dollars(1499)), "MAX_NOTIONAL_EXCEEDED"),
        (Limits(max_position=units(189)), "MAX_POSITION_EXCEEDED"),
        (Limits(max_position=units(190), max_open_orders=0), None),
    ],
)
def test_a_larger_replacement_is_held_to_the_limits(limits: Limits, code: str | None) -> None:
    holding = Holding(quantity=units(40), working_buys=units(100))
    account = Account(cash=RICH.cash, holdings={ACME: holding})
    result = OrderValidator(limits).validate_replacement(
        after(*WORKING), after(*WORKING, wished(1, 150)), account, wish()
    )
    assert result.error_code == code


def test_the_fills_so_far_are_paid_for_already() -> None:
    part = (*WORKING, filled(40, 40, Status.PARTIALLY_FILLED))
    account = Account(cash=dollars(1100), reserved=dollars(600))
    assert OrderValidator().validate_replacement(after(*part), after(*part, wished(1, 150)), account, wish()) == OK


@pytest.mark.parametrize("working", [WORKING, SELLING])
def test_a_smaller_replacement_needs_nothing_even_where_there_is_less_than_nothing(working: Any) -> None:
    holding = Holding(quantity=units(-50), working_buys=units(100), working_sells=units(100))
    overdrawn = Account(cash=dollars(-10), reserved=dollars(1000), holdings={ACME: holding})
    validator = OrderValidator(Limits(max_position=units(1)))
    assert validator.validate_replacement(after(*working), after(*working, wished(1, 50)), overdrawn, wish()) == OK


def test_a_market_order_is_worth_what_the_market_was() -> None:
    market = placed(side=Side.SELL, order_type=OrderType.MARKET, price=None, reserve_price=None)
    known = (market, sent(), accepted())
    limits = Limits(max_order_notional=dollars(1))
    holding = Holding(quantity=units(500), working_sells=units(100))
    account = Account(holdings={ACME: holding})
    wanted = after(*known, wished(1, 150))
    assert OrderValidator(limits).validate_replacement(after(*known), wanted, account, wish()).error_code == (
        "MAX_NOTIONAL_EXCEEDED"
    )
    unpriced = (replace(market, reference_price=None), sent(), accepted())
    wanted = after(*unpriced, wished(1, 150))
    assert OrderValidator(limits).validate_replacement(after(*unpriced), wanted, account, wish()) == OK
