"""Trades that are taken back or corrected."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.account import OPENING_CASH
from infrastructure.exchanges.paper.commands import Bust, EndDay
from infrastructure.exchanges.paper.orders import Order, Status
from infrastructure.exchanges.paper.refusals import ExecutionNotFound, NotRevisable, Refusal
from tests.infrastructure.exchanges.paper.floor import OPENING, Floor


@pytest.fixture
def floor() -> Floor:
    return Floor()


def state(order: Order) -> tuple[object, ...]:
    """The status of an order, what it has filled, and what still works."""
    return order.status, order.filled_quantity, order.leaves


def half_filled(floor: Floor) -> None:
    """An order for 4000 that got 1000 at 190.01 and 2000 at 190.02, and rests."""
    floor.place("buy", "4000", limit="190.02")


def test_a_bust_of_an_open_order_gives_it_more_to_do(floor: Floor) -> None:
    half_filled(floor)
    assert floor.bust(1) == ["trade_bust o1 1000 @ 190.01"]
    order = floor.order("o1")
    assert state(order) == (Status.PARTIALLY_FILLED, 2000, 2000)
    assert order.average_price == Decimal("190.02")
    assert floor.move("190") == ["fill o1 2000 @ 190.02"]


def test_a_bust_of_all_that_was_filled_leaves_a_new_order(floor: Floor) -> None:
    half_filled(floor)
    floor.bust(1)
    floor.bust(2)
    order = floor.order("o1")
    assert state(order) == (Status.NEW, 0, 4000)
    assert order.average_price is None
    assert order.filled_at is not None


def test_a_bust_of_a_filled_order_puts_it_back_to_work(floor: Floor) -> None:
    floor.place("buy", "10", limit="185")
    floor.move("184")
    floor.move("190")
    assert floor.bust(1) == ["trade_bust o1 10 @ 185"]
    assert state(floor.order("o1")) == (Status.NEW, 0, 10)
    assert floor.exchange.orders.open() == [floor.order("o1")]
    assert floor.exchange.account.buying_power == OPENING_CASH - 1850
    assert floor.move("185") == []
    assert floor.move("184.98") == ["fill o1 10 @ 185"]


def test_an_order_back_at_work_may_trade_at_once(floor: Floor) -> None:
    floor.place("buy", "10")
    assert floor.bust(1) == ["trade_bust o1 10 @ 190.01", "fill o1 10 @ 190.01"]
    assert floor.exchange.account.quantity("AAPL") == 10


def test_a_bust_puts_an_order_at_the_end_of_the_queue(floor: Floor) -> None:
    floor.place("buy", "10", limit="190")
    floor.place("sell", "4", limit="190")
    floor.place("buy", "10", limit="190")
    floor.bust(1)
    assert floor.place("sell", "15", limit="190") == [
        "new o4",
        "fill o3 10 @ 190",
        "partial_fill o4 10 @ 190",
        "partial_fill o1 5 @ 190",
        "fill o4 5 @ 190",
    ]


def test_a_bust_after_the_end_of_an_order_does_not_bring_it_back(floor: Floor) -> None:
    half_filled(floor)
    floor.cancel("o1")
    assert floor.bust(2) == ["trade_bust o1 2000 @ 190.02"]
    assert state(floor.order("o1")) == (Status.CANCELED, 1000, 0)
    assert floor.move("180") == []


def test_an_order_whose_day_is_over_expires_when_its_fill_is_taken_back(floor: Floor) -> None:
    floor.place("buy", "10", limit="190.01")
    day_after = OPENING + timedelta(days=1)
    floor.do(lambda _at: EndDay(day_after))
    assert floor.do(lambda _at: Bust(day_after, floor.execution_id(1))) == [
        "trade_bust o1 10 @ 190.01",
        "expired o1",
    ]
    assert floor.exchange.account.buying_power == OPENING_CASH


def test_the_books_follow_a_bust() -> None:
    floor = Floor(commission="0.01")
    floor.place("buy", "10", limit="190.01", tif="ioc")
    floor.move("200")
    floor.place("buy", "10", limit="200.01", tif="ioc")
    floor.end_day()
    floor.place("sell", "5")
    floor.move("100")
    account = floor.exchange.account
    # The second purchase was immediate or cancelled: it comes back, and finds no price it accepts.
    floor.move("300")
    assert floor.bust(2) == ["trade_bust o2 10 @ 200.01", "canceled o2"]
    update = floor.updates[-2]
    assert update.fill is not None
    assert (update.fill.commission, update.fill.position) == (Decimal("0.1"), Decimal(5))
    assert update.previous_execution_id == floor.execution_id(2) != update.execution_id
    assert account.cash == OPENING_CASH - 10 * Decimal("190.01") + 5 * Decimal("199.99") - Decimal("0.15")
    assert account.positions["AAPL"].average_price == Decimal("190.01")
    floor.bust(3)
    assert account.quantity("AAPL") == 10 - 5  # sold again at once
    assert account.cash == OPENING_CASH - 10 * Decimal("190.01") + 5 * Decimal("299.99") - Decimal("0.15")


def test_a_position_that_rested_on_one_trade_is_gone_with_it(floor: Floor) -> None:
    floor.place("buy", "10", limit="190.01")
    floor.move("300")
    floor.bust(1)
    assert floor.exchange.account.positions == {}
    assert floor.exchange.account.cash == OPENING_CASH


def test_a_correction_of_the_price_changes_the_average_and_the_cash(floor: Floor) -> None:
    floor.place("buy", "10")
    assert floor.correct(1, price="180.5") == ["trade_correct o1 10 @ 180.5"]
    order = floor.order("o1")
    assert state(order) == (Status.FILLED, 10, 0)
    assert order.average_price == Decimal("180.5")
    assert floor.exchange.account.cash == OPENING_CASH - 1805
    assert floor.exchange.account.positions["AAPL"].average_price == Decimal("180.5")


def test_a_correction_to_less_puts_the_rest_back_to_work() -> None:
    floor = Floor(commission="0.01")
    floor.place("buy", "10", limit="190.01")
    floor.move("200")
    assert floor.correct(1, quantity="4") == ["trade_correct o1 4 @ 190.01"]
    assert state(floor.order("o1")) == (Status.PARTIALLY_FILLED, 4, 6)
    assert floor.exchange.account.cash == OPENING_CASH - 4 * Decimal("190.02")
    assert floor.move("190") == ["fill o1 6 @ 190.01"]


def test_a_correction_to_more_leaves_less_to_do(floor: Floor) -> None:
    half_filled(floor)
    assert floor.correct(1, quantity="1500", price="190") == ["trade_correct o1 1500 @ 190"]
    assert state(floor.order("o1")) == (Status.PARTIALLY_FILLED, 3500, 500)
    assert floor.move("190") == ["fill o1 500 @ 190.02"]


def test_a_correction_may_fill_an_order(floor: Floor) -> None:
    half_filled(floor)
    assert floor.correct(2, quantity="3000") == ["trade_correct o1 3000 @ 190.02"]
    assert state(floor.order("o1")) == (Status.FILLED, 4000, 0)
    assert floor.move("180") == []
    # The house could not sell below an order that wanted to buy.
    assert floor.place("buy", "1", limit="180.01") == ["new o2", "fill o2 1 @ 180.01"]


def test_a_correction_goes_by_its_own_id_from_then_on(floor: Floor) -> None:
    floor.place("buy", "10", limit="190.01")
    floor.move("200")
    floor.correct(1, quantity="4")
    with pytest.raises(NotRevisable, match=f"the execution was corrected and goes by {floor.execution_id(2)} now"):
        floor.bust(1)
    assert floor.correct(2, quantity="5") == ["trade_correct o1 5 @ 190.01"]
    assert floor.bust(3) == ["trade_bust o1 5 @ 190.01"]
    assert [update.previous_execution_id for update in floor.exchange.fills] == [
        None,
        *map(floor.execution_id, (1, 2, 3)),
    ]
    assert state(floor.order("o1")) == (Status.NEW, 0, 10)


def test_fills_that_a_replacement_carries_are_taken_back_from_it_too(floor: Floor) -> None:
    half_filled(floor)
    floor.replace("o1", quantity="3500")
    floor.replace("o2", quantity="3600")
    assert floor.bust(1) == ["trade_bust o1 1000 @ 190.01", "restated o3 3600"]
    assert state(floor.order("o1")) == (Status.REPLACED, 2000, 0)
    assert state(floor.order("o2")) == (Status.REPLACED, 2000, 0)
    assert state(floor.order("o3")) == (Status.PARTIALLY_FILLED, 2000, 1600)
    assert floor.move("190") == ["fill o3 1600 @ 190.02"]
    assert floor.bust(2)[:2] == ["trade_bust o1 2000 @ 190.02", "restated o3 3600"]


def test_a_fill_of_a_replacement_is_none_of_its_predecessor(floor: Floor) -> None:
    floor.place("buy", "10", limit="185")
    floor.replace("o1", limit="190.01")
    floor.move("200")
    assert floor.bust(1) == ["trade_bust o2 10 @ 190.01"]
    assert state(floor.order("o1")) == (Status.REPLACED, 0, 0)


def test_a_bust_in_a_pair_gives_both_more_to_do(floor: Floor) -> None:
    floor.pair("sell", "10", limit="190", stop="185")
    floor.place("buy", "3", limit="190")
    assert floor.bust(1) == ["trade_bust o1 3 @ 190", "restated o2 10"]
    assert floor.move("185") == ["fill o2 10 @ 184.99", "canceled o1"]


def test_a_correction_in_a_pair_may_end_both(floor: Floor) -> None:
    floor.pair("sell", "10", limit="190", stop="185")
    floor.place("buy", "3", limit="190")
    assert floor.correct(1, quantity="10") == ["trade_correct o1 10 @ 190", "canceled o2"]


def test_an_order_of_a_pair_that_comes_back_works_alone(floor: Floor) -> None:
    floor.place("buy", "10")
    floor.pair("sell", "10", limit="195", stop="185")
    floor.move("196")
    floor.move("190")
    assert floor.bust(2) == ["trade_bust o2 10 @ 195"]
    assert floor.order("o3").status is Status.CANCELED
    account = floor.exchange.account
    assert (account.quantity("AAPL"), account.available("AAPL")) == (Decimal(10), Decimal(0))
    assert floor.move("180") == []
    assert floor.replace("o2", limit="179") == ["replaced o2", "new o4", "fill o4 10 @ 179.99"]


def test_a_leg_that_comes_back_trades_at_once_and_holds_what_it_needs(floor: Floor) -> None:
    floor.pair("sell", "20000", limit="195", stop="185")
    floor.pair("sell", "10", limit="195", stop="185")
    floor.move("185")
    assert floor.order("o4").status is Status.FILLED
    assert floor.bust(6) == ["trade_bust o4 10 @ 184.99", "fill o4 10 @ 184.99"]
    assert not floor.order("o4").is_covered
    # What was cancelled for want of a counterpart stays cancelled.
    assert floor.bust(1) == ["trade_bust o2 1000 @ 184.99"]
    assert state(floor.order("o2")) == (Status.CANCELED, 14_000, 0)


@pytest.mark.parametrize(
    ("action", "refusal", "message"),
    [
        (lambda f: f.bust(9), ExecutionNotFound, "execution not found for 00000000-0000-0000-0000-000000000000"),
        (lambda f: f.correct(9, price="1"), ExecutionNotFound, "execution not found"),
        (lambda f: f.bust(2), NotRevisable, "the execution was busted already"),
        (lambda f: f.correct(2, price="1"), NotRevisable, "the execution was busted already"),
        (lambda f: f.bust(3), NotRevisable, "the execution was busted already"),
        (lambda f: f.correct(1), NotRevisable, "the execution is not changed"),
        (lambda f: f.correct(1, "1000.0", "190.010"), NotRevisable, "the execution is not changed"),
        (
            lambda f: f.correct(1, quantity="4000.5"),
            NotRevisable,
            "qty must be <= 4000: no order trades more than it wants",
        ),
    ],
)
def test_what_cannot_be_taken_back_is_refused_and_changes_nothing(
    floor: Floor, action: Callable[[Floor], object], refusal: type[Refusal], message: str
) -> None:
    half_filled(floor)
    floor.bust(2)
    account, count = floor.exchange.account, len(floor.exchange.fills)
    before = (account.cash, account.quantity("AAPL"), floor.order("o1"))
    with pytest.raises(refusal, match=message.replace(".", r"\.")):
        action(floor)
    assert (account.cash, account.quantity("AAPL"), floor.order("o1")) == before
    assert len(floor.exchange.fills) == count


def test_an_execution_that_never_was_cannot_be_applied(floor: Floor) -> None:
    with pytest.raises(KeyError):
        floor.exchange.apply(Bust(OPENING, "none"))
