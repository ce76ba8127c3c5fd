"""Orders that are filled or done (A) and cancel requests (B)."""

from domain.lifecycle import Status
from domain.refusals import OrderNotFound
from tests.domain.fix44.matrix import (
    Because,
    Fix,
    Matrix,
    accepted,
    asks,
    cancel,
    cancel_refused,
    canceled,
    done_for_day,
    hears,
    instead,
    new,
    rejected,
    says,
    sent,
    trade,
)

SENT = (asks(1, new(), Status.PENDING, 10_000, 0, 10_000), asks(1, sent(), Status.PENDING, 10_000, 0, 10_000))
WORKING = (*SENT, instead(2, rejected(), Fix.REJECTED, 10_000, 0, 0), says(2, accepted(), Fix.NEW, 10_000, 0, 10_000))
TO_BE_CANCELLED = {"here": Status.PENDING_CANCEL, "because": Because.ASKED}

MATRICES = (
    Matrix(
        "A.1.a",
        "an order is filled",
        (
            *WORKING,
            says(3, trade(2000), Fix.PARTIALLY_FILLED, 10_000, 2000, 8000),
            says(4, trade(1000), Fix.PARTIALLY_FILLED, 10_000, 3000, 7000),
            says(5, trade(7000), Fix.FILLED, 10_000, 10_000, 0),
        ),
    ),
    Matrix(
        "A.1.b",
        "a day order that is partly filled is done with its day",
        (
            *WORKING,
            says(3, trade(2000), Fix.PARTIALLY_FILLED, 10_000, 2000, 8000),
            says(4, trade(1000), Fix.PARTIALLY_FILLED, 10_000, 3000, 7000),
            says(
                5, done_for_day(), Fix.DONE_FOR_DAY, 10_000, 3000, 0, here=Status.EXPIRED, because=Because.DAY_IS_OVER
            ),
        ),
    ),
    Matrix(
        "B.1.a",
        "a cancel is asked for before anything is filled",
        (
            *WORKING,
            asks(3, cancel(), Status.PENDING_CANCEL, 10_000, 0, 10_000),
            instead(4, cancel_refused(), Fix.NEW, 10_000, 0, 10_000),
            hears(4, Fix.PENDING_CANCEL, 10_000, 0, 10_000),
            instead(5, cancel_refused(), Fix.NEW, 10_000, 0, 10_000),
            says(5, canceled(), Fix.CANCELED, 10_000, 0, 0),
        ),
    ),
    Matrix(
        "B.1.b",
        "fills come while a cancel is pending",
        (
            *WORKING,
            says(3, trade(2000), Fix.PARTIALLY_FILLED, 10_000, 2000, 8000),
            asks(4, cancel(), Status.PENDING_CANCEL, 10_000, 2000, 8000),
            says(4, trade(3000), Fix.PARTIALLY_FILLED, 10_000, 5000, 5000, **TO_BE_CANCELLED),
            instead(5, cancel_refused(), Fix.PARTIALLY_FILLED, 10_000, 5000, 5000),
            hears(5, Fix.PENDING_CANCEL, 10_000, 5000, 5000),
            says(6, trade(1000), Fix.PENDING_CANCEL, 10_000, 6000, 4000),
            instead(7, cancel_refused(), Fix.PARTIALLY_FILLED, 10_000, 6000, 4000),
            says(7, canceled(), Fix.CANCELED, 10_000, 6000, 0),
        ),
    ),
    Matrix(
        "B.1.c",
        "an order is filled before its cancel can be accepted",
        (
            *WORKING,
            says(3, trade(2000), Fix.PARTIALLY_FILLED, 10_000, 2000, 8000),
            asks(4, cancel(), Status.PENDING_CANCEL, 10_000, 2000, 8000),
            says(4, trade(3000), Fix.PARTIALLY_FILLED, 10_000, 5000, 5000, **TO_BE_CANCELLED),
            instead(5, cancel_refused(), Fix.PARTIALLY_FILLED, 10_000, 5000, 5000),
            hears(5, Fix.PENDING_CANCEL, 10_000, 5000, 5000),
            says(
                6,
                trade(5000),
                Fix.PENDING_CANCEL,
                10_000,
                10_000,
                0,
                here=Status.FILLED,
                because=Because.ANSWERED_AT_ONCE,
            ),
            says(7, cancel_refused(), Fix.FILLED, 10_000, 10_000, 0),
        ),
    ),
    Matrix(
        "B.1.d",
        "a cancel is asked for before the order is acknowledged",
        (
            *SENT,
            hears(2, Fix.PENDING_NEW, 10_000, 0, 10_000),
            asks(3, cancel(), Status.PENDING_CANCEL, 10_000, 0, 10_000),
            hears(4, Fix.PENDING_CANCEL, 10_000, 0, 10_000),
            says(5, accepted(), Fix.PENDING_CANCEL, 10_000, 0, 10_000),
            says(6, canceled(), Fix.CANCELED, 10_000, 0, 0),
        ),
    ),
    Matrix(
        "B.1.e",
        "a cancel and the acknowledgement cross",
        (
            *SENT,
            asks(2, cancel(), Status.PENDING_CANCEL, 10_000, 0, 10_000),
            says(2, accepted(), Fix.NEW, 10_000, 0, 10_000, **TO_BE_CANCELLED),
            hears(3, Fix.PENDING_CANCEL, 10_000, 0, 10_000),
            says(4, canceled(), Fix.CANCELED, 10_000, 0, 0),
        ),
    ),
    Matrix(
        "B.1.f",
        "a cancel is asked for of an order that there is not",
        (asks(1, cancel(), Status.REJECTED, 0, 0, 0, refused=OrderNotFound),),
    ),
)
