"""Other terms for an order that works: asked for, carried out, refused, crossed by fills, late, stale and unasked."""

from typing import Any

import pytest

from domain.commands import (
    RecordCancellation,
    RecordCancelRefusal,
    RecordExpiry,
    RecordRejection,
    RecordReplaceRefusal,
    ReplaceOrder,
)
from domain.deciding import decide
from domain.events import OrderEvent, OrderReplaceRequested, OrderUnresolved
from domain.lifecycle import Flag, Status
from domain.order import Terms
from domain.refusals import InvalidPrice, InvalidQuantity, OrderNotReplaceable
from domain.values import OrderId, OrderType, Side
from tests.domain.conftest import after, given
from tests.domain.orders import (
    CANCEL_ASKED,
    CANCELLED,
    EXPIRED,
    REJECTED,
    accepted,
    busted,
    cancel_refused,
    fill,
    filled,
    placed,
    price_of,
    replace_refused,
    replaced,
    replacement,
    sent,
    units,
    wish,
    wished,
)

PART = filled(40, 40, Status.PARTIALLY_FILLED)
FULL = filled(100, 100, Status.FILLED)
WORKING = (placed(), sent(), accepted())
NO = "no"


# ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (wish(quantity=120), wished(1, 120)),
        (wish(price=9), wished(1, 100, 9)),
        (wish(quantity=50, price=11), wished(1, 50, 11)),
    ],
)
def test_what_a_request_leaves_out_stays(request_: ReplaceOrder, asked: OrderEvent) -> None:
    order = given(*WORKING).when(request_).then(asked)
    assert (order.status, order.current) == (
        Status.PENDING_REPLACE,
        Terms(units(100), price_of(10), None, price_of(10)),
    )


def test_several_requests_may_be_pending_and_each_builds_on_the_one_before() -> None:
    order = given(*WORKING, wished(1, 120)).when(wish(price=9)).then(wished(2, 120, 9))
    assert [each.number for each in order.replacements] == [1, 2]
    # Back to the terms it works on now is a change of what was asked for last.
    given(*WORKING, wished(1, 120)).when(wish(quantity=100)).then(wished(2, 100))


@pytest.mark.parametrize("request_", [wish(), wish(quantity=100), wish(price=10), wish(quantity=100, price=10)])
def test_a_request_for_the_same_terms_is_nothing_new(request_: ReplaceOrder) -> None:
    given(*WORKING).when(request_).then()
    given(placed()).when(request_).then()


def test_numbers_are_not_used_again() -> None:
    given(*WORKING, wished(1, 120), replace_refused(1, Status.ACCEPTED, NO)).when(wish(quantity=130)).then(
        wished(2, 130)
    )


def test_an_order_that_never_left_is_replaced_at_once() -> None:
    here = replaced(1, Status.PENDING, venue_order_id=None, quantity=120, price=9)
    order = given(placed()).when(wish(120, 9)).then(here)
    assert (order.is_unsent, order.leaves_quantity, order.past_venue_order_ids) == (True, 120, ())
    again = replaced(2, Status.PENDING, venue_order_id=None, quantity=80, price=9)
    given(placed(), here).when(wish(80)).then(again)


def test_an_order_that_may_be_at_the_venue_is_not_replaced_here() -> None:
    unresolved = OrderUnresolved(reason="timeout", status=Status.PENDING, flags=(Flag.UNRESOLVED,))
    given(placed(), sent(), unresolved).when(wish(quantity=120)).then(wished(1, 120))


@pytest.mark.parametrize("end", [CANCELLED, REJECTED, EXPIRED, FULL])
def test_an_order_that_is_over_cannot_be_replaced(end: OrderEvent) -> None:
    given(*WORKING, end).when(wish(quantity=200)).then_refused(
        OrderNotReplaceable,
        f"The order is {end.status} and cannot be replaced",
    )


def test_an_order_that_is_about_to_be_cancelled_cannot_be_replaced() -> None:
    given(*WORKING, CANCEL_ASKED).when(wish(quantity=200)).then_refused(
        OrderNotReplaceable, "The order is PENDING_CANCEL and cannot be replaced"
    )


@pytest.mark.parametrize("quantity", [40, 39])
def test_a_request_for_no_more_than_is_filled_is_refused(quantity: int) -> None:
    given(*WORKING, PART).when(wish(quantity)).then_refused(
        InvalidQuantity, "Quantity must be above the 40 that are filled already"
    )
    given(*WORKING, PART).when(wish(41)).then(wished(1, 41))


@pytest.mark.parametrize(
    ("order_type", "prices", "request_", "message"),
    [
        (OrderType.MARKET, {"price": None}, wish(price=9), "price has no meaning for a MARKET order"),
        (
            OrderType.STOP,
            {"price": None, "stop_price": price_of(9)},
            wish(price=9, stop_price=8),
            "price has no meaning for a STOP order",
        ),
        (OrderType.LIMIT, {}, wish(stop_price=9), "stop_price has no meaning for a LIMIT order"),
    ],
)
def test_a_price_that_orders_of_this_type_do_not_have_is_refused(
    order_type: OrderType, prices: dict[str, Any], request_: ReplaceOrder, message: str
) -> None:
    given(placed(order_type=order_type, **prices)).when(request_).then_refused(InvalidPrice, message)


def test_the_quantity_of_one_of_two_exits_follows_what_it_protects() -> None:
    take_profit = placed(side=Side.SELL, reserve_price=None, oco_order_id=OrderId("other"))
    given(take_profit).when(wish(quantity=50)).then_refused(
        InvalidQuantity, "Quantity of an exit follows what it protects; only its price can be replaced"
    )
    order = given(take_profit, sent(), accepted()).when(wish(price=12)).then(_unreserved(wished(1, 100, 12)))
    assert order.held.amount == 0


@pytest.mark.parametrize(
    ("order_type", "prices", "request_", "reserve"),
    [
        (OrderType.STOP, {"price": None, "stop_price": price_of(20)}, wish(stop_price=40), 42),
        # Of a STOP order, the price is the stop price, as when it is placed.
        (OrderType.STOP, {"price": None, "stop_price": price_of(20)}, wish(price=40), 42),
        (OrderType.STOP_LIMIT, {"price": price_of(22), "stop_price": price_of(20)}, wish(stop_price=21), 22),
        (OrderType.STOP_LIMIT, {"price": price_of(22), "stop_price": price_of(20)}, wish(price=30), 30),
    ],
)
def test_a_wish_is_held_for_at_its_own_price(
    order_type: OrderType, prices: dict[str, Any], request_: ReplaceOrder, reserve: int
) -> None:
    order = after(placed(order_type=order_type, **prices), sent(), accepted())
    (event,) = decide(order, request_)
    assert isinstance(event, OrderReplaceRequested)
    assert event.reserve_price == reserve


# ── What the venue made of them ──────────────────────────────────────────────────────────────────────────────────────


def test_a_replacement_takes_effect_when_the_venue_says_so() -> None:
    order = (
        given(*WORKING, wished(1, 120))
        .when(replacement(1, quantity=120))
        .then(replaced(1, Status.ACCEPTED, quantity=120))
    )
    assert (order.leaves_quantity, order.venue_order_id, order.replacements) == (120, "v-2", ())


def test_a_partly_filled_order_keeps_its_fills() -> None:
    order = (
        given(*WORKING, PART, wished(1, 120))
        .when(replacement(1, quantity=120))
        .then(replaced(1, Status.PARTIALLY_FILLED, quantity=120, leaves=80))
    )
    assert (order.filled_quantity, order.leaves_quantity) == (40, 80)


def test_a_replacement_before_the_acknowledgement_acknowledges() -> None:
    order = (
        given(placed(), sent(), wished(1, 120))
        .when(replacement(1, quantity=120))
        .then(replaced(1, Status.ACCEPTED, quantity=120))
    )
    assert order.venue_order_id == "v-2"


def test_each_of_several_replacements_is_answered_in_turn() -> None:
    first = replaced(1, Status.PENDING_REPLACE, quantity=120)
    given(*WORKING, wished(1, 120), wished(2, 150)).when(replacement(1, quantity=120)).then(first)
    given(*WORKING, wished(1, 120), wished(2, 150), first).when(replacement(2, "v-3", 150)).then(
        replaced(2, Status.ACCEPTED, venue_order_id="v-3", quantity=150)
    )


def test_a_later_replacement_answers_the_earlier_ones() -> None:
    order = (
        given(*WORKING, wished(1, 120), wished(2, 150))
        .when(replacement(2, "v-3", 150))
        .then(replaced(2, Status.ACCEPTED, venue_order_id="v-3", quantity=150))
    )
    assert order.replacements == ()


@pytest.mark.parametrize("end", [RecordRejection, RecordCancellation, RecordExpiry, RecordCancelRefusal])
def test_the_end_of_what_was_replaced_is_not_the_end_of_the_order(end: Any) -> None:
    known = {"code": "42"} if end is RecordRejection else {}
    story = given(*WORKING, wished(1, 120), replaced(1, Status.ACCEPTED, quantity=120), CANCEL_ASKED)
    story.when(end(reason=NO, venue_order_id="v-1", **known)).then()
    assert story.order is not None
    assert len(decide(story.order, end(reason=NO, venue_order_id="v-2", **known))) == 1


@pytest.mark.parametrize(
    "stale",
    [
        replacement(1, quantity=120),  # of a replacement that has been replaced since
        replacement(0, "v-1"),  # of the order as it was before
        replacement(0, "v-3", 150),  # of the order as it is
        replacement(2, "v-3", 150),  # the same again
    ],
)
@pytest.mark.parametrize("first_was_seen", [True, False])
def test_a_stale_report_of_an_older_replacement_says_nothing(stale: Any, first_was_seen: bool) -> None:  # noqa: FBT001 - a table row
    first = [replaced(1, Status.PENDING_REPLACE, quantity=120)] if first_was_seen else []
    second = replaced(2, Status.ACCEPTED, venue_order_id="v-3", quantity=150)
    given(*WORKING, wished(1, 120), wished(2, 150), *first, second).when(stale).then()


def test_the_venue_may_work_on_other_terms_than_were_asked_for() -> None:
    given(*WORKING, wished(1, 120, 9)).when(replacement(1, quantity=120, price=11)).then(
        replaced(1, Status.ACCEPTED, quantity=120, price=11)
    )


@pytest.mark.parametrize(
    ("before", "status"),
    [([], Status.ACCEPTED), ([wished(1, 120)], Status.PENDING_REPLACE), ([CANCEL_ASKED], Status.PENDING_CANCEL)],
)
def test_the_venue_may_replace_unasked(before: list[OrderEvent], status: Status) -> None:
    order = given(*WORKING, *before).when(replacement(0, quantity=80)).then(replaced(0, status, quantity=80))
    assert len(order.replacements) == (1 if status is Status.PENDING_REPLACE else 0)


def test_the_venue_may_change_an_order_under_the_same_id() -> None:
    given(*WORKING).when(replacement(0, "v-1", price=9)).then(
        replaced(0, Status.ACCEPTED, venue_order_id="v-1", price=9)
    )
    given(*WORKING).when(replacement(0, "v-1")).then()


def test_a_replacement_under_the_same_id_and_terms_still_answers_the_request() -> None:
    given(*WORKING, wished(1, 120)).when(replacement(1, "v-1")).then(replaced(1, Status.ACCEPTED, venue_order_id="v-1"))


def test_a_replacement_settles_an_unresolved_order() -> None:
    unresolved = OrderUnresolved(reason="timeout", status=Status.PENDING, flags=(Flag.UNRESOLVED,))
    given(placed(), sent(), unresolved).when(replacement(1, quantity=120)).then(
        replaced(1, Status.ACCEPTED, quantity=120)
    )


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ([placed(), sent()], Status.PENDING),
        ([*WORKING], Status.ACCEPTED),
        ([*WORKING, PART], Status.PARTIALLY_FILLED),
    ],
)
def test_an_order_works_on_as_it_was_after_a_refusal(before: list[OrderEvent], status: Status) -> None:
    order = given(*before, wished(1, 120)).when(RecordReplaceRefusal(1, NO)).then(replace_refused(1, status, NO))
    assert (order.current.quantity, order.replacements, order.reason) == (100, (), NO)


def test_a_refusal_means_one_replacement_or_all_that_are_pending() -> None:
    pending = (*WORKING, wished(1, 120), wished(2, 150), wished(3, 160))
    order = given(*pending).when(RecordReplaceRefusal(2, NO)).then(replace_refused(2, Status.PENDING_REPLACE, NO))
    assert [each.number for each in order.replacements] == [1, 3]
    given(*pending).when(RecordReplaceRefusal(0, NO)).then(
        replace_refused(1, Status.PENDING_REPLACE, NO),
        replace_refused(2, Status.PENDING_REPLACE, NO),
        replace_refused(3, Status.ACCEPTED, NO),
    )


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_refusal_of_what_nobody_asked_for_says_nothing(number: int) -> None:
    given(*WORKING).when(RecordReplaceRefusal(number, NO)).then()
    given(*WORKING, wished(1, 120), replaced(1, Status.ACCEPTED, quantity=120)).when(
        RecordReplaceRefusal(number, NO)
    ).then()


def test_a_refusal_does_not_take_a_cancel_back() -> None:
    order = (
        given(*WORKING, wished(1, 120), CANCEL_ASKED)
        .when(RecordReplaceRefusal(1, NO))
        .then(replace_refused(1, Status.PENDING_CANCEL, NO))
    )
    assert decide(order, RecordCancelRefusal(NO)) == [cancel_refused(Status.ACCEPTED, NO)]


# ── Fills that cross ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_fills_cross_a_replacement() -> None:
    asked = (*WORKING, wished(1, 80))
    order = given(*asked).when(fill(40)).then(filled(40, 40, Status.PENDING_REPLACE))
    assert order.leaves_quantity == 60  # of what it still works on
    given(*asked, filled(40, 40, Status.PENDING_REPLACE)).when(replacement(1, quantity=80)).then(
        replaced(1, Status.PARTIALLY_FILLED, quantity=80, leaves=40)
    )


@pytest.mark.parametrize("crossed", [80, 90])
def test_a_decrease_to_no_more_than_is_filled_ends_the_order_at_what_is_filled(crossed: int) -> None:
    order = (
        given(*WORKING, wished(1, 80), filled(crossed, crossed, Status.PENDING_REPLACE))
        .when(replacement(1, quantity=80))
        .then(replaced(1, Status.FILLED, quantity=crossed, leaves=0))
    )
    assert (order.current.quantity, order.flags) == (crossed, ())


def test_a_decrease_that_ends_the_order_says_what_came_too_late() -> None:
    crossed = filled(80, 80, Status.PENDING_REPLACE)
    order = (
        given(*WORKING, wished(1, 80), wished(2, 150), crossed)
        .when(replacement(1, quantity=80))
        .then(
            replaced(1, Status.PENDING_REPLACE, quantity=80, leaves=0),
            replace_refused(2, Status.FILLED),
        )
    )
    assert order.replacements == ()
    given(*WORKING, wished(1, 80), crossed, CANCEL_ASKED).when(replacement(1, quantity=80)).then(
        replaced(1, Status.PENDING_CANCEL, quantity=80, leaves=0), cancel_refused(Status.FILLED)
    )


def test_a_late_replacement_reopens_a_filled_order() -> None:
    too_late = (*WORKING, wished(1, 150), filled(100, 100, Status.PENDING_REPLACE), replace_refused(1, Status.FILLED))
    order = (
        given(*too_late)
        .when(replacement(1, quantity=150))
        .then(replaced(1, Status.PARTIALLY_FILLED, quantity=150, leaves=50))
    )
    assert (order.is_over, order.leaves_quantity, order.held.quantity) == (False, 50, 50)
    given(*too_late).when(replacement(1, quantity=100, price=9)).then()


def test_the_first_of_two_replacements_may_reopen_although_both_were_given_up() -> None:
    given(
        *WORKING,
        wished(1, 150),
        wished(2, 200),
        filled(100, 100, Status.PENDING_REPLACE),
        replace_refused(1, Status.PENDING_REPLACE),
        replace_refused(2, Status.FILLED),
    ).when(replacement(1, quantity=150)).then(replaced(1, Status.PARTIALLY_FILLED, quantity=150, leaves=50))


def test_a_larger_quantity_makes_an_overfill_none() -> None:
    over = filled(130, 130, Status.FILLED, flags=(Flag.OVERFILLED,))
    given(*WORKING, over).when(replacement(0, quantity=150)).then(
        replaced(0, Status.PARTIALLY_FILLED, quantity=150, leaves=20)
    )
    given(*WORKING, over).when(replacement(0, quantity=120)).then()


def test_a_bust_while_a_replacement_is_pending_does_not_answer_it() -> None:
    taken_back = busted(40, 0, Status.PENDING_REPLACE)
    given(*WORKING, PART, wished(1, 120), taken_back).when(replacement(1, quantity=120)).then(
        replaced(1, Status.ACCEPTED, quantity=120)
    )


def _unreserved(event: OrderReplaceRequested) -> OrderReplaceRequested:
    return OrderReplaceRequested(
        number=event.number,
        quantity=event.quantity,
        price=event.price,
        stop_price=event.stop_price,
        reserve_price=None,
        status=event.status,
    )
