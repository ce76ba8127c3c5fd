"""The open orders in memory, whatever comes first: what was loaded or what was followed."""

from application.snapshots import Snapshot
from application.watching import OpenOrders
from domain.order import Order
from domain.values import OrderId
from tests.application.floor import Engine
from tests.application.world import ALICE, BUY_TEN, CALLER, cancel


async def placed(engine: Engine) -> Snapshot[Order]:
    return (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order


async def test_what_was_followed_is_newer_than_what_was_loaded_before(engine: Engine) -> None:
    orders = OpenOrders()
    order = await placed(engine)
    order_id = order.state.order_id
    orders.expect(order_id)
    assert (order_id in orders, orders.order(order_id), list(orders.all())) == (True, None, [])
    (event,) = [each for each in await engine.store.read(0, 10) if each.stream_id == f"order-{order_id}"]
    assert orders.follow(order_id, event) == order
    orders.loaded(order)
    assert list(orders.all()) == [order]
    orders.over(order_id)
    assert order_id not in orders


async def test_an_order_that_is_over_is_not_watched(engine: Engine) -> None:
    orders = OpenOrders()
    order = await cancel(engine.trading, (await placed(engine)).state.order_id)
    orders.loaded(order)
    assert OrderId(order.state.order_id) not in orders
