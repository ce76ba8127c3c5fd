"""Executions that are cancelled and corrected (J), halts (K) and the rest (L)."""

from decimal import Decimal

from domain.lifecycle import Status
from domain.refusals import OrderNotReplaceable
from tests.domain.fix44.cancelling import WORKING
from tests.domain.fix44.matrix import (
    Because,
    Fix,
    Matrix,
    asks,
    cancel,
    canceled,
    done_for_day,
    hears,
    replace,
    replaced,
    says,
    trade,
    trade_cancel,
    trade_correct,
)
from tests.domain.fix44.unasked import RENEWED

PART = Fix.PARTIALLY_FILLED
OVER = {"here": Status.EXPIRED, "because": Because.DAY_IS_OVER}


def at(average: int) -> dict[str, Decimal]:
    return {"average": Decimal(average)}


CORRECTED = (
    Matrix(
        "J.1.a",
        "executions of a filled order are cancelled and corrected, and it is made larger",
        (
            *WORKING,
            says(3, trade(1000, 100, "C"), PART, 10_000, 1000, 9000, **at(100)),
            says(4, trade(9000, 110, "D"), Fix.FILLED, 10_000, 10_000, 0, **at(109)),
            says(5, trade_cancel("E", "C"), PART, 10_000, 9000, 1000, **at(110)),
            says(6, trade_correct("F", "D", 9000, 100), PART, 10_000, 9000, 1000, **at(100)),
            says(7, trade(1000, 120, "G"), Fix.FILLED, 10_000, 10_000, 0, **at(102)),
            says(8, trade_correct("H", "F", 9000, 120), Fix.FILLED, 10_000, 10_000, 0, **at(120)),
            asks(9, replace(12_000), Status.FILLED, 10_000, 10_000, 0, refused=OrderNotReplaceable, **at(120)),
            hears(
                10,
                Fix.PENDING_REPLACE,
                10_000,
                10_000,
                0,
                here=Status.FILLED,
                because=Because.FILLED_IS_OVER,
                **at(120),
            ),
            says(11, replaced(0, "Y", 12_000), PART, 12_000, 10_000, 2000, **at(120)),
            says(12, trade_correct("K", "H", 9500, 120), PART, 12_000, 10_500, 1500, **at(120)),
        ),
    ),
    Matrix(
        "J.1.b",
        "an execution of a cancelled order is cancelled, and another one comes",
        (
            *WORKING,
            says(3, trade(5000, 50, "B"), PART, 10_000, 5000, 5000),
            asks(4, cancel(), Status.PENDING_CANCEL, 10_000, 5000, 5000),
            hears(5, Fix.PENDING_CANCEL, 10_000, 5000, 5000),
            says(6, canceled(), Fix.CANCELED, 10_000, 5000, 0),
            says(7, trade_cancel("E", "B"), Fix.CANCELED, 10_000, 0, 0),
            says(8, trade(4000, 51, "F"), Fix.CANCELED, 10_000, 4000, 0, **at(51)),
        ),
    ),
    Matrix(
        "J.1.c",
        "executions of two days are corrected on the second",
        (
            *RENEWED,
            says("day 2, 2", trade(1000), PART, 10_000, 3000, 7000),
            says("day 2, 3", trade_correct("F", "trade of 2000", 1500), PART, 10_000, 2500, 7500),
            says("day 2, 4", trade_correct("G", "trade of 1000", 500), PART, 10_000, 2000, 8000),
        ),
    ),
    Matrix(
        "J.1.d",
        "executions of an order whose day is over are corrected and cancelled",
        (
            *WORKING,
            says(3, trade(5000, 50, "B"), PART, 10_000, 5000, 5000),
            says(4, done_for_day(), Fix.DONE_FOR_DAY, 10_000, 5000, 0, **OVER),
            says(5, trade_correct("D", "B", 4000, 51), Fix.DONE_FOR_DAY, 10_000, 4000, 0, **OVER, **at(51)),
            says(6, trade_cancel("E", "D"), Fix.DONE_FOR_DAY, 10_000, 0, 0, **OVER),
        ),
    ),
)

HALTS = (
    Matrix(
        "K.1.a",
        "trading is halted, and the order is reinstated when it goes on",
        (
            *WORKING,
            hears(3, Fix.SUSPENDED, 10_000, 0, 10_000, here=Status.ACCEPTED, because=Because.HALTED),
            hears(4, Fix.NEW, 10_000, 0, 10_000),
            says(5, trade(10_000), Fix.FILLED, 10_000, 10_000, 0),
        ),
    ),
    Matrix(
        "K.1.b",
        "trading is halted, and the order is cancelled",
        (*WORKING, says(3, canceled("trading halt"), Fix.CANCELED, 10_000, 0, 0)),
    ),
)

REST = (
    Matrix(
        "L.1.a",
        "an execution is guaranteed, and traded at a better price",
        (
            *WORKING,
            hears(3, Fix.STOPPED, 10_000, 0, 10_000, here=Status.ACCEPTED, because=Because.NOT_A_TRADE),
            says(
                4,
                trade(1000),
                Fix.STOPPED,
                10_000,
                1000,
                9000,
                here=Status.PARTIALLY_FILLED,
                because=Because.NOT_A_TRADE,
            ),
        ),
    ),
)

MATRICES = (*CORRECTED, *HALTS, *REST)
