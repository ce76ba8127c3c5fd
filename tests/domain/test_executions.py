"""Fills, busts and corrections: facts, booked once, whatever the state of the order and whatever came first."""

from itertools import permutations

import pytest

from domain.commands import OrderReport
from domain.deciding import decide
from domain.events import OrderEvent
from domain.lifecycle import Flag, Status
from domain.order import Order, evolve
from domain.values import FillId
from tests.domain.conftest import after, given
from tests.domain.orders import (
    CANCEL_ASKED,
    CANCELLED,
    EXPIRED,
    REJECTED,
    accepted,
    bust,
    busted,
    cancel_refused,
    corrected,
    correction,
    fill,
    filled,
    placed,
    replace_refused,
    sent,
    wished,
)

PART = filled(40, 40, Status.PARTIALLY_FILLED)
FULL = filled(100, 100, Status.FILLED)
OTHER_ENDS = [CANCELLED, REJECTED, EXPIRED]


# ── Fills ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_partial_fill_leaves_the_rest_working() -> None:
    order = given(placed(), sent(), accepted()).when(fill(40)).then(PART)
    assert (order.filled_quantity, order.leaves_quantity, order.average_fill_price) == (40, 60, 10)


def test_the_last_fill_fills_the_order_at_the_average_price() -> None:
    second = filled(60, 100, Status.FILLED, fill_id="f-2", price=5, average="7")
    order = given(placed(), sent(), accepted(), PART).when(fill(60, "f-2", 5)).then(second)
    assert (order.leaves_quantity, order.average_fill_price, len(order.fills)) == (0, 7, 2)


def test_an_average_that_does_not_end_is_rounded_to_nine_decimals() -> None:
    third = filled(1, 3, Status.PARTIALLY_FILLED, fill_id="f-2", price=11, average="10.333333333")
    given(placed(), sent(), accepted(), filled(2, 2, Status.PARTIALLY_FILLED)).when(fill(1, "f-2", 11)).then(third)


def test_a_fill_is_booked_once_however_often_it_is_reported() -> None:
    given(placed(), sent(), accepted(), PART).when(fill(40)).then()
    given(placed(), sent(), accepted(), PART, CANCELLED).when(fill(40)).then()
    given(placed(), sent(), accepted(), FULL).when(fill(100)).then()


def test_two_fills_alike_in_everything_but_id_are_two_fills() -> None:
    second = filled(40, 80, Status.PARTIALLY_FILLED, fill_id="f-2")
    given(placed(), sent(), accepted(), PART).when(fill(40, "f-2")).then(second)


def test_a_fill_before_the_acknowledgement_is_booked() -> None:
    given(placed(), sent()).when(fill(40)).then(PART)
    order = given(placed(), sent()).when(fill(100)).then(FULL)
    assert order.venue_order_id is None


def test_a_fill_of_an_order_that_nobody_sent_is_booked_all_the_same() -> None:
    given(placed()).when(fill(40)).then(PART)


def test_an_overfill_is_booked_and_flagged() -> None:
    over = filled(130, 130, Status.FILLED, flags=(Flag.OVERFILLED,))
    given(placed(), sent(), accepted()).when(fill(130)).then(over)


@pytest.mark.parametrize("end", OTHER_ENDS)
def test_a_fill_after_the_end_is_booked_and_flagged(end: OrderEvent) -> None:
    late = filled(40, 40, end.status, leaves=0, flags=(Flag.LATE_FILL,))
    given(placed(), sent(), accepted(), end).when(fill(40)).then(late)


def test_a_fill_of_all_of_it_after_a_cancel_does_not_make_it_filled() -> None:
    late = filled(100, 100, Status.CANCELLED, flags=(Flag.LATE_FILL,))
    given(placed(), sent(), accepted(), CANCELLED).when(fill(100)).then(late)


def test_a_fill_after_a_full_fill_is_late_and_over() -> None:
    extra = filled(1, 101, Status.FILLED, fill_id="f-2", flags=(Flag.LATE_FILL, Flag.OVERFILLED))
    given(placed(), sent(), accepted(), FULL).when(fill(1, "f-2")).then(extra)


# ── Fills that cross requests ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pending", "status"), [(CANCEL_ASKED, Status.PENDING_CANCEL), (wished(1, 120), Status.PENDING_REPLACE)]
)
def test_a_fill_that_crosses_a_request_does_not_take_it_back(pending: OrderEvent, status: Status) -> None:
    given(placed(), sent(), accepted(), pending).when(fill(40)).then(filled(40, 40, status))


def test_a_full_fill_says_that_a_cancel_came_too_late() -> None:
    order = (
        given(placed(), sent(), accepted(), CANCEL_ASKED)
        .when(fill(100))
        .then(filled(100, 100, Status.PENDING_CANCEL), cancel_refused(Status.FILLED))
    )
    assert (order.status, order.reason) == (Status.FILLED, "the order was filled first")


def test_a_full_fill_says_so_of_everything_that_is_pending() -> None:
    order = (
        given(placed(), sent(), accepted(), wished(1, 120), wished(2, 150))
        .when(fill(100))
        .then(
            filled(100, 100, Status.PENDING_REPLACE),
            replace_refused(1, Status.PENDING_REPLACE),
            replace_refused(2, Status.FILLED),
        )
    )
    assert (order.status, order.replacements) == (Status.FILLED, ())


def test_replacements_that_a_cancel_has_overtaken_are_answered_with_it() -> None:
    given(placed(), sent(), accepted(), wished(1, 120), CANCEL_ASKED).when(fill(100)).then(
        filled(100, 100, Status.PENDING_CANCEL),
        replace_refused(1, Status.PENDING_CANCEL),
        cancel_refused(Status.FILLED),
    )


# ── Busts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ([accepted(), PART], Status.ACCEPTED),
        ([PART], Status.PENDING),
        ([accepted(), PART, wished(1, 120)], Status.PENDING_REPLACE),
        ([accepted(), PART, CANCEL_ASKED], Status.PENDING_CANCEL),
    ],
)
def test_a_bust_takes_a_fill_back(before: list[OrderEvent], status: Status) -> None:
    order = given(placed(), sent(), *before).when(bust()).then(busted(40, 0, status))
    assert (order.fills, order.traded_value, order.average_fill_price) == ((), 0, None)


def test_a_bust_of_one_fill_leaves_the_others() -> None:
    second = filled(20, 60, Status.PARTIALLY_FILLED, fill_id="f-2")
    order = (
        given(placed(), sent(), accepted(), PART, second)
        .when(bust("f-1"))
        .then(busted(40, 20, Status.PARTIALLY_FILLED))
    )
    assert [each.fill_id for each in order.fills] == ["f-2"]


def test_a_bust_reopens_a_filled_order() -> None:
    second = filled(60, 100, Status.FILLED, fill_id="f-2")
    given(placed(), sent(), accepted(), PART, second).when(bust("f-2")).then(
        busted(60, 40, Status.PARTIALLY_FILLED, fill_id="f-2")
    )
    given(placed(), sent(), accepted(), FULL).when(bust()).then(busted(100, 0, Status.ACCEPTED))
    given(placed(), sent(), FULL).when(bust()).then(busted(100, 0, Status.PENDING))


def test_a_filled_order_stays_so_if_enough_is_left() -> None:
    over = filled(60, 160, Status.FILLED, fill_id="f-2", flags=(Flag.LATE_FILL, Flag.OVERFILLED))
    given(placed(), sent(), accepted(), FULL, over).when(bust("f-2")).then(
        busted(60, 100, Status.FILLED, fill_id="f-2", flags=(Flag.LATE_FILL,))
    )


@pytest.mark.parametrize("end", OTHER_ENDS)
def test_other_ends_stand_whatever_is_taken_back(end: OrderEvent) -> None:
    given(placed(), sent(), accepted(), PART, end).when(bust()).then(busted(40, 0, end.status, leaves=0))


def test_a_fill_that_was_taken_back_before_it_came_never_counts() -> None:
    never = busted(0, 0, Status.ACCEPTED, leaves=100)
    order = given(placed(), sent(), accepted()).when(bust()).then(never)
    assert decide(order, fill(40)) == []
    given(placed(), sent(), accepted(), PART).when(bust("f-2")).then(
        busted(0, 40, Status.PARTIALLY_FILLED, fill_id="f-2")
    )


def test_a_fill_is_taken_back_once_and_does_not_come_again() -> None:
    story = given(placed(), sent(), accepted(), PART, busted(40, 0, Status.ACCEPTED))
    for report in (bust(), bust(execution_id="b-2"), bust("f-7", "b-1"), fill(40)):
        story.when(report).then()


# ── Corrections ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_correction_changes_quantity_and_price() -> None:
    order = (
        given(placed(), sent(), accepted(), PART)
        .when(correction(30, 9))
        .then(corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED))
    )
    (only,) = order.fills
    assert (only.fill_id, only.quantity, only.price, only.corrections) == ("f-1", 30, 9, ("c-1",))
    assert (order.traded_value, order.leaves_quantity) == (270, 70)


def test_a_correction_is_booked_once_and_the_fill_does_not_come_again() -> None:
    story = given(placed(), sent(), accepted(), PART, corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED))
    for report in (correction(30, 9), fill(40), fill(30, "c-1", 9)):
        story.when(report).then()


@pytest.mark.parametrize("refers_to", ["f-1", "c-1"])
def test_a_correction_of_a_correction_names_the_fill_or_the_correction(refers_to: str) -> None:
    first = corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED)
    second = corrected((30, 9), (50, 8), 50, Status.PARTIALLY_FILLED, execution_id="c-2")
    order = given(placed(), sent(), accepted(), PART, first).when(correction(50, 8, refers_to, "c-2")).then(second)
    (only,) = order.fills
    assert only.corrections == ("c-1", "c-2")
    assert decide(order, correction(30, 9)) == []


@pytest.mark.parametrize("refers_to", ["f-1", "c-1"])
def test_a_bust_of_a_correction_takes_the_fill_back(refers_to: str) -> None:
    first = corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED)
    order = (
        given(placed(), sent(), accepted(), PART, first)
        .when(bust(refers_to))
        .then(busted(30, 0, Status.ACCEPTED, price=9))
    )
    for report in (fill(40), correction(30, 9), bust("f-1", "b-2"), bust("c-1", "b-2")):
        assert decide(order, report) == []


@pytest.mark.parametrize("before", [[PART, busted(40, 0, Status.ACCEPTED)], [busted(0, 0, Status.ACCEPTED)]])
def test_a_correction_of_what_was_taken_back_never_counts_and_nor_do_its_own(before: list[OrderEvent]) -> None:
    never = busted(0, 0, Status.ACCEPTED, fill_id="c-1", execution_id="f-1", reason="its fill was taken back")
    order = given(placed(), sent(), accepted(), *before).when(correction(30)).then(never)
    assert decide(order, fill(30, "c-1")) == []
    again = busted(0, 0, Status.ACCEPTED, fill_id="c-2", execution_id="c-1", reason="its fill was taken back")
    given(placed(), sent(), accepted(), *before, never).when(correction(30, 10, "c-1", "c-2")).then(again)


def test_a_correction_before_its_fill_books_it_as_corrected() -> None:
    order = (
        given(placed(), sent(), accepted())
        .when(correction(30, 9))
        .then(corrected((0, 0), (30, 9), 30, Status.PARTIALLY_FILLED))
    )
    assert decide(order, fill(40)) == []
    given(placed(), sent(), accepted(), CANCELLED).when(correction(30, 9)).then(
        corrected((0, 0), (30, 9), 30, Status.CANCELLED, leaves=0, flags=(Flag.LATE_FILL,))
    )


def test_a_correction_may_fill_overfill_or_reopen_an_order() -> None:
    given(placed(), sent(), accepted(), PART).when(correction(100)).then(
        corrected((40, 10), (100, 10), 100, Status.FILLED)
    )
    given(placed(), sent(), accepted(), FULL).when(correction(130)).then(
        corrected((100, 10), (130, 10), 130, Status.FILLED, flags=(Flag.OVERFILLED,))
    )
    given(placed(), sent(), accepted(), FULL).when(correction(90)).then(
        corrected((100, 10), (90, 10), 90, Status.PARTIALLY_FILLED)
    )


@pytest.mark.parametrize("end", OTHER_ENDS)
def test_a_correction_after_another_end_is_no_late_fill(end: OrderEvent) -> None:
    given(placed(), sent(), accepted(), PART, end).when(correction(30)).then(
        corrected((40, 10), (30, 10), 30, end.status, leaves=0)
    )


def test_a_correction_that_fills_the_order_says_what_came_too_late() -> None:
    given(placed(), sent(), accepted(), PART, CANCEL_ASKED).when(correction(100)).then(
        corrected((40, 10), (100, 10), 100, Status.PENDING_CANCEL), cancel_refused(Status.FILLED)
    )
    given(placed(), sent(), accepted(), PART, wished(1, 120)).when(correction(110)).then(
        corrected((40, 10), (110, 10), 110, Status.PENDING_REPLACE, flags=(Flag.OVERFILLED,)),
        replace_refused(1, Status.FILLED),
    )


# ── Whatever the order of what is said of one fill ───────────────────────────────────────────────────────────────────

HISTORY = (fill(40), correction(30, 9, "f-1", "c-1"), correction(50, 8, "c-1", "c-2"))


@pytest.mark.parametrize("reports", list(permutations(HISTORY)))
def test_a_fill_and_its_corrections_lead_to_the_last_whatever_comes_first(reports: tuple[OrderReport, ...]) -> None:
    order = _told(*reports, *HISTORY, *reports)
    assert (order.filled_quantity, order.traded_value, len(order.fills)) == (50, 400, 1)
    assert all(order.fill_known_as(FillId(name)) for name in ("f-1", "c-1", "c-2"))


@pytest.mark.parametrize("reports", list(permutations((*HISTORY, None))))
@pytest.mark.parametrize("name", ["f-1", "c-1", "c-2"])
def test_a_bust_takes_all_of_it_back_whatever_comes_first_and_whatever_name_it_gives(
    reports: tuple[OrderReport | None, ...], name: str
) -> None:
    order = _told(*(report or bust(name) for report in reports), bust("f-1", "b-2"), *HISTORY)
    assert (order.filled_quantity, order.traded_value, order.status) == (0, 0, Status.ACCEPTED)


def test_a_correction_that_comes_after_its_own_correction_says_that_the_fill_no_longer_counts() -> None:
    later = corrected(
        (0, 0), (50, 8), 90, Status.PARTIALLY_FILLED, fill_id="c-1", execution_id="c-2", average="8.888888889"
    )
    superseded = busted(
        40, 50, Status.PARTIALLY_FILLED, execution_id="c-1", reason="its correction was corrected", average="8"
    )
    order = given(placed(), sent(), accepted(), PART, later).when(correction(30, 9)).then(superseded)
    assert [each.fill_id for each in order.fills] == [FillId("c-1")]


def _told(*reports: OrderReport) -> Order:
    order = after(placed(), sent(), accepted())
    for report in reports:
        for event in decide(order, report):
            order = evolve(order, event)
    return order
