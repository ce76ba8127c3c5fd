from datetime import timedelta
from typing import Literal

import pytest

from infrastructure.exchanges.paper.book import Side
from infrastructure.exchanges.paper.registry import OrderQuery
from tests.infrastructure.exchanges.paper.floor import OPENING, Floor


@pytest.fixture(scope="module")
def floor() -> Floor:
    """Five orders, one second apart: the second and the fourth are over."""
    floor = Floor()
    floor.place("buy", "1", limit="180")
    floor.place("sell", "1", symbol="MSFT")
    floor.place("sell", "1", limit="400", symbol="TSLA")
    floor.place("buy", "1")
    floor.place("buy", "1", limit="180")
    return floor


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (OrderQuery(), ["o5", "o3", "o1"]),
        (OrderQuery(newest_first=False), ["o1", "o3", "o5"]),
        (OrderQuery(status="closed"), ["o4", "o2"]),
        (OrderQuery(status="all"), ["o5", "o4", "o3", "o2", "o1"]),
        (OrderQuery(status="all", newest_first=False, limit=2), ["o1", "o2"]),
        (OrderQuery(status="all", symbols=frozenset({"AAPL", "MSFT"})), ["o5", "o4", "o2", "o1"]),
        (OrderQuery(status="all", symbols=frozenset({"AAPL", "MSFT"}), newest_first=False), ["o1", "o2", "o4", "o5"]),
        (OrderQuery(status="all", symbols=frozenset({"NONE"})), []),
        (OrderQuery(symbols=frozenset({"TSLA"})), ["o3"]),
        (OrderQuery(side=Side.SELL), ["o3"]),
        (OrderQuery(status="all", after=OPENING + timedelta(seconds=2)), ["o5", "o4", "o3"]),
        (OrderQuery(status="all", until=OPENING + timedelta(seconds=3)), ["o2", "o1"]),
        (OrderQuery(after=OPENING + timedelta(seconds=2), until=OPENING + timedelta(seconds=5)), ["o3"]),
        (OrderQuery(status="all", after=OPENING + timedelta(days=1)), []),
    ],
)
def test_orders_are_listed_as_asked(floor: Floor, query: OrderQuery, names: list[str]) -> None:
    assert [order.client_order_id for order in floor.exchange.orders.listed(query)] == names


@pytest.fixture(scope="module")
def pairs() -> Floor:
    """An open pair, one whose leg was replaced, one that is over, and one whose main order came back without its leg."""
    floor = Floor()
    floor.pair("sell", "1", limit="195", stop="185")
    floor.pair("sell", "1", limit="196", stop="185")
    floor.replace("o4", stop="184")
    floor.pair("sell", "1", limit="190.01", stop="185")
    floor.cancel("o6")
    floor.pair("sell", "1", limit="190.00", stop="185")
    floor.place("buy", "1", limit="190.00")
    floor.bust(1)
    return floor


@pytest.mark.parametrize(
    ("status", "flat", "nested"),
    [
        ("open", ["o1", "o2", "o3", "o5", "o8"], ["o1", "o3", "o8"]),
        ("closed", ["o4", "o6", "o7", "o9", "o10"], ["o4", "o6", "o9", "o10"]),
        ("all", [f"o{number}" for number in range(1, 11)], ["o1", "o3", "o4", "o6", "o8", "o10"]),
    ],
)
def test_a_leg_is_listed_with_its_main_order_or_by_itself(
    pairs: Floor, status: Literal["open", "closed", "all"], flat: list[str], nested: list[str]
) -> None:
    for is_nested, names in ((False, flat), (True, nested)):
        query = OrderQuery(status=status, newest_first=False, nested=is_nested)
        assert [order.client_order_id for order in pairs.exchange.orders.listed(query)] == names


def test_only_the_main_order_has_a_leg(pairs: Floor) -> None:
    orders = pairs.exchange.orders
    legs = {name: orders.leg_of(pairs.order(name)) for name in ("o1", "o2", "o3", "o4", "o5", "o10")}
    assert {name: leg and leg.client_order_id for name, leg in legs.items()} == {
        "o1": "o2", "o2": None, "o3": "o5", "o4": None, "o5": None, "o10": None,
    }  # fmt: skip
