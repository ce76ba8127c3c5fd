from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.amounts import fits, plain, rounded


@pytest.mark.parametrize(
    ("number", "places", "expected"),
    [
        ("1.50", 1, True),
        ("1.50", 0, False),
        ("0.000000001", 9, True),
        ("0.0000000001", 9, False),
        ("1.0000000000000000000000000000000000001", 9, False),
        ("1e-999999999", 9, False),
        ("1E+9", 0, True),
    ],
)
def test_a_number_fits_when_no_digit_would_be_lost(number: str, places: int, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert fits(Decimal(number), places) is expected


@pytest.mark.parametrize(
    ("number", "text"),
    [("190.00", "190"), ("190.10", "190.1"), ("1E+3", "1000"), ("0E-9", "0"), ("100", "100"), ("-0.50", "-0.5")],
)
def test_amounts_are_written_as_plain_digits(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_averages_are_rounded_to_nine_decimals() -> None:
    assert rounded(Decimal(2) / 3) == Decimal("0.666666667")
