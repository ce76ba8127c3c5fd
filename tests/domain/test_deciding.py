from dataclasses import replace

import pytest

from domain import order as orders
from domain.commands import (
    CancelOrder,
    OrderCommand,
    RecordAcceptance,
    RecordCancellation,
    RecordCancelRefusal,
    RecordDifference,
    RecordExpiry,
    RecordNeverArrived,
    RecordRecovery,
    RecordRejection,
    RecordReplaceRefusal,
    RecordSent,
    RecordUnresolved,
)
from domain.deciding import NEVER_ARRIVED, decide
from domain.events import (
    OrderCancelled,
    OrderEvent,
    OrderReconciled,
    OrderRecovered,
    OrderRejected,
    OrderSent,
    OrderUnresolved,
)
from domain.lifecycle import Flag, Status
from domain.order import Difference
from domain.refusals import NoReferencePrice, OrderNotCancellable, OrderNotFound
from domain.values import OrderId, OrderType, Side
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
    correction,
    fill,
    filled,
    place,
    placed,
    replacement,
    sent,
    units,
    wish,
    wished,
)

PART = filled(40, 40, Status.PARTIALLY_FILLED)
FULL = filled(100, 100, Status.FILLED)
ENDS = [CANCELLED, REJECTED, EXPIRED, FULL]
GONE = OrderRejected(code=NEVER_ARRIVED, reason="gone", status=Status.REJECTED)
UNRESOLVED = OrderUnresolved(reason="timeout", status=Status.PENDING, flags=(Flag.UNRESOLVED,))


def test_a_placed_order_is_pending_and_holds_its_limit_price() -> None:
    order = given().when(place()).then(placed())
    assert order.status is Status.PENDING
    assert order.leaves_quantity == 100
    assert order.average_fill_price is None
    assert (order.order_id, order.trader_id) == (place().order_id, "alice")


def test_a_sell_holds_no_cash() -> None:
    given().when(place(side=Side.SELL)).then(placed(side=Side.SELL, reserve_price=None))


def test_an_exit_says_what_it_protects_and_which_other_exit_it_excludes() -> None:
    names = {"parent_order_id": OrderId("entry"), "oco_order_id": OrderId("other exit")}
    given().when(place(**names)).then(placed(**names))


def test_a_market_order_that_nobody_can_value_is_refused() -> None:
    unpriced = place(order_type=OrderType.MARKET, price=None, reference_price=None)
    given().when(unpriced).then_refused(
        NoReferencePrice,
        "There is no reference price for ACME, so a MARKET order cannot be valued; send a LIMIT order",
    )


def test_placing_the_same_order_again_changes_nothing() -> None:
    given(placed()).when(place()).then()


@pytest.mark.parametrize("command", [CancelOrder(), wish(quantity=50), RecordSent(1), fill(1), bust(), correction(1)])
def test_nothing_happens_to_an_order_that_does_not_exist(command: OrderCommand) -> None:
    given().when(command).then_refused(OrderNotFound, "There is no such order")


# ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_attempt_is_recorded_once() -> None:
    given(placed()).when(RecordSent(1)).then(sent(1))
    given(placed(), sent(1)).when(RecordSent(2)).then(sent(2))
    given(placed(), sent(2)).when(RecordSent(1)).then()


@pytest.mark.parametrize("heard", [[accepted()], [PART], [PART, busted(40, 0, Status.PENDING)]])
def test_an_order_that_was_heard_of_is_not_sent_again(heard: list[OrderEvent]) -> None:
    given(placed(), sent(1), *heard).when(RecordSent(2)).then()


def test_an_order_that_its_trader_wants_back_is_not_sent_again() -> None:
    given(placed(), sent(1), CANCEL_ASKED).when(RecordSent(2)).then()


def test_an_order_with_a_replacement_pending_may_be_sent_again() -> None:
    again = OrderSent(attempt=2, status=Status.PENDING_REPLACE)
    given(placed(), sent(1), wished(1, 120)).when(RecordSent(2)).then(again)


def test_an_acknowledged_order_is_accepted_once() -> None:
    order = given(placed(), sent()).when(RecordAcceptance("v-1")).then(accepted())
    assert order.venue_order_id == "v-1"
    given(placed(), sent(), accepted()).when(RecordAcceptance("v-1")).then()


def test_an_unknown_outcome_is_flagged_once_and_the_order_stays_pending() -> None:
    order = given(placed(), sent()).when(RecordUnresolved("timeout")).then(UNRESOLVED)
    assert order.flags == (Flag.UNRESOLVED,)
    given(placed(), sent(), UNRESOLVED).when(RecordUnresolved("again")).then()


@pytest.mark.parametrize("heard", [accepted(), PART])
def test_the_outcome_of_an_order_that_was_heard_of_is_known(heard: OrderEvent) -> None:
    given(placed(), sent(), heard).when(RecordUnresolved("late")).then()


@pytest.mark.parametrize("event", [accepted(), CANCELLED, REJECTED, EXPIRED])
def test_what_settles_an_unresolved_order_takes_the_flag_away(event: OrderEvent) -> None:
    assert after(placed(), sent(), UNRESOLVED, event).flags == ()


def test_a_fill_settles_an_unresolved_order() -> None:
    given(placed(), sent(), UNRESOLVED).when(fill(40)).then(PART)


def test_a_recovered_order_says_after_which_attempt() -> None:
    recovered = OrderRecovered(attempt=2, venue_order_id="v-1", status=Status.PENDING)
    given(placed(), sent(2)).when(RecordRecovery(2, "v-1")).then(recovered)
    order = given(placed(), sent(2), recovered).when(RecordAcceptance("v-1")).then(accepted())
    assert decide(order, RecordRecovery(3, "v-1")) == []


def test_an_order_that_never_arrived_is_rejected_or_cancelled_if_its_trader_wanted_it_back() -> None:
    given(placed(), sent(3)).when(RecordNeverArrived("gone")).then(GONE)
    cancelled = OrderCancelled(reason="gone", status=Status.CANCELLED)
    given(placed(), sent(), CANCEL_ASKED).when(RecordNeverArrived("gone")).then(cancelled)


@pytest.mark.parametrize("heard", [[accepted()], [PART], [PART, busted(40, 0, Status.PENDING)]])
def test_an_order_that_was_heard_of_did_arrive(heard: list[OrderEvent]) -> None:
    given(placed(), sent(3), *heard).when(RecordNeverArrived("gone")).then()


# ── Cancelling ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_that_never_left_is_cancelled_at_once() -> None:
    reason = "cancelled before it was sent to the venue"
    cancelled = OrderCancelled(reason=reason, status=Status.CANCELLED)
    assert decide(after(placed()), CancelOrder()) == [cancelled]
    order = orders.evolve(after(placed()), cancelled)
    assert (order.status, order.leaves_quantity) == (Status.CANCELLED, 0)


def test_a_working_order_is_cancelled_by_the_venue() -> None:
    given(placed(), sent(), accepted()).when(CancelOrder()).then(CANCEL_ASKED)
    given(placed(), sent(), accepted(), CANCEL_ASKED).when(CancelOrder()).then()
    given(placed(), sent(), accepted(), CANCEL_ASKED).when(RecordCancellation("done")).then(CANCELLED)


def test_a_cancel_before_the_acknowledgement_stays_asked_for() -> None:
    given(placed(), sent()).when(CancelOrder()).then(CANCEL_ASKED)
    given(placed(), sent(), CANCEL_ASKED).when(RecordAcceptance("v-1")).then(accepted(Status.PENDING_CANCEL))


def test_a_cancel_comes_before_what_was_asked_for_earlier() -> None:
    order = given(placed(), sent(), accepted(), wished(1, 120)).when(CancelOrder()).then(CANCEL_ASKED)
    assert [each.number for each in order.replacements] == [1]


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ([], Status.PENDING),
        ([accepted()], Status.ACCEPTED),
        ([accepted(), PART], Status.PARTIALLY_FILLED),
        ([accepted(), wished(1, 120)], Status.PENDING_REPLACE),
    ],
)
def test_an_order_works_on_after_a_refused_cancel(before: list[OrderEvent], status: Status) -> None:
    refused = cancel_refused(status, "no")
    order = given(placed(), sent(), *before, CANCEL_ASKED).when(RecordCancelRefusal("no")).then(refused)
    assert order.reason == "no"


def test_a_cancel_refusal_nobody_asked_for_says_nothing() -> None:
    given(placed(), sent(), accepted()).when(RecordCancelRefusal("what?")).then()


@pytest.mark.parametrize("end", ENDS)
def test_an_order_that_is_over_cannot_be_cancelled(end: OrderEvent) -> None:
    given(placed(), sent(), accepted(), end).when(CancelOrder()).then_refused(
        OrderNotCancellable,
        f"The order is {end.status} and cannot be cancelled",
    )


# ── Ends, and what comes after them ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "report",
    [
        RecordSent(2),
        RecordRecovery(1, "v"),
        RecordUnresolved("?"),
        RecordNeverArrived("gone"),
        RecordAcceptance("v"),
        RecordRejection("1", "no"),
        RecordCancelRefusal("no"),
        RecordCancellation("x"),
        RecordExpiry("x"),
        RecordReplaceRefusal(0, "no"),
    ],
)
def test_a_late_status_after_the_end_is_nothing_new(end: OrderEvent, report: OrderCommand) -> None:
    given(placed(), sent(), accepted(), end).when(report).then()


@pytest.mark.parametrize("end", [CANCELLED, REJECTED, EXPIRED])
def test_a_replacement_does_not_bring_an_order_back_that_was_not_filled(end: OrderEvent) -> None:
    given(placed(), sent(), accepted(), end).when(replacement(1, quantity=200)).then()


def test_the_venue_may_reject_or_expire_what_is_left() -> None:
    order = given(placed(), sent(), accepted(), PART).when(RecordRejection("42", "no")).then(REJECTED)
    assert (order.filled_quantity, order.leaves_quantity, order.reason) == (40, 0, "no")
    given(placed(), sent(), accepted(), PART).when(RecordExpiry("close")).then(EXPIRED)


@pytest.mark.parametrize("status", [Status.PENDING_CANCEL, Status.PENDING_REPLACE])
@pytest.mark.parametrize(
    ("report", "end"),
    [
        (RecordCancellation("done"), CANCELLED),
        (RecordRejection("42", "no"), REJECTED),
        (RecordExpiry("close"), EXPIRED),
    ],
)
def test_an_end_answers_whatever_was_pending(status: Status, report: OrderCommand, end: OrderEvent) -> None:
    pending = CANCEL_ASKED if status is Status.PENDING_CANCEL else wished(1, 120)
    order = given(placed(), sent(), accepted(), pending).when(report).then(end)
    assert order.replacements == ()


# ── Differences ──────────────────────────────────────────────────────────────────────────────────────────────────────


def difference(filled_quantity: int = 70) -> RecordDifference:
    return RecordDifference(
        venue_order_id="v-1",
        venue_status="canceled",
        venue_filled_quantity=units(filled_quantity),
        reason="the venue knows of more fills",
    )


def reconciled(status: Status, venue_filled: int = 70, ours: int = 40) -> OrderReconciled:
    return OrderReconciled(
        venue_order_id="v-1",
        venue_status="canceled",
        venue_filled_quantity=units(venue_filled),
        filled_quantity=units(ours),
        reason="the venue knows of more fills",
        status=status,
    )


def test_a_difference_is_recorded_once_and_changes_nothing() -> None:
    before = after(placed(), sent(), accepted(), PART)
    order = given(placed(), sent(), accepted(), PART).when(difference()).then(reconciled(Status.PARTIALLY_FILLED))
    assert order.difference == Difference("v-1", "canceled", units(70))
    assert (order.status, order.held, order.fills) == (before.status, before.held, before.fills)


def test_a_difference_to_what_the_order_no_longer_is_is_none() -> None:
    story = given(placed(), sent(), accepted(), PART, CANCELLED)
    story.when(replace(difference(), compared_with=Status.PARTIALLY_FILLED)).then()
    story.when(replace(difference(), compared_with=Status.CANCELLED)).then(reconciled(Status.CANCELLED))


def test_another_difference_is_another_event() -> None:
    story = given(placed(), sent(), accepted(), PART, CANCELLED, reconciled(Status.CANCELLED))
    story.when(difference(80)).then(reconciled(Status.CANCELLED, venue_filled=80))


def test_an_order_that_was_given_up_and_is_there_after_all_is_a_difference() -> None:
    found = OrderReconciled(
        venue_order_id="v-1",
        venue_status="accepted",
        venue_filled_quantity=units(0),
        filled_quantity=units(0),
        reason="the venue has the order after all",
        status=Status.REJECTED,
    )
    given(placed(), sent(3), GONE).when(RecordAcceptance("v-1")).then(found)
