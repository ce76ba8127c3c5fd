"""The words everything else is said in: ids, sides, quantities, prices, money. Nonsense is refused at birth.

Quantities are units of the symbol (shares, coins) with up to 9 decimals, prices are dollars per unit with up to 9
decimals, money is dollars. All are exact ``Decimal`` values; the ``parse_`` functions are the only way in.
"""

from contextlib import AbstractContextManager
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, localcontext
from enum import StrEnum
from re import compile as pattern
from typing import NewType

from domain.refusals import InvalidAmount, InvalidPrice, InvalidQuantity, InvalidRequest, InvalidSymbol

TraderId = NewType("TraderId", str)
OrderId = NewType("OrderId", str)
FillId = NewType("FillId", str)
Symbol = NewType("Symbol", str)
Quantity = NewType("Quantity", Decimal)
Price = NewType("Price", Decimal)
Money = NewType("Money", Decimal)

ZERO = Decimal(0)
CENT = Decimal("0.01")
DECIMALS_MAX = 9
QUANTITY_LIMIT = Decimal(10) ** 9
PRICE_LIMIT = Decimal(10) ** 9
AMOUNT_LIMIT = Decimal(10) ** 12

TRADER_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$"
CLIENT_ORDER_ID_PATTERN = r"^[\x21-\x7e]{1,128}$"
SYMBOL_PATTERN = r"^[A-Z][A-Z0-9.]{0,11}(/[A-Z]{3,5})?$"
_trader_id = pattern(TRADER_ID_PATTERN)
_client_order_id = pattern(CLIENT_ORDER_ID_PATTERN)
_symbol = pattern(SYMBOL_PATTERN)

_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_normalize, _remainder = _EXACT.normalize, _EXACT.remainder
_ROUNDED = Context(prec=100)
_NUMBERS = str | int | Decimal
_ONE = Decimal(1)
_TEN = Decimal(10)
_STEPS = tuple(_ONE.scaleb(-decimals) for decimals in range(DECIMALS_MAX + 1))


class Word(StrEnum):
    """A word out of a few. It has the hash of its text without a frame of Python: every decision looks some of them up."""

    __hash__ = str.__hash__


class Side(Word):
    """Which way the quantity moves (FIX Side, tag 54)."""

    BUY = "BUY"
    SELL = "SELL"


class Currency(Word):
    """What an amount of money is in (ISO 4217). Accounts hold dollars and nothing else so far."""

    USD = "USD"


class OrderType(Word):
    """How the price is meant (FIX OrdType, tag 40)."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


class TimeInForce(Word):
    """How long the order works (FIX TimeInForce, tag 59)."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


def exactly() -> AbstractContextManager[Context]:
    """Arithmetic in which a rounded result is an error: every batch of decisions and every fold runs inside it."""
    return localcontext(_EXACT)


def rounded_quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quotient to 9 decimals, half to even: the one place where rounding is allowed (average prices)."""
    return tidy(_ROUNDED.quantize(_ROUNDED.divide(dividend, divisor), _STEPS[-1]))


def tidy(value: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent notation: ``1.50`` and ``15E-1`` are both ``1.5``."""
    reduced = _normalize(value)
    # Only a multiple of ten is left with an exponent above 0.
    return reduced if _remainder(reduced, _TEN) else reduced.quantize(_ONE, context=_EXACT)


def dollars(amount: Decimal) -> str:
    """Money for a sentence: ``$15,000.00``; amounts finer than a cent show all their decimals."""
    amount = tidy(amount)
    shown = f"{amount:,.2f}" if amount == amount.quantize(CENT, context=_ROUNDED) else f"{amount:,f}"
    return f"-${shown[1:]}" if shown.startswith("-") else f"${shown}"


def parse_quantity(value: object) -> Quantity:
    """A quantity above 0 and below 10^9 with at most 9 decimals, from text, int or Decimal.

    Raises:
        InvalidQuantity: it is anything else.
    """
    number, problem = _positive(value, QUANTITY_LIMIT, DECIMALS_MAX)
    if problem:
        raise InvalidQuantity(problem=problem)
    return Quantity(number)


def parse_price(value: object, field: str = "price") -> Price:
    """A price above 0 and below 10^9 with at most 9 decimals; ``field`` names it in the refusal.

    Raises:
        InvalidPrice: it is anything else.
    """
    number, problem = _positive(value, PRICE_LIMIT, DECIMALS_MAX)
    if problem:
        raise InvalidPrice(field, problem=problem)
    return Price(number)


def parse_amount(value: object) -> Money:
    """Dollars and cents above 0 and below 10^12.

    Raises:
        InvalidAmount: it is anything else.
    """
    number, problem = _positive(value, AMOUNT_LIMIT, decimals_max=2)
    if problem:
        raise InvalidAmount(problem=problem)
    return Money(number)


def parse_symbol(value: object) -> Symbol:
    """A symbol such as ``AAPL``, ``BRK.B`` or ``BTC/USD``.

    Raises:
        InvalidSymbol: it does not look like one.
    """
    if not isinstance(value, str) or not _symbol.fullmatch(value):
        raise InvalidSymbol(problem="must look like AAPL, BRK.B or BTC/USD")
    return Symbol(value)


def parse_trader_id(value: object) -> TraderId:
    """A trader id: 1 to 64 letters, digits and ``. _ @ : -``, beginning with a letter or digit.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(value, str) or not _trader_id.fullmatch(value):
        raise InvalidRequest("trader_id", problem="must be 1 to 64 letters, digits or any of . _ @ : -")
    return TraderId(value)


def parse_client_order_id(value: object) -> str:
    """A trader's own name for an order: 1 to 128 printable ASCII characters without spaces.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(value, str) or not _client_order_id.fullmatch(value):
        raise InvalidRequest("client_order_id", problem="must be 1 to 128 printable characters without spaces")
    return value


def parse_number(value: object, field: str, lowest: int, highest: int, decimals_max: int) -> Decimal:
    """A number from ``lowest`` to ``highest`` with at most so many decimals, in its one form.

    Raises:
        InvalidRequest: it is anything else; ``field`` names it.
    """
    number = _decimal(value)
    if number is None or not lowest <= number <= highest or _remainder(number, _STEPS[decimals_max]):
        kind = f"a number with at most {decimals_max} decimals" if decimals_max else "a whole number"
        raise InvalidRequest(field, problem=f"must be {kind} from {lowest:,} to {highest:,}")
    return tidy(number)


def _positive(value: object, limit: Decimal, decimals_max: int) -> tuple[Decimal, str]:
    """The number in its one form, and what is wrong with it, if anything is."""
    number = _decimal(value)
    if number is None:
        return ZERO, "must be a number"
    if number <= 0:
        return ZERO, "must be greater than 0"
    if number >= limit:
        return ZERO, f"must be less than {limit:,}"
    if _remainder(number, _STEPS[decimals_max]):
        return ZERO, f"may have at most {decimals_max} decimals"
    return tidy(number), ""


def _decimal(value: object) -> Decimal | None:
    """The finite number that is meant, or None. Floats are no numbers here: they have lost digits already."""
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return None
    if isinstance(value, str) and len(value) > 64:  # noqa: PLR2004 - far above any number allowed below
        return None
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        return None
    # Exponents outside this range cannot be in bounds, and comparing them exactly would cost memory.
    return number if number.is_finite() and -64 < number.adjusted() < 64 else None  # noqa: PLR2004 - as said
