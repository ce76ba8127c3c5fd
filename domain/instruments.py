"""What orders in a symbol must fit: ticks, lots and sizes, as the venue that trades it says."""

from decimal import ROUND_FLOOR, Context, Decimal
from typing import Final

from domain.frozen import dataclass
from domain.refusals import InvalidPrice, InvalidQuantity
from domain.values import CENT, DECIMALS_MAX, ZERO, Price, Quantity, tidy

DOLLAR: Final = Decimal(1)
WHOLE: Final = Quantity(Decimal(1))
FINEST: Final = Decimal(1).scaleb(-DECIMALS_MAX)
"""The smallest step that a quantity or a price can have here."""

_DOWNWARDS: Final = Context(prec=100, rounding=ROUND_FLOOR)
_remainder: Final = _DOWNWARDS.remainder


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRules:
    """The grid that prices and quantities of a symbol are on; None where anything goes.

    Prices are multiples of ``tick_size``, those below a dollar of ``tick_size_below_dollar``; quantities are multiples of
    ``lot_size`` from ``min_quantity`` to ``max_quantity``. ``fractional_day_only``: what is no whole number of units is
    taken in a plain DAY order only.
    """

    tick_size: Price | None = None
    tick_size_below_dollar: Price | None = None
    lot_size: Quantity | None = None
    min_quantity: Quantity | None = None
    max_quantity: Quantity | None = None
    fractional_day_only: bool = False

    def check_price(self, field: str, price: Price | None) -> None:
        """Whether a price is on its tick, if there is one.

        Raises:
            InvalidPrice: it is not; the sentence names the nearest prices that are.
        """
        if price is None:
            return
        tick = self.tick_size_below_dollar if price < DOLLAR else self.tick_size
        if tick is not None and (nearest := _off_grid(price, tick, decimals_min=2)):
            raise InvalidPrice(
                field, problem=f"{price:f} is not a multiple of the tick size {tick:f}; nearest: {nearest}"
            )

    def check_quantity(self, quantity: Quantity | None, *, is_plain_day: bool) -> None:
        """Whether so many units can be ordered, if there is a number; ``is_plain_day``: for the day, and without exits.

        Raises:
            InvalidQuantity: they cannot; the sentence names the nearest quantities that can.
        """
        if quantity is None:
            return
        if self.min_quantity is not None and quantity < self.min_quantity:
            raise InvalidQuantity(problem=f"{quantity:f} is below the minimum of {self.min_quantity:f}")
        if self.max_quantity is not None and quantity > self.max_quantity:
            raise InvalidQuantity(problem=f"{quantity:f} is above the maximum of {self.max_quantity:f}")
        if self.lot_size is not None and (nearest := _off_grid(quantity, self.lot_size)):
            problem = f"{quantity:f} is not a multiple of the lot size {self.lot_size:f}; nearest: {nearest}"
            raise InvalidQuantity(problem=problem)
        if self.fractional_day_only and not is_plain_day and (nearest := _off_grid(quantity, WHOLE)):
            why = "is taken in a DAY order without stop_loss and take_profit only"
            raise InvalidQuantity(problem=f"{quantity:f} {why}; nearest whole: {nearest}")


ANYTHING: Final = SymbolRules()
"""No rules: for a symbol of which the venue says none."""


def us_equity(*, fractionable: bool) -> SymbolRules:
    """Stocks: SEC Rule 612 allows cents from a dollar up, below that hundredths of a cent."""
    lot = Quantity(FINEST) if fractionable else WHOLE
    below_dollar = Price(Decimal("0.0001"))
    return SymbolRules(
        tick_size=Price(CENT),
        tick_size_below_dollar=below_dollar,
        lot_size=lot,
        min_quantity=lot,
        fractional_day_only=fractionable,
    )


def _off_grid(number: Decimal, step: Decimal, decimals_min: int = 0) -> str:
    """The nearest multiples of the step that are above 0, as a person writes them; nothing for one that is a multiple."""
    if not _remainder(number, step):
        return ""
    below = _DOWNWARDS.multiply(_DOWNWARDS.divide(number, step).to_integral_value(ROUND_FLOOR), step)
    return " or ".join(_written(each, decimals_min) for each in (below, below + step) if each > ZERO)


def _written(number: Decimal, decimals_min: int) -> str:
    decimals = max(decimals_min, -int(tidy(number).as_tuple().exponent))
    return f"{number:.{decimals}f}"
