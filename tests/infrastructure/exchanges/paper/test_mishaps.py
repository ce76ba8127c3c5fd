"""What the exchange does on purpose that no exchange should: what it said is not what it did."""

from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.account import OPENING_CASH
from infrastructure.exchanges.paper.orders import Order, Status
from infrastructure.exchanges.paper.refusals import ClientOrderIdTaken, InsufficientBuyingPower, NotReplaceable
from tests.infrastructure.exchanges.paper.floor import Floor


@pytest.fixture
def floor() -> Floor:
    """An order to buy 10 at 185."""
    floor = Floor()
    floor.place("buy", "10", limit="185")
    return floor


def state(order: Order) -> tuple[object, ...]:
    """The status of an order, what it has filled, and what still works."""
    return order.status, order.filled_quantity, order.leaves


def test_a_cancel_may_be_taken_in_and_then_refused(floor: Floor) -> None:
    assert floor.cancel("o1", refused_because="TOO_LATE_TO_CANCEL") == ["order_cancel_rejected o1"]
    assert floor.updates[-1].reason == "TOO_LATE_TO_CANCEL"
    assert floor.move("184") == ["fill o1 10 @ 185"]


def test_a_replacement_may_be_taken_in_and_then_refused() -> None:
    floor = Floor()
    floor.place("buy", "4000", limit="190.02")
    power = floor.exchange.account.buying_power
    assert floor.replace("o1", limit="190.03", refused_because="no") == ["order_replace_rejected o1"]
    assert floor.updates[-1].reason == "no"
    assert state(floor.order("o1")) == (Status.PARTIALLY_FILLED, 3000, 1000)
    refused = floor.order("o2")
    assert state(refused) == (Status.REJECTED, 0, 0)
    assert (refused.replaces, refused.rejected_because) == (floor.order("o1").id, "no")
    assert (refused.limit_price, refused.average_price) == (Decimal("190.03"), None)
    assert floor.exchange.account.buying_power == power
    with pytest.raises(ClientOrderIdTaken):
        floor.replace("o1", limit="190.03", new_name="o2")
    assert floor.move("190") == ["fill o1 1000 @ 190.02"]


def test_a_replacement_that_is_refused_leaves_its_pair_alone() -> None:
    floor = Floor()
    floor.pair("sell", "10", limit="195", stop="185")
    assert floor.replace("o2", stop="186", refused_because="no") == ["order_replace_rejected o2"]
    assert floor.order("o3").sibling is None
    assert floor.move("185") == ["fill o2 10 @ 184.99", "canceled o1"]


def test_a_replacement_may_leave_two_live_orders(floor: Floor) -> None:
    assert floor.replace("o1", limit="186", keeps_predecessor=True) == ["new o2"]
    old, new = floor.order("o1"), floor.order("o2")
    assert (old.status, old.replaced_by, new.replaces) == (Status.NEW, None, old.id)
    assert floor.exchange.account.buying_power == OPENING_CASH - 1850 - 1860
    assert floor.move("184") == ["fill o2 10 @ 186", "fill o1 10 @ 185"]
    assert floor.exchange.account.quantity("AAPL") == 20


def test_one_of_two_live_orders_is_cancelled_by_itself(floor: Floor) -> None:
    floor.replace("o1", limit="186", keeps_predecessor=True)
    assert floor.cancel("o1") == ["canceled o1"]
    assert floor.move("184") == ["fill o2 10 @ 186"]


def test_two_live_orders_need_twice_the_money() -> None:
    floor = Floor()
    floor.place("buy", "5000000000", limit="110")
    with pytest.raises(InsufficientBuyingPower):
        floor.replace("o1", limit="120", keeps_predecessor=True)


def test_a_predecessor_that_stays_leaves_its_pair_to_the_replacement() -> None:
    floor = Floor()
    floor.place("buy", "20")
    floor.pair("sell", "10", limit="195", stop="185")
    account = floor.exchange.account
    assert account.available("AAPL") == 10
    assert floor.replace("o3", stop="186", keeps_predecessor=True) == ["new o4"]
    assert account.available("AAPL") == 0
    assert floor.order("o2").sibling == floor.order("o4").id
    assert floor.move("186") == ["fill o4 10 @ 185.99", "canceled o2"]
    assert floor.move("185") == ["fill o3 10 @ 184.99"]
    assert account.quantity("AAPL") == 0


def test_a_bust_of_what_both_live_orders_count_is_taken_back_from_both() -> None:
    floor = Floor()
    floor.place("buy", "4000", limit="190.02")
    floor.replace("o1", quantity="5000", keeps_predecessor=True)
    assert floor.bust(1) == ["trade_bust o1 1000 @ 190.01", "restated o2 5000"]
    assert state(floor.order("o1")) == (Status.PARTIALLY_FILLED, 2000, 2000)
    assert state(floor.order("o2")) == (Status.PARTIALLY_FILLED, 2000, 3000)
    assert floor.move("190") == ["fill o1 2000 @ 190.02", "fill o2 3000 @ 190.02"]
    floor.move("200")
    assert floor.bust(2) == ["trade_bust o1 2000 @ 190.02", "restated o2 5000"]
    assert floor.move("190") == ["fill o1 2000 @ 190.02", "fill o2 2000 @ 190.02"]


def test_whoever_sends_a_replacement_again_is_told_that_it_is_there(floor: Floor) -> None:
    floor.replace("o1", limit="186", new_name="again")
    with pytest.raises(ClientOrderIdTaken, match="client_order_id must be unique"):
        floor.replace("o1", limit="186", new_name="again")
    with pytest.raises(NotReplaceable, match="order already replaced"):
        floor.replace("o1", limit="186", new_name="another")
