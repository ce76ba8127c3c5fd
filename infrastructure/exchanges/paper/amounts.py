"""Exact decimal amounts: their bounds, their digits, and how they are written."""

from decimal import Context, Decimal
from typing import Final

QUANTITY_MAX: Final = Decimal(1_000_000_000_000)
PRICE_MAX: Final = Decimal(1_000_000_000)
DECIMALS_MAX: Final = 9

# Wide enough for the product of the largest quantity and the largest price, to the last of their decimals.
EXACT: Final = Context(prec=60)

ZERO: Final = Decimal(0)

_UNITS: Final = [Decimal(1).scaleb(-places) for places in range(DECIMALS_MAX + 1)]


def fits(number: Decimal, places: int) -> bool:
    """Whether a finite number below the bounds above has no more than `places` decimals; `1.500` has one."""
    return number == number.quantize(_UNITS[places], context=EXACT)


def rounded(number: Decimal) -> Decimal:
    """The number to nine decimals, for averages that do not come out even."""
    return number.quantize(_UNITS[DECIMALS_MAX], context=EXACT)


def plain(number: Decimal) -> str:
    """The number as digits, without an exponent and without zeros that say nothing: `190`, `0.5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
