"""Stop-loss and take-profit: what each fill brings with it, and what happens to that when the fill changes."""

from dataclasses import replace
from typing import Any

import pytest

from domain import account as accounts
from domain import order as orders
from domain.account import Account, Holding
from domain.commands import (
    CancelOrder,
    OrderCommand,
    PlaceOrder,
    RecordAcceptance,
    RecordCancellation,
    RecordExpiry,
    RecordNeverArrived,
    RecordRejection,
    RecordSent,
)
from domain.deciding import decide
from domain.events import (
    FundsDeposited,
    OrderCancelled,
    OrderCancelRequested,
    OrderEvent,
    OrderPlaced,
    OrderUnprotected,
)
from domain.exits import Exits, concerned, consequences, exits_of
from domain.lifecycle import Flag, Status
from domain.order import Order
from domain.values import Currency, FillId, Money, OrderId, OrderType, Side, TimeInForce
from tests.domain.conftest import after
from tests.domain.orders import (
    ACME,
    CANCELLED,
    EXPIRED,
    ORDER_ID,
    REJECTED,
    accepted,
    bust,
    busted,
    corrected,
    correction,
    fill,
    filled,
    place,
    placed,
    price_of,
    sent,
    units,
    wish,
)
from tests.domain.trader import Trader

NEXT_ID = OrderId("5f0c3a5e-7d1b-4a5e-8f0e-2b9d8c7a6e51")
BRACKET = placed(stop_loss=price_of(8), take_profit=price_of(12))
FIRST = exits_of(ORDER_ID, FillId("f-1"))
PART = filled(40, 40, Status.PARTIALLY_FILLED)
ENOUGH = Account(holdings={ACME: Holding(quantity=units(1000))})
NOBODY: dict[OrderId, Order | None] = {}


def exit_placed(exit_id: OrderId, other: OrderId | None, quantity: int = 40, **changes: Any) -> OrderPlaced:
    is_limit = exit_id == FIRST.take_profit
    terms = {
        "order_id": exit_id,
        "client_order_id": exit_id,
        "side": Side.SELL,
        "quantity": units(quantity),
        "order_type": OrderType.LIMIT if is_limit else OrderType.STOP,
        "price": price_of(12) if is_limit else None,
        "stop_price": None if is_limit else price_of(8),
        "time_in_force": TimeInForce.GTC,
        "reference_price": price_of(12 if is_limit else 8),
        "reserve_price": None,
        "parent_order_id": ORDER_ID,
        "oco_order_id": other,
    }
    return placed(**terms | changes)


TAKE_PROFIT = exit_placed(FIRST.take_profit, FIRST.stop_loss)
STOP_LOSS = exit_placed(FIRST.stop_loss, FIRST.take_profit)


def led_to(
    entry: OrderPlaced,
    before: list[OrderEvent],
    event: OrderEvent,
    others: dict[OrderId, Order | None] = NOBODY,
    account: Account = ENOUGH,
) -> list[tuple[OrderId, OrderEvent]]:
    order = orders.evolve(after(entry, sent(), accepted(), *before), event)
    return consequences(order, event, account, others)


def unprotected(
    reason: str, status: Status, *, fill_id: str | None = None, exit_order_id: OrderId | None = None
) -> OrderUnprotected:
    return OrderUnprotected(
        fill_id=None if fill_id is None else FillId(fill_id),
        exit_order_id=exit_order_id,
        reason=reason,
        status=status,
        flags=(Flag.UNPROTECTED,),
    )


# ── What a fill brings ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_ids_of_exits_follow_from_the_fill_and_are_all_different() -> None:
    assert exits_of(ORDER_ID, FillId("f-1")) == FIRST
    second, elsewhere = exits_of(ORDER_ID, FillId("f-2")), exits_of(OrderId("other"), FillId("f-1"))
    assert len({*_ids(FIRST), *_ids(second), *_ids(elsewhere)}) == 6


def test_a_fill_brings_a_pair_of_which_one_cancels_the_other() -> None:
    assert led_to(BRACKET, [], PART) == [(FIRST.take_profit, TAKE_PROFIT), (FIRST.stop_loss, STOP_LOSS)]


def test_one_wish_brings_one_order() -> None:
    alone = replace(STOP_LOSS, oco_order_id=None)
    assert led_to(placed(stop_loss=price_of(8)), [], PART) == [(FIRST.stop_loss, alone)]
    alone = replace(TAKE_PROFIT, oco_order_id=None)
    assert led_to(placed(take_profit=price_of(12)), [], PART) == [(FIRST.take_profit, alone)]


def test_a_fill_of_an_order_without_exits_brings_none() -> None:
    assert led_to(placed(), [], PART) == []


def test_each_fill_brings_exits_for_just_its_own_quantity() -> None:
    second = filled(60, 100, Status.FILLED, fill_id="f-2")
    (take_profit, stop_loss) = led_to(BRACKET, [PART], second)
    for exit_id, event in (take_profit, stop_loss):
        assert isinstance(event, OrderPlaced)
        assert (event.order_id, event.quantity) == (exit_id, 60)
    assert {take_profit[0], stop_loss[0]} == set(_ids(exits_of(ORDER_ID, FillId("f-2"))))


def test_an_exit_that_is_there_already_is_not_placed_again() -> None:
    others: dict[OrderId, Order | None] = {FIRST.take_profit: working(TAKE_PROFIT), FIRST.stop_loss: None}
    assert led_to(BRACKET, [], PART, others) == [(FIRST.stop_loss, STOP_LOSS)]


@pytest.mark.parametrize("end", [CANCELLED, REJECTED, EXPIRED])
def test_a_late_fill_is_protected_too(end: OrderEvent) -> None:
    late = filled(40, 40, end.status, leaves=0, flags=(Flag.LATE_FILL,))
    assert len(led_to(BRACKET, [end], late)) == 2


def test_what_is_not_there_cannot_be_protected_and_its_trader_is_told() -> None:
    holding = Holding(quantity=units(50), working_sells=units(20))
    ((order_id, event),) = led_to(BRACKET, [], PART, account=Account(holdings={ACME: holding}))
    reason = "its exits need 40 ACME; available: 30"
    assert (order_id, event) == (ORDER_ID, unprotected(reason, Status.PARTIALLY_FILLED, fill_id="f-1"))


def test_other_events_of_a_protected_order_bring_nothing() -> None:
    assert led_to(BRACKET, [], CANCELLED) == []
    assert led_to(BRACKET, [], REJECTED) == []


# ── Fills that change ────────────────────────────────────────────────────────────────────────────────────────────────


def working(exit_terms: OrderPlaced) -> Order:
    return after(exit_terms, sent(), accepted())


def test_a_bust_takes_its_exits_back() -> None:
    others: dict[OrderId, Order | None] = {
        FIRST.take_profit: working(TAKE_PROFIT),
        FIRST.stop_loss: after(STOP_LOSS),  # not at the venue yet
    }
    asked = OrderCancelRequested(status=Status.PENDING_CANCEL)
    here = OrderCancelled(reason="cancelled before it was sent to the venue", status=Status.CANCELLED)
    told = unprotected("a fill was taken back, and its exits are cancelled", Status.ACCEPTED, fill_id="f-1")
    assert led_to(BRACKET, [PART], busted(40, 0, Status.ACCEPTED), others) == [
        (FIRST.take_profit, asked),
        (FIRST.stop_loss, here),
        (ORDER_ID, told),
    ]


def test_exits_that_are_over_or_were_never_placed_are_left_alone() -> None:
    others: dict[OrderId, Order | None] = {
        FIRST.take_profit: orders.evolve(working(TAKE_PROFIT), CANCELLED),
        FIRST.stop_loss: None,
    }
    ((order_id, event),) = led_to(BRACKET, [PART], busted(40, 0, Status.ACCEPTED), others)
    assert (order_id, type(event)) == (ORDER_ID, OrderUnprotected)


def test_a_corrected_quantity_takes_the_exits_back_and_a_corrected_price_does_not() -> None:
    others: dict[OrderId, Order | None] = {FIRST.take_profit: working(TAKE_PROFIT), FIRST.stop_loss: None}
    cancel, told = led_to(BRACKET, [PART], corrected((40, 10), (30, 10), 30, Status.PARTIALLY_FILLED), others)
    assert cancel[0] == FIRST.take_profit
    reason = "a fill was corrected to another quantity, and its exits are cancelled"
    assert told == (ORDER_ID, unprotected(reason, Status.PARTIALLY_FILLED, fill_id="f-1"))
    assert led_to(BRACKET, [PART], corrected((40, 10), (40, 9), 40, Status.PARTIALLY_FILLED), others) == []


def test_a_correction_before_its_fill_brings_the_exits_that_the_fill_would_have_brought() -> None:
    first = corrected((0, 0), (30, 10), 30, Status.PARTIALLY_FILLED)
    assert led_to(BRACKET, [], first) == [
        (FIRST.take_profit, replace(TAKE_PROFIT, quantity=units(30))),
        (FIRST.stop_loss, replace(STOP_LOSS, quantity=units(30))),
    ]


def test_a_bust_before_its_fill_brings_nothing() -> None:
    assert led_to(BRACKET, [], busted(0, 0, Status.ACCEPTED)) == []


def test_what_a_trader_was_told_of_a_fill_is_not_said_again() -> None:
    told = unprotected("told before", Status.PARTIALLY_FILLED, fill_id="f-1")
    assert led_to(BRACKET, [PART, told], busted(40, 0, Status.ACCEPTED)) == []


# ── Exits that fail ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("end", "what"), [(REJECTED, "REJECTED: no"), (EXPIRED, "EXPIRED: close")])
def test_an_exit_that_fails_leaves_its_entry_unprotected(end: OrderEvent, what: str) -> None:
    entry = after(BRACKET, sent(), accepted(), PART)
    exit_order = orders.evolve(working(STOP_LOSS), end)
    told = unprotected(f"its exit is {what}", Status.PARTIALLY_FILLED, exit_order_id=FIRST.stop_loss)
    assert consequences(exit_order, end, ENOUGH, {ORDER_ID: entry}) == [(ORDER_ID, told)]
    again = orders.evolve(entry, told)
    assert (again.flags, again.unprotected, again.status) == (
        (Flag.UNPROTECTED,),
        (FIRST.stop_loss,),
        Status.PARTIALLY_FILLED,
    )
    assert consequences(exit_order, end, ENOUGH, {ORDER_ID: again}) == []


def test_an_exit_that_ends_as_it_should_leaves_its_entry_alone() -> None:
    entry = after(BRACKET, sent(), accepted(), PART)
    exit_order = orders.evolve(working(STOP_LOSS), CANCELLED)
    assert consequences(exit_order, CANCELLED, ENOUGH, {ORDER_ID: entry}) == []


def test_an_order_that_protects_nothing_may_fail_without_anybody_else() -> None:
    assert led_to(placed(), [], REJECTED) == []
    assert consequences(orders.evolve(working(STOP_LOSS), REJECTED), REJECTED, ENOUGH, {ORDER_ID: None}) == []


# ── Whom a command concerns ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", [fill(40), bust(), correction(30)])
def test_facts_about_a_fill_concern_its_exits(command: OrderCommand) -> None:
    assert concerned(BRACKET, command) == (FIRST.take_profit, FIRST.stop_loss)
    assert concerned(placed(), command) == ()


@pytest.mark.parametrize("command", [RecordRejection("1", "no"), RecordNeverArrived("gone"), RecordExpiry("x")])
def test_the_failure_of_an_exit_concerns_what_it_protects(command: OrderCommand) -> None:
    assert concerned(TAKE_PROFIT, command) == (ORDER_ID,)
    assert concerned(BRACKET, command) == ()


@pytest.mark.parametrize(
    "command", [CancelOrder(), wish(quantity=50), RecordSent(1), RecordAcceptance("v"), RecordCancellation("x")]
)
def test_other_commands_concern_nobody_else(command: OrderCommand) -> None:
    assert concerned(BRACKET, command) == concerned(TAKE_PROFIT, command) == ()


def test_an_exit_is_decided_like_any_other_order() -> None:
    order = working(TAKE_PROFIT)
    assert decide(order, CancelOrder()) == [OrderCancelRequested(status=Status.PENDING_CANCEL)]


def _ids(exits: Any) -> tuple[OrderId, OrderId]:
    return exits.take_profit, exits.stop_loss


def bracketed(order_id: OrderId) -> PlaceOrder:
    return place(
        order_id=order_id,
        client_order_id=order_id,
        quantity=units(40),
        stop_loss=price_of(8),
        take_profit=price_of(12),
    )


def with_a_pair_at_the_venue(trader: Trader) -> Exits:
    trader.account = accounts.evolve(
        trader.account, FundsDeposited(amount=Money(units(100_000)), currency=Currency.USD)
    )
    trader.carry_out(ORDER_ID, bracketed(ORDER_ID))
    trader.carry_out(ORDER_ID, RecordSent(1))
    trader.carry_out(ORDER_ID, fill(40, "entry"))
    exits = exits_of(ORDER_ID, FillId("entry"))
    for number, exit_id in enumerate((exits.take_profit, exits.stop_loss)):
        trader.carry_out(exit_id, RecordSent(1))
        trader.carry_out(exit_id, RecordAcceptance(f"v-{number}"))
    return exits


def test_a_fill_is_protected_while_the_end_of_another_pair_is_on_its_way() -> None:
    trader = Trader()
    exits = with_a_pair_at_the_venue(trader)
    trader.carry_out(NEXT_ID, bracketed(NEXT_ID))
    trader.carry_out(NEXT_ID, RecordSent(1))
    # The price falls. The venue has cancelled the take profit with this, but its report of that comes second.
    trader.carry_out(exits.stop_loss, fill(40, "stop loss", price=8))
    trader.carry_out(NEXT_ID, fill(40, "next entry"))
    assert Flag.UNPROTECTED not in trader.orders[NEXT_ID].flags


def test_what_a_leg_fills_or_gives_back_its_counterpart_holds_less_or_more() -> None:
    trader = Trader()
    exits = with_a_pair_at_the_venue(trader)
    assert trader.account.holding(ACME).working_sells == 40
    trader.carry_out(exits.stop_loss, fill(15, "part", price=8))
    assert trader.account.holding(ACME).working_sells == 25
    trader.carry_out(exits.take_profit, fill(5, "other part", price=12))
    assert trader.account.holding(ACME).working_sells == 20
    trader.carry_out(exits.stop_loss, correction(10, "8", "part", "part-1"))
    assert trader.account.holding(ACME).working_sells == 25
    trader.carry_out(exits.stop_loss, bust("part-1"))
    assert trader.account.holding(ACME).working_sells == 35
    trader.carry_out(exits.take_profit, RecordCancellation("as asked"))
    assert trader.account.holding(ACME).working_sells == 0
    trader.carry_out(exits.stop_loss, fill(35, "late", price=8))
    assert trader.orders[exits.take_profit].status is Status.CANCELLED


def test_a_bust_of_what_a_leg_never_filled_takes_nothing_from_its_counterpart() -> None:
    trader = Trader()
    exits = with_a_pair_at_the_venue(trader)
    trader.carry_out(exits.stop_loss, bust("unseen"))
    assert trader.account.holding(ACME).working_sells == 40


def test_a_leg_whose_counterpart_is_not_known_fills_all_the_same() -> None:
    trader = Trader()
    exits = with_a_pair_at_the_venue(trader)
    leg = trader.orders[exits.stop_loss]
    (event,) = decide(leg, fill(40, "stop loss", price=8))
    assert consequences(orders.evolve(leg, event), event, trader.account, {}) == []
