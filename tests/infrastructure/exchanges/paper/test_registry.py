from datetime import timedelta

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
