from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from pydantic import TypeAdapter

from api.fields import MoneyText, QuantityText, TimeText
from api.views import money_text, price_text, quantity_text, time_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100", "100"),
        ("1E+2", "100"),
        ("0.50", "0.5"),
        ("1E-9", "0.000000001"),
        ("100.000", "100"),
        ("0", "0"),
        ("0E+5", "0"),
        ("-0.0", "0"),
        ("-3", "-3"),
        ("999999999.999999999", "999999999.999999999"),
    ],
)
def test_a_quantity_is_plain(value: str, text: str) -> None:
    assert quantity_text(Decimal(value)) == text
    TypeAdapter(QuantityText).validate_python(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("150", "150.00"),
        ("1.5E+2", "150.00"),
        ("0", "0.00"),
        ("-0.000", "0.00"),
        ("0.1", "0.10"),
        ("1.2345", "1.2345"),
        ("1.234500", "1.2345"),
        ("-12.3", "-12.30"),
        ("1E-18", "0.000000000000000001"),
        ("123456789012345678901234567890.1", "123456789012345678901234567890.10"),
    ],
)
def test_money_has_at_least_two_decimals(value: str, text: str) -> None:
    assert money_text(Decimal(value)) == text
    TypeAdapter(MoneyText).validate_python(text)


def test_no_price_is_none() -> None:
    assert price_text(None) is None
    assert price_text(Decimal(7)) == "7.00"


def test_a_time_is_utc_whatever_its_offset() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert time_text(datetime(2026, 1, 2, 12, tzinfo=tokyo)) == "2026-01-02T03:00:00.000000Z"
    assert time_text(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "2026-01-02T03:04:05.000006Z"
    TypeAdapter(TimeText).validate_python("2026-01-02T03:04:05.000006Z")
