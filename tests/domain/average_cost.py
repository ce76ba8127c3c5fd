"""Positions from the definition, to hold the product's against: fractions, and nothing of the product's arithmetic.

What is held was bought, or is owed from being sold, at its average cost. A fill the other way first closes what is held:
that leaves at the average cost, rounded half to even at the ninth decimal of its sum, unless all of it leaves, and what
it brought above that is realised. What a fill does not close, it opens at its own price.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

DECIMALS = 9


@dataclass
class Fill:
    """A fill that stands; ``sign`` is 1 for a buy, -1 for a sell."""

    sign: int
    quantity: Decimal
    price: Decimal
    commission: Decimal


@dataclass
class Held:
    """``units`` on the ``direction`` (1: long, -1: short) that were paid for with ``paid``, both never below 0."""

    direction: int = 1
    units: Fraction = Fraction(0)
    paid: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)
    commission: Fraction = Fraction(0)
    partial_closes: int = 0

    @property
    def as_told(self) -> tuple[Fraction, Fraction, Fraction, Fraction]:
        """Quantity, cost, realised P&L and commission, signed as the product tells them."""
        return self.direction * self.units, self.direction * self.paid, self.realised, self.commission


def held_after(fills: Iterable[Fill], *, rounding: bool = True) -> Held:
    """What the fills of one symbol lead to, in this order; without rounding, as it would be in a perfect world."""
    held = Held()
    for fill in fills:
        quantity, price = Fraction(fill.quantity), Fraction(fill.price)
        held.commission += Fraction(fill.commission)
        if held.units and fill.sign != held.direction:
            closed = min(quantity, held.units)
            leaves = held.paid * closed / held.units
            if rounding and closed != held.units:
                leaves = round(leaves, DECIMALS)  # half to even
            held.partial_closes += closed != held.units
            held.realised += held.direction * (closed * price - leaves)
            held.units -= closed
            held.paid -= leaves
            quantity -= closed
        if quantity:
            held.direction = fill.sign
            held.units += quantity
            held.paid += quantity * price
    return held
