"""The open orders in memory, whatever comes first: what was loaded or what was followed."""

from application.snapshots import Snapshot
from application.watching import OpenOrders
from domain.commands import RecordAcceptance, RecordSent
from domain.order import Order
from domain.values import OrderId
from tests.application.floor import Engine, Floor
from tests.application.test_exits import enter
from tests.application.world import ALICE, BUY_TEN, CALLER, cancel, report


async def placed(engine: Engine) -> Snapshot[Order]:
    return (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order


async def test_what_was_followed_is_newer_than_what_was_loaded_before(engine: Engine) -> None:
    orders = OpenOrders()
    order = await placed(engine)
    order_id = order.state.order_id
    orders.expect(order_id)
    assert (order_id in orders, orders.order(order_id), list(orders.all())) == (True, None, [])
    (event,) = [each for each in await engine.store.read(0, 10) if each.stream_id == f"order-{order_id}"]
    assert orders.follow(order_id, event) == order.state.terms
    assert orders.order(order_id) == order
    orders.loaded(order)
    assert list(orders.all()) == [order]
    orders.over(order_id)
    assert order_id not in orders


async def test_an_order_that_is_over_is_not_watched(engine: Engine) -> None:
    orders = OpenOrders()
    order = await cancel(engine.trading, (await placed(engine)).state.order_id)
    orders.loaded(order)
    assert OrderId(order.state.order_id) not in orders


async def test_a_leg_may_be_at_the_venue_before_its_sending_is_followed_and_until_it_is_acknowledged(
    floor: Floor,
) -> None:
    orders, trading = OpenOrders(), floor.engine.trading
    _, exits = await enter(floor)
    expects = []

    async def follow() -> None:
        for event in await floor.engine.store.read(0, 100):
            if event.stream_id == f"order-{exits.stop_loss}":
                orders.follow(exits.stop_loss, event)
        expects.append(orders.expect_legs())

    assert not orders.expect_legs()
    await follow()
    await report(trading, exits.stop_loss, RecordSent(1))
    await follow()
    await report(trading, exits.stop_loss, RecordAcceptance("v-leg"))
    await follow()
    assert expects == [True, True, False]


async def test_an_order_that_is_not_loaded_yet_may_be_a_leg(engine: Engine) -> None:
    orders = OpenOrders()
    order = await placed(engine)
    orders.expect(order.state.order_id)
    assert orders.expect_legs()
    orders.loaded(order)
    assert not orders.expect_legs()
