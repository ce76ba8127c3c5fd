"""Cancel/replace requests for more, for the same and for less (C), one after the other and at once (D)."""

from domain.lifecycle import Status
from domain.refusals import OrderNotReplaceable
from tests.domain.fix44.cancelling import WORKING
from tests.domain.fix44.matrix import (
    Because,
    Fix,
    Matrix,
    asks,
    hears,
    instead,
    replace,
    replace_refused,
    replaced,
    says,
    trade,
)

PENDING, PART = Status.PENDING_REPLACE, Fix.PARTIALLY_FILLED
TO_BE_REPLACED = {"here": PENDING, "because": Because.ASKED}
STAYS_FILLED = {"here": Status.FILLED, "because": Because.FILLED_IS_OVER}
FILLED_IN_PART = (*WORKING, says(3, trade(1000), PART, 10_000, 1000, 9000))

MORE = (
    Matrix(
        "C.1.a",
        "more is asked for before anything is filled",
        (
            *WORKING,
            asks(3, replace(11_000), PENDING, 10_000, 0, 10_000),
            instead(4, replace_refused(1), Fix.NEW, 10_000, 0, 10_000),
            hears(4, Fix.PENDING_REPLACE, 10_000, 0, 10_000),
            instead(5, replace_refused(1), Fix.NEW, 10_000, 0, 10_000),
            says(5, replaced(1, "Y", 11_000), Fix.NEW, 11_000, 0, 11_000),
            says(6, trade(1000), PART, 11_000, 1000, 10_000),
            says(7, trade(2000), PART, 11_000, 3000, 8000),
        ),
    ),
    Matrix(
        "C.1.b",
        "more is asked for of a partly filled order, and a fill comes while that is pending",
        (
            *FILLED_IN_PART,
            asks(4, replace(12_000), PENDING, 10_000, 1000, 9000),
            instead(5, replace_refused(1), PART, 10_000, 1000, 9000),
            hears(5, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(6, trade(100), Fix.PENDING_REPLACE, 10_000, 1100, 8900),
            instead(7, replace_refused(1), PART, 10_000, 1100, 8900),
            says(7, replaced(1, "Y", 12_000), PART, 12_000, 1100, 10_900),
            says(8, trade(10_900), Fix.FILLED, 12_000, 12_000, 0),
        ),
    ),
    Matrix(
        "C.1.c",
        "more is asked for of an order that is filled",
        (
            *WORKING,
            says(3, trade(10_000), Fix.FILLED, 10_000, 10_000, 0),
            asks(4, replace(12_000), Status.FILLED, 10_000, 10_000, 0, refused=OrderNotReplaceable),
            instead(5, replace_refused(0), Fix.FILLED, 10_000, 10_000, 0),
            hears(5, Fix.PENDING_REPLACE, 10_000, 10_000, 0, **STAYS_FILLED),
            instead(6, replace_refused(0), Fix.FILLED, 10_000, 10_000, 0),
            says(6, replaced(0, "Y", 12_000), PART, 12_000, 10_000, 2000),
            says(7, trade(2000), Fix.FILLED, 12_000, 12_000, 0),
        ),
    ),
)

LESS_OR_THE_SAME = (
    Matrix(
        "C.2.a",
        "another price is asked for, and refused because the order has been filled",
        (
            *FILLED_IN_PART,
            asks(4, replace(price=51), PENDING, 10_000, 1000, 9000),
            says(4, trade(9000), Fix.FILLED, 10_000, 10_000, 0),
            says(5, replace_refused(1), Fix.FILLED, 10_000, 10_000, 0),
        ),
    ),
    Matrix(
        "C.3.a",
        "less is asked for while fills come, and is more than they are",
        (
            *FILLED_IN_PART,
            asks(4, replace(8000), PENDING, 10_000, 1000, 9000),
            says(4, trade(500), PART, 10_000, 1500, 8500, **TO_BE_REPLACED),
            instead(5, replace_refused(1), PART, 10_000, 1500, 8500),
            hears(5, Fix.PENDING_REPLACE, 10_000, 1500, 8500),
            says(6, trade(100), Fix.PENDING_REPLACE, 10_000, 1600, 8400),
            instead(7, replace_refused(1), PART, 10_000, 1600, 8400),
            says(7, replaced(1, "Y", 8000), PART, 8000, 1600, 6400),
            says(8, trade(6400), Fix.FILLED, 8000, 8000, 0),
        ),
    ),
    Matrix(
        "C.3.b",
        "less is asked for while fills come, and is just what they are",
        (
            *WORKING,
            asks(3, replace(7000), PENDING, 10_000, 0, 10_000),
            says(3, trade(7000), PART, 10_000, 7000, 3000, **TO_BE_REPLACED),
            says(4, replaced(1, "Y", 7000), Fix.FILLED, 7000, 7000, 0),
        ),
    ),
    Matrix(
        "C.3.c",
        "less is asked for while fills come, and is less than they are: the quantity becomes what is filled",
        (
            *WORKING,
            asks(3, replace(7000), PENDING, 10_000, 0, 10_000),
            says(3, trade(8000), PART, 10_000, 8000, 2000, **TO_BE_REPLACED),
            says(4, replaced(1, "Y", 7000), Fix.FILLED, 8000, 8000, 0),
        ),
    ),
)

ONE_AFTER_THE_OTHER = (
    Matrix(
        "D.1.a",
        "a request is accepted, then another one is",
        (
            *FILLED_IN_PART,
            asks(4, replace(8000), PENDING, 10_000, 1000, 9000),
            hears(5, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(6, trade(500), Fix.PENDING_REPLACE, 10_000, 1500, 8500),
            says(7, replaced(1, "Y", 8000), PART, 8000, 1500, 6500),
            says(8, trade(2000), PART, 8000, 3500, 4500),
            asks(9, replace(6000), PENDING, 8000, 3500, 4500),
            hears(10, Fix.PENDING_REPLACE, 8000, 3500, 4500),
            says(11, trade(500, execution_id="while Z is pending"), Fix.PENDING_REPLACE, 8000, 4000, 4000),
            says(12, replaced(2, "Z", 6000), PART, 6000, 4000, 2000),
            says(13, trade(2000, execution_id="the last"), Fix.FILLED, 6000, 6000, 0),
        ),
    ),
    Matrix(
        "D.1.b",
        "a request is refused before it is pending at the venue, then another one is accepted",
        (
            *FILLED_IN_PART,
            asks(4, replace(8000), PENDING, 10_000, 1000, 9000),
            says(5, replace_refused(1), PART, 10_000, 1000, 9000),
            says(6, trade(500), PART, 10_000, 1500, 8500),
            says(7, trade(2000), PART, 10_000, 3500, 6500),
            asks(8, replace(6000), PENDING, 10_000, 3500, 6500),
            hears(9, Fix.PENDING_REPLACE, 10_000, 3500, 6500),
            says(10, replaced(2, "Z", 6000), PART, 6000, 3500, 2500),
            says(11, trade(1500), PART, 6000, 5000, 1000),
        ),
    ),
    Matrix(
        "D.1.c",
        "a request is refused after it was pending at the venue, then another one is accepted",
        (
            *FILLED_IN_PART,
            asks(4, replace(8000), PENDING, 10_000, 1000, 9000),
            hears(5, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(6, trade(500), Fix.PENDING_REPLACE, 10_000, 1500, 8500),
            says(7, replace_refused(1), PART, 10_000, 1500, 8500),
            says(8, trade(2000), PART, 10_000, 3500, 6500),
            asks(9, replace(6000), PENDING, 10_000, 3500, 6500),
            hears(10, Fix.PENDING_REPLACE, 10_000, 3500, 6500),
            instead(11, replace_refused(2), PART, 10_000, 3500, 6500),
            says(11, replaced(2, "Z", 6000), PART, 6000, 3500, 2500),
            says(12, trade(1500), PART, 6000, 5000, 1000),
        ),
    ),
)

TWO_ASKED = (
    *FILLED_IN_PART,
    asks(4, replace(8000), PENDING, 10_000, 1000, 9000),
    asks(5, replace(7000), PENDING, 10_000, 1000, 9000),
)

AT_ONCE = (
    Matrix(
        "D.2.a",
        "two requests at once, and the venue deals with one after the other",
        (
            *TWO_ASKED,
            hears(6, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(7, replaced(1, "Y", 8000), PART, 8000, 1000, 7000, **TO_BE_REPLACED),
            hears(8, Fix.PENDING_REPLACE, 8000, 1000, 7000),
            says(9, replaced(2, "Z", 7000), PART, 7000, 1000, 6000),
            says(10, trade(6000), Fix.FILLED, 7000, 7000, 0),
        ),
    ),
    Matrix(
        "D.2.b",
        "two requests at once, and the venue has both pending before it carries them out",
        (
            *TWO_ASKED,
            hears(6, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            hears(
                7,
                Fix.PENDING_REPLACE,
                8000,
                1000,
                7000,
                ours=(10_000, 1000, 9000),
                because=Because.NOT_CONFIRMED,
            ),
            says(8, replaced(1, "Y", 8000), Fix.PENDING_REPLACE, 8000, 1000, 7000),
            says(9, replaced(2, "Z", 7000), PART, 7000, 1000, 6000),
            says(10, trade(6000), Fix.FILLED, 7000, 7000, 0),
        ),
    ),
    Matrix(
        "D.2.c",
        "two requests at once, and both are refused",
        (
            *TWO_ASKED,
            # Told or not that it has read them: the first answer leaves the second request pending.
            hears(6, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            hears(7, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(8, replace_refused(1), Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(9, replace_refused(2), PART, 10_000, 1000, 9000),
            says(10, trade(9000), Fix.FILLED, 10_000, 10_000, 0),
        ),
    ),
    Matrix(
        "D.2.d",
        "two requests at once, and the second is refused because the first is pending",
        (
            *TWO_ASKED,
            hears(6, Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(7, replace_refused(2), Fix.PENDING_REPLACE, 10_000, 1000, 9000),
            says(8, replaced(1, "Y", 8000), PART, 8000, 1000, 7000),
            says(9, trade(2000), PART, 8000, 3000, 5000),
        ),
    ),
)

MATRICES = (*MORE, *LESS_OR_THE_SAME, *ONE_AFTER_THE_OTHER, *AT_ONCE)
