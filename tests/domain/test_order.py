from decimal import Decimal

import pytest

from domain import order as orders
from domain.commands import (
    CancelOrder,
    OrderCommand,
    RecordAcceptance,
    RecordCancellation,
    RecordCancelRefusal,
    RecordExpiry,
    RecordNeverArrived,
    RecordRecovery,
    RecordRejection,
    RecordSent,
    RecordUnresolved,
)
from domain.events import (
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderEvent,
    OrderExpired,
    OrderRecovered,
    OrderRejected,
    OrderUnresolved,
)
from domain.lifecycle import Flag, Status
from domain.order import BrokenHistoryError
from domain.refusals import NoReferencePrice, OrderNotCancellable, OrderNotFound
from domain.values import OrderType, Price, Side
from tests.domain.conftest import given
from tests.domain.orders import accepted, fill, filled, place, placed, sent

CANCEL_ASKED = OrderCancelRequested(status=Status.PENDING_CANCEL)
CANCELLED = OrderCancelled(reason="done", status=Status.CANCELLED)
REJECTED = OrderRejected(code="42", reason="no", status=Status.REJECTED)
EXPIRED = OrderExpired(reason="close", status=Status.EXPIRED)
PART = filled(40, 40, Status.PARTIALLY_FILLED)


def test_a_placed_order_is_pending_and_holds_its_limit_price() -> None:
    order = given().when(place()).then(placed())
    assert order is not None
    assert order.status is Status.PENDING
    assert order.leaves_quantity == 100
    assert order.average_fill_price is None
    assert (order.order_id, order.trader_id) == (place().order_id, "alice")


@pytest.mark.parametrize(
    ("order_type", "prices", "reserve"),
    [
        (OrderType.MARKET, {"price": None}, "10.5"),
        (OrderType.STOP, {"price": None, "stop_price": Price(Decimal(20))}, "21"),
        (OrderType.STOP_LIMIT, {"price": Price(Decimal(22)), "stop_price": Price(Decimal(20))}, "22"),
        (OrderType.MARKET, {"price": None, "reference_price": Price(Decimal("0.000000001"))}, "0.000000002"),
    ],
)
def test_a_buy_holds_the_most_a_unit_may_cost(order_type: OrderType, prices: dict[str, Price], reserve: str) -> None:
    terms = {"order_type": order_type, **prices}
    given().when(place(**terms)).then(placed(**terms, reserve_price=Price(Decimal(reserve))))


def test_a_sell_holds_no_cash() -> None:
    given().when(place(side=Side.SELL)).then(placed(side=Side.SELL, reserve_price=None))


def test_a_market_order_that_nobody_can_value_is_refused() -> None:
    unpriced = place(order_type=OrderType.MARKET, price=None, reference_price=None)
    given().when(unpriced).then_refused(
        NoReferencePrice,
        "There is no reference price for ACME, so a MARKET order cannot be valued; send a LIMIT order",
    )


def test_placing_the_same_order_again_changes_nothing() -> None:
    given(placed()).when(place()).then()


@pytest.mark.parametrize("command", [CancelOrder(), RecordSent(1), fill(1)])
def test_nothing_happens_to_an_order_that_does_not_exist(command: OrderCommand) -> None:
    given().when(command).then_refused(OrderNotFound, "There is no such order")


def test_each_attempt_is_recorded_once() -> None:
    given(placed()).when(RecordSent(1)).then(sent(1))
    given(placed(), sent(1)).when(RecordSent(2)).then(sent(2))
    given(placed(), sent(2)).when(RecordSent(1)).then()
    given(placed(), sent(1), accepted()).when(RecordSent(2)).then()


def test_an_order_that_its_trader_wants_back_is_not_sent_again() -> None:
    given(placed(), sent(1), CANCEL_ASKED).when(RecordSent(2)).then()


def test_an_acknowledged_order_is_accepted_once() -> None:
    order = given(placed(), sent()).when(RecordAcceptance("v-1")).then(accepted())
    assert order is not None
    assert order.venue_order_id == "v-1"
    given(placed(), sent(), accepted()).when(RecordAcceptance("v-1")).then()


def test_an_acknowledgement_after_the_end_says_nothing_new() -> None:
    given(placed(), sent(), CANCELLED).when(RecordAcceptance("v-1")).then()


def test_an_unknown_outcome_is_flagged_once_and_the_order_stays_pending() -> None:
    unresolved = OrderUnresolved(reason="timeout", status=Status.PENDING, flags=(Flag.UNRESOLVED,))
    order = given(placed(), sent()).when(RecordUnresolved("timeout")).then(unresolved)
    assert order is not None
    assert order.flags == (Flag.UNRESOLVED,)
    given(placed(), sent(), unresolved).when(RecordUnresolved("again")).then()
    given(placed(), sent(), accepted()).when(RecordUnresolved("late")).then()


@pytest.mark.parametrize("event", [accepted(), CANCELLED, REJECTED, EXPIRED])
def test_what_settles_an_unresolved_order_takes_the_flag_away(event: OrderEvent) -> None:
    unresolved = OrderUnresolved(reason="timeout", status=Status.PENDING, flags=(Flag.UNRESOLVED,))
    order = given(placed(), sent(), unresolved, event).order
    assert order is not None
    assert order.flags == ()


def test_a_recovered_order_says_after_which_attempt() -> None:
    recovered = OrderRecovered(attempt=2, venue_order_id="v-1", status=Status.PENDING)
    given(placed(), sent(2)).when(RecordRecovery(2, "v-1")).then(recovered)
    order = given(placed(), sent(2), recovered).when(RecordAcceptance("v-1")).then(accepted())
    assert order is not None
    assert orders.decide(order, RecordRecovery(2, "v-1")) == []


def test_an_order_that_never_arrived_is_rejected_or_cancelled_if_its_trader_wanted_it_back() -> None:
    rejected = OrderRejected(code="NEVER_ARRIVED", reason="gone", status=Status.REJECTED)
    given(placed(), sent(3)).when(RecordNeverArrived("gone")).then(rejected)
    cancelled = OrderCancelled(reason="gone", status=Status.CANCELLED)
    given(placed(), sent(), CANCEL_ASKED).when(RecordNeverArrived("gone")).then(cancelled)


@pytest.mark.parametrize("heard", [accepted(), PART])
def test_an_order_that_was_heard_of_did_arrive(heard: OrderEvent) -> None:
    given(placed(), sent(3), heard).when(RecordNeverArrived("gone")).then()


def test_a_partial_fill_leaves_the_rest_working() -> None:
    order = given(placed(), sent(), accepted()).when(fill(40)).then(PART)
    assert order is not None
    assert (order.filled_quantity, order.leaves_quantity, order.average_fill_price) == (40, 60, 10)


def test_the_last_fill_fills_the_order_at_the_average_price() -> None:
    second = filled(60, 100, Status.FILLED, fill_id="f-2", price=5, average="7")
    order = given(placed(), sent(), accepted(), PART).when(fill(60, "f-2", 5)).then(second)
    assert order is not None
    assert (order.leaves_quantity, order.average_fill_price, len(order.fills)) == (0, 7, 2)


def test_a_fill_is_booked_once_however_often_it_is_reported() -> None:
    given(placed(), sent(), accepted(), PART).when(fill(40)).then()


def test_two_fills_alike_in_everything_but_id_are_two_fills() -> None:
    second = filled(40, 80, Status.PARTIALLY_FILLED, fill_id="f-2")
    given(placed(), sent(), accepted(), PART).when(fill(40, "f-2")).then(second)


def test_a_fill_before_the_acknowledgement_is_booked() -> None:
    given(placed(), sent()).when(fill(40)).then(PART)
    given(placed(), sent(), PART).when(RecordAcceptance("v-1")).then(accepted(Status.PARTIALLY_FILLED))


def test_an_overfill_is_booked_and_flagged() -> None:
    over = filled(130, 130, Status.FILLED, flags=(Flag.OVERFILLED,))
    given(placed(), sent(), accepted()).when(fill(130)).then(over)


@pytest.mark.parametrize("end", [CANCELLED, REJECTED, EXPIRED])
def test_a_fill_after_the_end_is_booked_and_flagged(end: OrderEvent) -> None:
    late = filled(40, 40, end.status, leaves=0, flags=(Flag.LATE_FILL,))  # type: ignore[union-attr] # ends have one
    given(placed(), sent(), accepted(), end).when(fill(40)).then(late)


def test_a_fill_after_a_full_fill_is_late_and_over() -> None:
    full = filled(100, 100, Status.FILLED)
    extra = filled(1, 101, Status.FILLED, fill_id="f-2", flags=(Flag.LATE_FILL, Flag.OVERFILLED), average="10")
    given(placed(), sent(), accepted(), full).when(fill(1, "f-2")).then(extra)


def test_an_order_that_never_left_is_cancelled_at_once() -> None:
    reason = "cancelled before it was sent to the venue"
    cancelled = OrderCancelled(reason=reason, status=Status.CANCELLED)
    assert orders.decide(given(placed()).order, CancelOrder()) == [cancelled]
    order = orders.evolve(given(placed()).order, cancelled)
    assert (order.status, order.leaves_quantity) == (Status.CANCELLED, 0)


def test_a_working_order_is_cancelled_by_the_venue() -> None:
    given(placed(), sent(), accepted()).when(CancelOrder()).then(CANCEL_ASKED)
    given(placed(), sent(), accepted(), CANCEL_ASKED).when(CancelOrder()).then()
    given(placed(), sent(), accepted(), CANCEL_ASKED).when(RecordCancellation("done")).then(CANCELLED)


def test_a_cancel_before_the_acknowledgement_stays_asked_for() -> None:
    given(placed(), sent()).when(CancelOrder()).then(CANCEL_ASKED)
    given(placed(), sent(), CANCEL_ASKED).when(RecordAcceptance("v-1")).then(accepted(Status.PENDING_CANCEL))


def test_a_fill_crosses_a_cancel() -> None:
    crossing = filled(40, 40, Status.PENDING_CANCEL)
    given(placed(), sent(), accepted(), CANCEL_ASKED).when(fill(40)).then(crossing)
    given(placed(), sent(), accepted(), CANCEL_ASKED).when(fill(100)).then(filled(100, 100, Status.FILLED))


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ([CANCEL_ASKED], Status.PENDING),
        ([accepted(), CANCEL_ASKED], Status.ACCEPTED),
        ([accepted(), PART, CANCEL_ASKED], Status.PARTIALLY_FILLED),
    ],
)
def test_an_order_works_on_after_a_refused_cancel(before: list[OrderEvent], status: Status) -> None:
    refused = OrderCancelRefused(reason="too late", status=status)
    order = given(placed(), sent(), *before).when(RecordCancelRefusal("too late")).then(refused)
    assert order is not None
    assert order.reason == "too late"


def test_a_cancel_refusal_nobody_asked_for_says_nothing() -> None:
    given(placed(), sent(), accepted()).when(RecordCancelRefusal("what?")).then()


@pytest.mark.parametrize("end", [CANCELLED, REJECTED, EXPIRED, filled(100, 100, Status.FILLED)])
def test_an_order_that_is_over_cannot_be_cancelled(end: OrderEvent) -> None:
    given(placed(), sent(), accepted(), end).when(CancelOrder()).then_refused(
        OrderNotCancellable,
        f"The order is {end.status} and cannot be cancelled",  # type: ignore[union-attr] # ends have one
    )


@pytest.mark.parametrize("end", [CANCELLED, REJECTED, EXPIRED, filled(100, 100, Status.FILLED)])
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
    ],
)
def test_a_late_status_after_the_end_is_nothing_new(end: OrderEvent, report: OrderCommand) -> None:
    given(placed(), sent(), accepted(), end).when(report).then()


def test_the_venue_may_reject_or_expire_what_is_left() -> None:
    order = given(placed(), sent(), accepted(), PART).when(RecordRejection("42", "no")).then(REJECTED)
    assert order is not None
    assert (order.filled_quantity, order.leaves_quantity, order.reason) == (40, 0, "no")
    given(placed(), sent(), accepted(), PART).when(RecordExpiry("close")).then(EXPIRED)


def test_history_that_contradicts_itself_is_not_folded() -> None:
    with pytest.raises(BrokenHistoryError, match="placed twice"):
        given(placed(), placed())
    with pytest.raises(BrokenHistoryError, match="OrderSent before OrderPlaced"):
        given(sent())
    with pytest.raises(BrokenHistoryError, match="does not add up"):
        given(placed(), sent(), filled(40, 41, Status.PARTIALLY_FILLED))
