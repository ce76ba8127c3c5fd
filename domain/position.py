"""What a trader holds of one symbol, at average cost."""

from decimal import Decimal
from typing import NamedTuple

from domain.values import ZERO, Money, Price, Quantity, Side, rounded_quotient


class Position(NamedTuple):
    """``quantity`` units bought for ``cost`` dollars in all; negative when facts from the venue left it short.

    ``closed_at`` is the average price of what a trade closed last, None before. Nothing is lost to rounding: the cash
    all trades moved equals ``realised_pnl - cost`` exactly, and ``commission`` stands beside it.
    """

    quantity: Quantity = Quantity(ZERO)
    cost: Money = Money(ZERO)
    realised_pnl: Money = Money(ZERO)
    commission: Money = Money(ZERO)
    closed_at: Price | None = None

    @property
    def average_price(self) -> Price | None:
        """Dollars paid per unit held, to 9 decimals; None when nothing is held."""
        return Price(rounded_quotient(self.cost, self.quantity)) if self.quantity else None

    def unrealised_pnl(self, reference_price: Price) -> Money:
        """What selling everything at the reference price would add to ``realised_pnl``."""
        return Money(self.quantity * reference_price - self.cost)

    def traded(self, side: Side, quantity: Quantity, price: Price, commission: Money) -> "Position":
        """The position after a trade: what goes against it closes at average cost, the rest opens at the price."""
        signed = quantity if side is Side.BUY else -quantity
        against = self.quantity * signed < 0
        closing = min(quantity, abs(self.quantity)) if against else ZERO
        closing_signed = closing.copy_sign(signed)
        cost_closed = self._cost_of(closing)
        opening = signed - closing_signed
        return Position(
            quantity=Quantity(self.quantity + signed),
            cost=Money(self.cost - cost_closed + opening * price),
            realised_pnl=Money(self.realised_pnl - closing_signed * price - cost_closed),
            commission=Money(self.commission + commission),
            closed_at=self.average_price if closing else self.closed_at,
        )

    def undone(self, side: Side, quantity: Quantity, price: Price, commission: Money) -> "Position":
        """The position without a trade that the venue took back.

        What the trade had opened goes at its own price. What it had closed comes back at the average price of what is
        held, or was held last: the position from before it, to the last decimal of an average, unless other trades
        changed that average since.
        """
        signed = quantity if side is Side.BUY else -quantity
        opened = min(quantity, abs(self.quantity)) if self.quantity * signed > 0 else ZERO
        cost_opened = self.cost if opened and opened == abs(self.quantity) else opened.copy_sign(signed) * price
        reopened = (quantity - opened).copy_sign(signed)
        average = self.average_price if self.quantity * signed < 0 else self.closed_at
        back_at = price if average is None else average
        return Position(
            quantity=Quantity(self.quantity - signed),
            cost=Money(self.cost - cost_opened - reopened * back_at),
            realised_pnl=Money(self.realised_pnl + signed * price - cost_opened - reopened * back_at),
            commission=Money(self.commission - commission),
            closed_at=self.closed_at,
        )

    def _cost_of(self, closing: Decimal) -> Decimal:
        if closing == abs(self.quantity):
            return self.cost
        return rounded_quotient(self.cost * closing, abs(self.quantity))
