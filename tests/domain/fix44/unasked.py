"""What the venue does unasked (E), what it refuses (F), questions (G), nights (H), orders that do not rest (I)."""

from typing import Any

from domain.commands import RecordDifference
from domain.lifecycle import Status
from domain.refusals import OrderNotReplaceable
from domain.values import OrderType, TimeInForce
from tests.domain.fix44.cancelling import SENT, WORKING
from tests.domain.fix44.matrix import (
    PRICE,
    Because,
    Fix,
    Matrix,
    Row,
    Y,
    accepted,
    asks,
    cancel,
    cancel_refused,
    canceled,
    hears,
    instead,
    new,
    rejected,
    replace,
    replace_refused,
    replaced,
    says,
    sent,
    trade,
)
from tests.domain.orders import price_of, units

PART = Fix.PARTIALLY_FILLED


def working(**terms: Any) -> tuple[Row, ...]:
    """As in the other matrices, but for the terms."""
    return (asks(1, new(**terms), Status.PENDING, 10_000, 0, 10_000), *WORKING[1:])


UNASKED = (
    Matrix(
        "E.1.b",
        "a partly filled order is cancelled although nobody asked here",
        (
            *WORKING,
            says(3, trade(1000), PART, 10_000, 1000, 9000),
            says(5, canceled("agreed by telephone"), Fix.CANCELED, 10_000, 1000, 0),
        ),
    ),
    Matrix(
        "E.1.c",
        "an order is made larger although nobody asked here, before and after a fill",
        (
            *WORKING,
            says(4, replaced(0, "X", 11_000), Fix.NEW, 11_000, 0, 11_000),
            says(5, trade(1000), PART, 11_000, 1000, 10_000),
            says(7, replaced(0, "X", 12_000), PART, 12_000, 1000, 11_000),
        ),
    ),
    Matrix(
        "E.1.d",
        "the venue takes an order for a part of its quantity only",
        (
            *WORKING,
            says(3, replaced(0, "X", 9000), Fix.NEW, 9000, 0, 9000),
            says(4, trade(9000), Fix.FILLED, 9000, 9000, 0),
        ),
    ),
    Matrix(
        "E.1.e",
        "an order that is to be the best or nothing is cancelled when it no longer is",
        (*WORKING, says(3, canceled("not best"), Fix.CANCELED, 10_000, 0, 0)),
    ),
    Matrix(
        "E.1.f",
        "a stop order waits at the venue, and is triggered",
        (
            *working(order_type=OrderType.STOP, price=None, stop_price=price_of(PRICE)),
            hears(3, Fix.NEW, 10_000, 0, 10_000),
            says(4, trade(2000), PART, 10_000, 2000, 8000),
            says(5, trade(8000), Fix.FILLED, 10_000, 10_000, 0),
        ),
    ),
)

REFUSED = (
    Matrix(
        "F.1.a",
        "a client order id is used again for other terms",
        (
            *WORKING,
            says(3, trade(1000), PART, 10_000, 1000, 9000),
            # Before that, the API has answered IDEMPOTENCY_KEY_REUSED.
            asks(4, new(15_000), Status.PARTIALLY_FILLED, 10_000, 1000, 9000),
            hears(5, PART, 10_000, 1000, 9000),
        ),
    ),
    Matrix(
        "F.1.b",
        "an order is sent again to be sure, and another one for the first time",
        (
            *WORKING,
            asks(3, new(), Status.ACCEPTED, 10_000, 0, 10_000),
            hears(4, Fix.NEW, 10_000, 0, 10_000),
            asks(5, new(20_000), Status.ACCEPTED, 10_000, 0, 10_000),
            hears(6, Fix.NEW, 10_000, 0, 10_000),
            asks(7, new(15_000, Y), Status.PENDING, 15_000, 0, 15_000, order_id=Y),
            says(8, accepted("Y"), Fix.NEW, 15_000, 0, 15_000, order_id=Y),
            hears(8, Fix.NEW, 10_000, 0, 10_000),
        ),
    ),
    Matrix(
        "F.1.c",
        "an order is refused because it came by telephone already",
        (*SENT, says(3, rejected(), Fix.REJECTED, 10_000, 0, 0)),
    ),
)

QUESTIONS = (
    Matrix(
        "G.1.b",
        "an order is asked about and nothing has been done",
        (*WORKING, hears(4, Fix.NEW, 10_000, 0, 10_000)),
    ),
    Matrix(
        "G.1.c",
        "an order is asked about at every step of its life",
        (
            *SENT,
            hears(3, Fix.PENDING_NEW, 10_000, 0, 10_000),
            instead(4, rejected(), Fix.REJECTED, 10_000, 0, 0),
            says(4, accepted(), Fix.NEW, 10_000, 0, 10_000),
            hears(6, Fix.NEW, 10_000, 0, 10_000),
            says(7, trade(2000), PART, 10_000, 2000, 8000),
            hears(9, PART, 10_000, 2000, 8000),
            says(10, trade(8000), Fix.FILLED, 10_000, 10_000, 0),
            hears(12, Fix.FILLED, 10_000, 10_000, 0),
            asks(13, replace(12_000), Status.FILLED, 10_000, 10_000, 0, refused=OrderNotReplaceable),
            hears(
                14,
                Fix.PENDING_REPLACE,
                10_000,
                10_000,
                0,
                here=Status.FILLED,
                because=Because.FILLED_IS_OVER,
            ),
            says(17, replaced(0, "Y", 12_000), PART, 12_000, 10_000, 2000),
            hears(19, PART, 12_000, 10_000, 2000),
            says(20, trade(12_000 - 10_000, execution_id="the last"), Fix.FILLED, 12_000, 12_000, 0),
            hears(22, Fix.FILLED, 12_000, 12_000, 0),
        ),
    ),
)

GTC = (
    asks("day 1, 1", new(time_in_force=TimeInForce.GTC), Status.PENDING, 10_000, 0, 10_000),
    asks("day 1, 1", sent(), Status.PENDING, 10_000, 0, 10_000),
    says("day 1, 2", accepted(), Fix.NEW, 10_000, 0, 10_000),
    says("day 1, 3", trade(2000), PART, 10_000, 2000, 8000),
    hears(
        "day 1, 4",
        Fix.DONE_FOR_DAY,
        10_000,
        2000,
        8000,
        here=Status.PARTIALLY_FILLED,
        because=Because.WORKS_ON_TOMORROW,
    ),
)
RENEWED = (*GTC, hears("day 2, 1", PART, 10_000, 2000, 8000))
SPLIT = RecordDifference(
    venue_order_id="X", venue_status="restated", venue_filled_quantity=units(4000), reason="the shares were split"
)

NIGHTS = (
    Matrix(
        "H.1.a",
        "an order that is good till cancelled works on the next day",
        (*RENEWED, says("day 2, 2", trade(1000), PART, 10_000, 3000, 7000)),
    ),
    Matrix(
        "H.1.b",
        "the shares of a partly filled order are split overnight",
        (
            *GTC,
            says("day 2, 1", SPLIT, PART, 20_000, 4000, 16_000, ours=(10_000, 2000, 8000), because=Because.SPLIT),
            says("day 2, 2", trade(5000), PART, 20_000, 9000, 11_000, ours=(10_000, 7000, 3000), because=Because.SPLIT),
            says(
                "day 2, 3",
                trade(11_000),
                Fix.FILLED,
                20_000,
                20_000,
                0,
                ours=(10_000, 18_000, 0),
                because=Because.SPLIT,
            ),
        ),
    ),
    Matrix(
        "H.1.c",
        "an order that is good till cancelled is cancelled the next day",
        (
            *RENEWED,
            asks("day 2, 2", cancel(), Status.PENDING_CANCEL, 10_000, 2000, 8000),
            instead("day 2, 3", cancel_refused(), PART, 10_000, 2000, 8000),
            hears("day 2, 3", Fix.PENDING_CANCEL, 10_000, 2000, 8000),
            instead("day 2, 4", cancel_refused(), PART, 10_000, 2000, 8000),
            says("day 2, 4", canceled(), Fix.CANCELED, 10_000, 2000, 0),
        ),
    ),
    Matrix(
        "H.1.d",
        "an order that is good till cancelled is made larger the next day",
        (
            *RENEWED,
            asks("day 2, 2", replace(15_000), Status.PENDING_REPLACE, 10_000, 2000, 8000),
            instead("day 2, 3", replace_refused(1), PART, 10_000, 2000, 8000),
            hears("day 2, 3", Fix.PENDING_REPLACE, 10_000, 2000, 8000),
            says("day 2, 4", trade(1000), Fix.PENDING_REPLACE, 10_000, 3000, 7000),
            instead("day 2, 5", replace_refused(1), PART, 10_000, 3000, 7000),
            says("day 2, 5", replaced(1, "Y", 15_000), PART, 15_000, 3000, 12_000),
        ),
    ),
)


NOT_RESTING = (
    Matrix(
        "I.1.a",
        "an order that is to be filled at once and as a whole cannot be",
        (*working(time_in_force=TimeInForce.FOK), says(3, canceled("cannot be filled"), Fix.CANCELED, 10_000, 0, 0)),
    ),
    Matrix(
        "I.1.b",
        "of an order that is to be filled at once, what cannot be is cancelled",
        (
            *working(time_in_force=TimeInForce.IOC),
            instead(3, canceled("nothing to hit"), Fix.CANCELED, 10_000, 0, 0),
            says(3, trade(1000), PART, 10_000, 1000, 9000),
            says(4, canceled("nothing more to hit"), Fix.CANCELED, 10_000, 1000, 0),
        ),
    ),
)

MATRICES = (*UNASKED, *REFUSED, *QUESTIONS, *NIGHTS, *NOT_RESTING)
