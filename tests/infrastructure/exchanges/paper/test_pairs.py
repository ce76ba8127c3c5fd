"""Two orders of which one cancels the other."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.account import OPENING_CASH
from infrastructure.exchanges.paper.commands import OrderType
from infrastructure.exchanges.paper.orders import Order, OrderClass, Status
from infrastructure.exchanges.paper.refusals import ClientOrderIdTaken, NotReplaceable, PriceOffIncrement, Refusal
from tests.infrastructure.exchanges.paper.floor import Floor


@pytest.fixture
def floor() -> Floor:
    """A pair that takes its profit at 190, where a part of it may be bought, and stops its loss at 185."""
    floor = Floor()
    assert floor.pair("sell", "10", limit="190", stop="185") == ["new o1", "new o2"]
    return floor


def works(order: Order) -> tuple[object, ...]:
    """The quantity an order shows and what of it still works."""
    return order.quantity, order.leaves


def test_a_pair_is_two_orders_for_the_same_quantity(floor: Floor) -> None:
    main, leg = floor.order("o1"), floor.order("o2")
    assert main.order_class is leg.order_class is OrderClass.OCO
    assert (main.type, main.limit_price, main.stop_price) == (OrderType.LIMIT, Decimal(190), None)
    assert (leg.type, leg.limit_price, leg.stop_price) == (OrderType.STOP, None, Decimal(185))
    assert works(main) == works(leg) == (10, 10)
    assert main.submitted_at < leg.submitted_at <= floor.exchange.last_at
    assert floor.updates[0].leg == leg
    assert floor.updates[1].leg is None


def test_a_fill_of_the_limit_order_cancels_the_stop_order(floor: Floor) -> None:
    assert floor.move("191") == ["fill o1 10 @ 190", "canceled o2"]
    assert floor.move("180") == []


def test_a_fill_of_the_stop_order_cancels_the_limit_order(floor: Floor) -> None:
    assert floor.move("185") == ["fill o2 10 @ 184.99", "canceled o1"]
    assert floor.move("200") == []


def test_a_partial_fill_of_one_reduces_the_other_by_as_much(floor: Floor) -> None:
    assert floor.place("buy", "3", limit="190") == [
        "new o3",
        "partial_fill o1 3 @ 190",
        "restated o2 7",
        "fill o3 3 @ 190",
    ]
    assert (works(floor.order("o1")), works(floor.order("o2"))) == ((10, 7), (7, 7))
    assert floor.move("185") == ["fill o2 7 @ 184.99", "canceled o1"]
    assert floor.exchange.account.quantity("AAPL") == -7
    assert floor.order("o1").status is Status.CANCELED


def test_a_stop_order_that_fills_in_parts_reduces_the_limit_order() -> None:
    floor = Floor()
    floor.pair("sell", "4000", limit="195", stop="185")
    assert floor.move("185") == [
        "partial_fill o2 1000 @ 184.99",
        "restated o1 3000",
        "partial_fill o2 2000 @ 184.98",
        "restated o1 1000",
        "fill o2 1000 @ 184.97",
        "canceled o1",
    ]


def test_a_stop_order_that_finds_no_counterpart_for_all_of_it_takes_the_limit_order_with_it() -> None:
    floor = Floor()
    floor.pair("sell", "20000", limit="195", stop="185")
    assert floor.move("185")[-4:] == ["partial_fill o2 5000 @ 184.95", "restated o1 5000", "canceled o2", "canceled o1"]


def test_an_order_that_is_restated_keeps_its_place_in_the_queue() -> None:
    floor = Floor()
    floor.pair("sell", "10", limit="190", stop="185")
    floor.place("sell", "1", stop="185")
    floor.place("buy", "3", limit="190")
    assert floor.move("185") == ["fill o2 7 @ 184.99", "canceled o1", "fill o3 1 @ 184.99"]


@pytest.mark.parametrize("prices", [["191", "184"], ["184", "191"]])
def test_both_together_never_trade_more_than_one_could(prices: list[str]) -> None:
    floor = Floor()
    floor.pair("sell", "10", limit="190.5", stop="189.5")
    for price in prices:
        floor.move(price)
    assert floor.exchange.account.quantity("AAPL") == -10


def test_both_trade_on_one_command_and_still_not_more_than_one_could() -> None:
    floor = Floor()
    floor.move("190.05")
    floor.place("buy", "1")
    floor.pair("sell", "10", limit="190.05", stop="190.02")
    floor.place("sell", "4000", stop="190.05")
    # The limit order trades, which wakes the large stop order, which moves the price down to the leg.
    assert floor.place("buy", "3", limit="190.05") == [
        "new o5",
        "partial_fill o2 3 @ 190.05",
        "restated o3 7",
        "fill o5 3 @ 190.05",
        "partial_fill o4 1000 @ 190.04",
        "partial_fill o4 2000 @ 190.03",
        "fill o4 1000 @ 190.02",
        "fill o3 7 @ 190.04",
        "canceled o2",
    ]


def test_a_limit_order_that_fills_in_parts_at_once_leaves_its_leg_the_rest() -> None:
    floor = Floor()
    assert floor.pair("sell", "4000", limit="189.98", stop="185") == [
        "new o1",
        "new o2",
        "partial_fill o1 1000 @ 189.99",
        "restated o2 3000",
        "partial_fill o1 2000 @ 189.98",
        "restated o2 1000",
    ]
    assert floor.move("185") == ["fill o2 1000 @ 184.99", "canceled o1"]


def test_a_limit_order_that_fills_at_once_leaves_its_leg_nothing() -> None:
    floor = Floor()
    assert floor.pair("sell", "4", limit="189", stop="185") == ["new o1", "new o2", "fill o1 4 @ 189.99", "canceled o2"]
    assert floor.move("180") == []


def test_a_stop_price_that_is_reached_already_fills_the_leg_at_once() -> None:
    floor = Floor()
    assert floor.pair("sell", "4", limit="195", stop="191") == ["new o1", "new o2", "fill o2 4 @ 189.99", "canceled o1"]


@pytest.mark.parametrize(("name", "other"), [("o1", "o2"), ("o2", "o1")])
def test_whoever_is_cancelled_takes_the_other_with_it(floor: Floor, name: str, other: str) -> None:
    assert floor.cancel(name) == [f"canceled {name}", f"canceled {other}"]
    assert floor.move("200") == floor.move("180") == []


def test_a_pair_ends_with_its_day() -> None:
    floor = Floor()
    floor.pair("sell", "10", limit="195", stop="185", tif="day")
    floor.place("sell", "1", limit="195")
    assert floor.end_day() == ["expired o1", "canceled o2", "expired o3"]


def test_a_pair_is_rejected_together() -> None:
    floor = Floor()
    assert floor.pair("sell", "10", "195", "185", rejected_because="halted") == [
        "new o1",
        "new o2",
        "rejected o1",
        "canceled o2",
    ]
    assert floor.move("180") == []


def test_the_position_is_held_back_once_for_both(floor: Floor) -> None:
    account = floor.exchange.account
    floor.place("buy", "30", limit="191")
    assert account.quantity("AAPL") == account.available("AAPL") == 20
    floor.pair("sell", "20", limit="195", stop="185")
    assert account.available("AAPL") == 0
    floor.place("sell", "5", limit="194")
    floor.cancel("o4")
    assert account.available("AAPL") == 15


def test_the_cash_is_held_back_once_for_both() -> None:
    floor = Floor()
    account = floor.exchange.account
    floor.pair("buy", "10", limit="185", stop="195")
    assert account.buying_power == OPENING_CASH - 1850
    floor.replace("o2", stop="196")
    assert account.buying_power == OPENING_CASH - 1850
    floor.replace("o1", limit="180")
    assert account.buying_power == OPENING_CASH - 1800
    floor.cancel("o3")
    assert account.buying_power == OPENING_CASH


@pytest.mark.parametrize(
    ("name", "limit", "stop", "rest"),
    [
        ("o1", "192", None, ["fill o3 10 @ 192", "canceled o2"]),
        ("o2", None, "186", ["fill o3 10 @ 185.99", "canceled o1"]),
    ],
)
def test_a_replacement_stays_in_the_pair(
    floor: Floor, name: str, limit: str | None, stop: str | None, rest: list[str]
) -> None:
    assert floor.replace(name, limit=limit, stop=stop) == [f"replaced {name}", "new o3"]
    old, new = floor.order(name), floor.order("o3")
    assert (old.sibling, new.order_class, new.is_leg) == (None, OrderClass.OCO, old.is_leg)
    assert floor.move("193" if name == "o1" else "186") == rest


def test_the_order_that_was_not_replaced_reduces_the_replacement_and_the_other_way_round(floor: Floor) -> None:
    floor.replace("o2", stop="186")
    assert floor.place("buy", "3", limit="190")[1:3] == ["partial_fill o1 3 @ 190", "restated o3 7"]
    floor.replace("o1", limit="189.98")
    assert works(floor.order("o5")) == (10, 0)
    assert floor.order("o3").status is Status.CANCELED


def test_a_replacement_of_what_was_restated_goes_on_with_what_is_left(floor: Floor) -> None:
    floor.place("buy", "3", limit="190")
    floor.replace("o2", stop="186")
    assert works(floor.order("o4")) == (7, 7)
    assert floor.move("186") == ["fill o4 7 @ 185.99", "canceled o1"]


@pytest.mark.parametrize(
    ("action", "refusal", "message"),
    [
        (lambda f: f.replace("o1", quantity="9", limit="191"), NotReplaceable, "qty of oco orders cannot be replaced"),
        (lambda f: f.replace("o2", quantity="9"), NotReplaceable, "qty of oco orders cannot be replaced"),
        (lambda f: f.replace("o1", quantity="10"), NotReplaceable, "order parameters are not changed"),
        (lambda f: f.replace("o2", limit="180"), NotReplaceable, "stop orders require no limit price"),
        (lambda f: f.pair("sell", "1", "195", "185", leg_name="o1"), ClientOrderIdTaken, "must be unique"),
        (lambda f: f.pair("sell", "1", "195", "185.001"), PriceOffIncrement, "stop_price 185.001"),
    ],
)
def test_what_does_not_fit_a_pair_is_refused(
    floor: Floor, action: Callable[[Floor], object], refusal: type[Refusal], message: str
) -> None:
    with pytest.raises(refusal, match=message.replace(".", r"\.")):
        action(floor)
    assert len(floor.exchange.orders) == 2


def test_the_same_quantity_again_is_no_other_quantity(floor: Floor) -> None:
    assert floor.replace("o1", quantity="10.0", limit="191") == ["replaced o1", "new o3"]


def test_the_leg_of_a_buy_is_replaced_without_buying_power_of_its_own() -> None:
    floor = Floor()
    floor.pair("buy", "5000000000", limit="190", stop="195")
    assert floor.replace("o2", stop="199") == ["replaced o2", "new o3"]
