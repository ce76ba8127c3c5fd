"""While the venue cannot be reached, orders stand before the gate, and go on in the order in which they came."""

import asyncio

import pytest

from application.gate import VenueGate
from domain.values import OrderId

FIRST, SECOND, THIRD = OrderId("1"), OrderId("2"), OrderId("3")


async def test_who_came_first_goes_on_first_when_the_venue_answers(caplog: pytest.LogCaptureFixture) -> None:
    gate, passed = VenueGate(is_watched=True), list[OrderId]()

    async def come(order_id: OrderId) -> None:
        await gate.passed(order_id)
        passed.append(order_id)

    gate.open()
    await come(FIRST)
    gate.shut()
    gate.shut()
    async with asyncio.TaskGroup() as tasks:
        for order_id in (THIRD, SECOND):
            tasks.create_task(come(order_id))
        await asyncio.sleep(0)
        assert passed == [FIRST]
        gate.open()
    assert passed == [FIRST, THIRD, SECOND]
    assert caplog.messages == [
        "the venue cannot be reached: orders wait for it",
        "the venue can be reached again: 2 orders go on",
    ]


async def test_an_order_to_which_something_happens_goes_on_alone_and_one_that_left_is_forgotten() -> None:
    gate = VenueGate(is_watched=True)
    gate.shut()
    stays, happens, leaves = (asyncio.create_task(gate.passed(each)) for each in (FIRST, SECOND, THIRD))
    await asyncio.sleep(0)
    gate.release(SECOND)
    gate.release(SECOND)
    await happens
    gate.release(THIRD)
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    assert not stays.done()
    gate.open()
    await stays


async def test_a_gate_that_nobody_would_open_again_stays_open() -> None:
    gate = VenueGate(is_watched=False)
    gate.shut()
    await gate.passed(FIRST)
