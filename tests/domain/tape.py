"""What a venue reports about one purchase and one sale of a symbol: fills, corrections and busts, in any order."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from hypothesis import strategies as st

from domain.commands import OrderReport
from domain.order import Order
from domain.values import Quantity, Side
from tests.domain.average_cost import Fill
from tests.domain.orders import bust, correction, fill
from tests.domain.trader import Execution, Ledger, name_of


class Step(NamedTuple):
    """A report about fill ``number``: of itself at ``level`` 0, of its corrections above, or that one is taken back."""

    side: Side
    number: int
    level: int
    is_bust: bool
    execution: Execution


executions = st.builds(
    Execution,
    st.decimals("0.000000001", "200", places=9) | st.integers(1, 200).map(Decimal),
    st.decimals("0.0001", "300", places=4),
    st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("1.5")]),
)
steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(Side),
        st.integers(1, 5),
        st.sampled_from([0, 0, 0, 0, 1, 1, 2]),
        st.sampled_from([False, False, False, True]),
        executions,
    ),
    min_size=5,
)


class Tape:
    """Remembers what was reported, to say which fills stand after all of it."""

    def __init__(self) -> None:
        self._ledgers = {side: Ledger() for side in Side}
        self._heard_of: dict[tuple[Side, int], None] = {}

    def report(self, step: Step, orders: Mapping[Side, Order]) -> OrderReport:
        """The report of a step; what was reported before is reported as before."""
        ledger, order = self._ledgers[step.side], orders[step.side]
        number, level = step.number, step.level
        level = min(level, 1) if (number, 1) not in ledger.facts else level
        if step.is_bust:
            ledger.busted.add((number, level))
            return bust(_known(order, number, level), f"b-{number}-{level}")
        self._heard_of.setdefault((step.side, number))
        fact = ledger.facts.setdefault((number, level), step.execution)
        name = name_of(number, level)
        if level == 0:
            return fill(str(fact.quantity), name, str(fact.price), str(fact.commission))
        told = correction(1, str(fact.price), _known(order, number, level - 1), name, str(fact.commission))
        return replace(told, quantity=Quantity(fact.quantity))

    def standing(self) -> list[Fill]:
        """The fills that stand as they do, in the order in which they were heard of."""
        by_number = {side: ledger.by_number() for side, ledger in self._ledgers.items()}
        return [
            Fill(1 if side is Side.BUY else -1, *by_number[side][number])
            for side, number in self._heard_of
            if number in by_number[side]
        ]


def _known(order: Order, number: int, level: int) -> str:
    """The first name of a fill that is booked: what the booking of reports gives the desk."""
    known = order.fill_known_as(name_of(number, level))
    return known.fill_id if known else name_of(number, level)
