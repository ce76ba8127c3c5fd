"""What was filled while nobody listened is booked after a start, at a real venue: how often it is asked, and how much at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from application.booking import Booking
from application.inquiries import Inquiries
from application.reconciliation import Reconciler
from application.venue import VenueOrder
from application.watching import OpenOrders
from domain.commands import RecordSent
from domain.lifecycle import Status
from domain.values import OrderId, OrderType, Quantity, Side, Symbol, TimeInForce
from infrastructure.exchanges.alpaca import AlpacaVenue
from infrastructure.exchanges.alpaca_http import AlpacaHttp, Answer
from tests.application.floor import Engine, Fixed
from tests.application.world import ALICE, BUY_TEN, CALLER, FastClock, fund, report
from tests.contracts.venues import RESTING, alpaca_at, control_of
from tests.venue_server import VenueAddress, running_venue

ORDERS = 20
AT_ONCE = 8
# More than the house sells at its best price, so it is filled in two parts.
QUANTITY = Quantity(Decimal(1500))
MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None, "time_in_force": TimeInForce.DAY}


class Wire:
    """Every request to the venue, and how many questions whose an order is are open at once; it can hold those up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        self.open = self.open_max = 0
        self.is_free = asyncio.Event()
        self.is_free.set()
        send = AlpacaHttp.send

        async def watched(http: AlpacaHttp, method: str, url: str, **more: Any) -> Answer:
            venue_order_id = url.partition("/v2/orders/")[2]
            if method != "GET" or not venue_order_id:
                return await send(http, method, url, **more)
            self.asked[venue_order_id] += 1
            self.open += 1
            self.open_max = max(self.open_max, self.open)
            try:
                await self.is_free.wait()
                return await send(http, method, url, **more)
            finally:
                self.open -= 1

        monkeypatch.setattr(AlpacaHttp, "send", watched)


@pytest.fixture
def address() -> Iterator[VenueAddress]:
    with running_venue() as running:
        yield running


@pytest.fixture
async def venue(address: VenueAddress) -> AsyncIterator[AlpacaVenue]:
    async with alpaca_at(address) as venue:
        yield venue


def venue_order(order_id: OrderId, **terms: Any) -> VenueOrder:
    return VenueOrder(
        client_order_id=order_id,
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        quantity=QUANTITY,
        stop_price=None,
        **{**MARKET, **terms},
    )


class Desk:
    """An engine whose orders were sent and filled, and that has heard of nothing since."""

    def __init__(self, engine: Engine, venue: AlpacaVenue) -> None:
        self.clock = FastClock()
        self.booking = Booking(engine.trading, self.clock, venue.name)
        self.fixed = Fixed()
        self.order_ids: list[OrderId] = []
        self._engine = engine
        self._venue = venue

    async def place(self) -> None:
        await fund(self._engine.trading, 10**8)
        for _ in range(ORDERS):
            request = replace(BUY_TEN, quantity=QUANTITY)
            order_id = (await self._engine.trading.place(ALICE, request, CALLER)).order.state.order_id
            await report(self._engine.trading, order_id, RecordSent(1))
            await self._venue.submit(venue_order(order_id))
            self.order_ids.append(order_id)

    async def catch_up(self) -> None:
        open_orders = OpenOrders()
        inquiries = Inquiries(self._venue, self.booking, self.fixed, self.clock, open_orders)
        reconciler = Reconciler(
            self._venue, self.booking, inquiries, bookkeeping=self.fixed, open_orders=open_orders, clock=self.clock
        )
        try:
            await reconciler.catch_up()
        finally:
            await inquiries.end()

    async def statuses(self) -> set[Status]:
        return {(await self.booking.known(order_id)).status for order_id in self.order_ids}


@pytest.fixture
async def desk(engine: Engine, venue: AlpacaVenue) -> Desk:
    desk = Desk(engine, venue)
    await desk.place()
    return desk


async def test_each_order_of_missed_executions_is_asked_for_once_and_several_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(monkeypatch)
    await desk.catch_up()
    assert await desk.statuses() == {Status.FILLED}
    assert {len((await desk.booking.known(order_id)).fills) for order_id in desk.order_ids} == {2}
    assert (len(wire.asked), set(wire.asked.values())) == (ORDERS, {1})
    assert wire.open_max == AT_ONCE
    await desk.catch_up()
    assert wire.asked.total() == ORDERS, "what is booked needs no question"


async def test_cancels_and_orders_do_not_wait_for_questions(
    desk: Desk, venue: AlpacaVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(monkeypatch)
    wire.is_free.clear()
    catching_up = asyncio.create_task(desk.catch_up())
    while wire.open < AT_ONCE:
        await asyncio.sleep(0.001)
    order = venue_order(OrderId("00000000-0000-4000-8000-00000000c0de"), **RESTING)
    [accepted] = await venue.submit(order)
    await venue.cancel(accepted.venue_order_id)
    assert (wire.open, wire.open_max) == (AT_ONCE, AT_ONCE)
    assert not catching_up.done()
    wire.is_free.set()
    await catching_up
    assert await desk.statuses() == {Status.FILLED}


async def test_who_is_told_to_wait_waits_and_asks_again(
    desk: Desk, address: VenueAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(monkeypatch)
    await control_of(address)(
        "PUT", "faults", [{"on": "find", "fault": "answer", "status": 429, "retry_after": 3, "times": 5}]
    )
    await desk.catch_up()
    assert await desk.statuses() == {Status.FILLED}
    assert desk.clock.slept == [3.0] * 5
    assert (len(wire.asked), wire.asked.total(), wire.open_max) == (ORDERS, ORDERS + 5, AT_ONCE)


async def test_what_was_booked_before_the_venue_was_lost_is_not_asked_for_again(
    desk: Desk, address: VenueAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(monkeypatch)
    await control_of(address)("PUT", "faults", [{"on": "find", "fault": "answer", "status": 503, "every": 10}])
    with pytest.raises(Exception, match="503"):
        await desk.catch_up()
    assert wire.open == 0
    assert desk.fixed.executed_at is None
    await control_of(address)("DELETE", "faults", None)
    booked = {order_id for order_id in desk.order_ids if (await desk.booking.known(order_id)).fills}
    asked = wire.asked.total()
    await desk.catch_up()
    assert await desk.statuses() == {Status.FILLED}
    assert desk.fixed.executed_at is not None
    assert wire.asked.total() - asked <= ORDERS - len(booked)
