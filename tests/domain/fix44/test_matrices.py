"""Every order state change matrix of FIX 4.4, volume 4, appendix D: each way through each of them, row by row."""

from decimal import Decimal

import pytest

from domain.account import Account
from domain.lifecycle import Flag
from domain.order import Order
from domain.refusals import OrderNotFound
from tests.domain.fix44 import cancelling, correcting, replacing, unasked
from tests.domain.fix44.matrix import DIFFERENCES, PRICE, Because, Matrix, Row, X
from tests.domain.orders import dollars
from tests.domain.trader import Trader

MATRICES = (*cancelling.MATRICES, *replacing.MATRICES, *unasked.MATRICES, *correcting.MATRICES)
PATHS = [pytest.param(rows, id=name) for matrix in MATRICES for name, rows in matrix.paths()]

NOT_ORDERS_HERE = {
    "E.1.a": "An order by telephone is none of ours: what the venue says of it is recorded in the venue's stream, for "
    "somebody to look at, and is no order here (tests/domain/test_aggregates.py).",
    "G.1.a": "Who asks about an order that there is not gets 404 NOT_FOUND: a query, and no rule of the domain.",
    "L.1.b": "Orders are for units here, never for an amount of cash.",
}

REFERENCES = {
    *("A.1.a", "A.1.b"),
    *("B.1.a", "B.1.b", "B.1.c", "B.1.d", "B.1.e", "B.1.f"),
    *("C.1.a", "C.1.b", "C.1.c", "C.2.a", "C.3.a", "C.3.b", "C.3.c"),
    *("D.1.a", "D.1.b", "D.1.c", "D.2.a", "D.2.b", "D.2.c", "D.2.d"),
    *("E.1.a", "E.1.b", "E.1.c", "E.1.d", "E.1.e"),
    *("F.1.a", "F.1.b", "F.1.c"),
    *("G.1.a", "G.1.b", "G.1.c"),
    *("H.1.a", "H.1.b", "H.1.c", "H.1.d"),
    *("I.1.a", "I.1.b"),
    *("J.1.a", "J.1.b", "J.1.c", "J.1.d"),
    *("K.1.a", "K.1.b"),
    *("L.1.a", "L.1.b"),
}
ADDED_LATER = {"E.1.f"}
"""In the same appendix of a later version."""


def test_every_matrix_is_here_or_says_why_not() -> None:
    references = [matrix.reference for matrix in MATRICES]
    assert len(references) == len(set(references))
    assert set(references) | set(NOT_ORDERS_HERE) == REFERENCES | ADDED_LATER
    assert set(references).isdisjoint(NOT_ORDERS_HERE)


@pytest.mark.parametrize("matrix", MATRICES, ids=lambda matrix: matrix.reference)
def test_a_row_differs_for_a_reason_that_is_said(matrix: Matrix) -> None:
    for row in matrix.rows:
        assert row.differs is (row.because is not None), f"row {row.time}"


def test_every_reason_is_said_and_needed() -> None:
    assert (
        set(DIFFERENCES)
        == set(Because)
        == {row.because for matrix in MATRICES for row in matrix.rows if row.because is not None}
    )


@pytest.mark.parametrize("rows", PATHS)
def test_the_order_is_what_the_matrix_says(rows: list[Row]) -> None:
    trader = Trader()
    trader.account = Account(cash=dollars(10**9))
    for row in rows:
        _say(trader, row)
        if row.refused is OrderNotFound:
            assert trader.orders == {}
            continue
        order = trader.orders[row.order_id]
        told = (order.status, (order.current.quantity, order.filled_quantity, order.leaves_quantity))
        assert told == row.expected, f"row {row.time}"
        assert order.average_fill_price == _average(row, order), f"row {row.time}"
        trader.check_statuses()
        trader.check_holds()


def test_what_was_filled_beyond_a_split_is_flagged() -> None:
    (matrix,) = (each for each in MATRICES if each.reference == "H.1.b")
    trader = Trader()
    trader.account = Account(cash=dollars(10**9))
    for row in matrix.rows:
        _say(trader, row)
    order = trader.orders[X]
    assert order.flags == (Flag.OVERFILLED,)
    assert order.difference is not None
    assert order.difference.venue_filled_quantity == 4000


def _say(trader: Trader, row: Row) -> None:
    if row.command is None:
        return
    if row.refused is not None:
        with pytest.raises(row.refused):
            trader.carry_out(row.order_id, row.command)
    else:
        trader.carry_out(row.order_id, row.command)


def _average(row: Row, order: Order) -> Decimal | None:
    if row.average is not None or not order.filled_quantity:
        return row.average
    return Decimal(PRICE)
