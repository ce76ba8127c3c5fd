from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.refusals import InvalidAmount, InvalidPrice, InvalidQuantity, InvalidRequest, InvalidSymbol
from domain.values import (
    dollars,
    exactly,
    parse_amount,
    parse_client_order_id,
    parse_price,
    parse_quantity,
    parse_symbol,
    parse_trader_id,
    rounded_quotient,
    tidy,
)

NOT_NUMBERS = [
    "",
    "ten",
    "NaN",
    "-NaN",
    "sNaN",
    "Infinity",
    "-inf",
    "1e400",
    "1e-400",
    "9" * 65,
    None,
    True,
    1.5,
    [],
    "0x10",
]


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_no_number_is_no_quantity_price_or_amount(value: object) -> None:
    with pytest.raises(InvalidQuantity, match="Quantity must be a number"):
        parse_quantity(value)
    with pytest.raises(InvalidPrice, match="stop_price must be a number"):
        parse_price(value, "stop_price")
    with pytest.raises(InvalidAmount, match="Amount must be a number"):
        parse_amount(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("0", "must be greater than 0"),
        ("-1", "must be greater than 0"),
        (1_000_000_000, "must be less than 1,000,000,000"),
        ("9" * 40, "must be less than 1,000,000,000"),
        ("0.0000000001", "may have at most 9 decimals"),
    ],
)
def test_a_quantity_or_price_out_of_range_is_refused(value: object, problem: str) -> None:
    with pytest.raises(InvalidQuantity) as quantity:
        parse_quantity(value)
    assert quantity.value.message == f"Quantity {problem}"
    with pytest.raises(InvalidPrice) as price:
        parse_price(value)
    assert price.value.message == f"price {problem}"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0, "must be greater than 0"),
        (10**12, "must be less than 1,000,000,000,000"),
        ("0.001", "may have at most 2 decimals"),
    ],
)
def test_an_amount_out_of_range_is_refused(value: object, problem: str) -> None:
    with pytest.raises(InvalidAmount) as amount:
        parse_amount(value)
    assert amount.value.message == f"Amount {problem}"


@pytest.mark.parametrize(("value", "text"), [("1.50", "1.5"), ("1e2", "100"), (7, "7"), (Decimal("0.10"), "0.1")])
def test_numbers_have_one_form(value: object, text: str) -> None:
    assert str(parse_quantity(value)) == text
    assert str(parse_price(value)) == text
    assert str(parse_amount(value)) == text


@pytest.mark.parametrize("value", ["AAPL", "BRK.B", "BTC/USD", "A"])
def test_symbols_are_accepted(value: str) -> None:
    assert parse_symbol(value) == value


@pytest.mark.parametrize("value", ["", "aapl", "1A", "A" * 13, "BTC/usd", "AAPL\n", None, 7])
def test_what_is_no_symbol_is_refused(value: object) -> None:
    with pytest.raises(InvalidSymbol, match="must look like"):
        parse_symbol(value)


def test_trader_ids_and_client_order_ids_are_plain_text() -> None:
    assert parse_trader_id("alice@desk-1") == "alice@desk-1"
    assert parse_client_order_id("a/b#1") == "a/b#1"
    for value in ("", "-x", "a b", "x" * 65, "a\n", None):
        with pytest.raises(InvalidRequest, match="trader_id must be"):
            parse_trader_id(value)
    for value in ("", "a b", "x" * 129, "ü", "a\n", 5):
        with pytest.raises(InvalidRequest, match="client_order_id must be"):
            parse_client_order_id(value)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("15000", "$15,000.00"), ("3200.5", "$3,200.50"), ("-1", "-$1.00"), ("0.0001", "$0.0001"), ("0", "$0.00")],
)
def test_money_is_said_in_dollars(amount: str, text: str) -> None:
    assert dollars(Decimal(amount)) == text


def test_arithmetic_that_would_round_is_an_error() -> None:
    with exactly(), pytest.raises(Inexact):
        Decimal(1) / Decimal(3)


@given(
    st.decimals("-1e18", "1e18", places=9),
    st.decimals("0.000000001", "1e18", places=9),
)
def test_a_rounded_quotient_is_within_half_a_unit_of_its_last_place(dividend: Decimal, divisor: Decimal) -> None:
    with exactly():
        error = rounded_quotient(dividend, divisor) * divisor - dividend
        assert abs(error) <= divisor * Decimal("0.0000000005")


@given(st.decimals("-1e18", "1e18", places=9))
def test_tidying_changes_the_form_and_not_the_number(value: Decimal) -> None:
    assert tidy(value) == value
    assert "E" not in str(tidy(value)) or abs(value) < Decimal("0.000001")
