"""Exits on their way to the venue: a pair goes there as one order with a leg."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from application.venue import Sought, VenueRefusedError, VenueReport
from domain.commands import RecordAcceptance, RecordFill, RecordSent
from domain.events import OrderPlaced, UnknownOrderReported
from domain.exits import Exits, exits_of
from domain.values import FillId, OrderId, Price, Side
from tests.application.floor import TIMEOUT, Floor
from tests.application.world import (
    ALICE,
    BUY_TEN,
    FastClock,
    accepted,
    cancel,
    ended,
    filled,
    report,
    state,
    until,
    working,
)

BRACKET = replace(BUY_TEN, stop_loss=Price(Decimal(90)), take_profit=Price(Decimal(120)))
VENUE_S_NAME = OrderId("made-by-the-venue")


async def enter(floor: Floor, quantity: int = 10) -> tuple[OrderId, Exits]:
    """An order with a stop-loss and a take-profit, filled; its exits are at the venue next."""
    order_id = await floor.place(BRACKET)
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, RecordAcceptance(f"v-{order_id}"))
    fill = filled(order_id, quantity).fill
    assert fill is not None
    fact = RecordFill(
        fill_id=fill.fill_id,
        quantity=fill.quantity,
        price=fill.price,
        commission=fill.commission,
        venue="scripted",
        executed_at=fill.executed_at,
    )
    await report(floor.engine.trading, order_id, fact)
    return order_id, exits_of(order_id, FillId("f-1"))


def both(exits: Exits) -> list[VenueReport]:
    """What the venue answers to the pair."""
    return [accepted(exits.take_profit), replace(accepted(exits.stop_loss), venue_order_id="v-leg")]


async def statuses(floor: Floor, exits: Exits) -> tuple[str, str]:
    return (await floor.order(exits.take_profit)).status, (await floor.order(exits.stop_loss)).status


async def until_statuses(floor: Floor, exits: Exits, *wanted: str) -> None:
    for _ in range(2_000):
        if await statuses(floor, exits) == wanted:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"the exits are {await statuses(floor, exits)}, not {wanted}")


async def test_a_fill_brings_its_exits_and_they_go_to_the_venue_as_one_order_with_a_leg(floor: Floor) -> None:
    _, exits = await enter(floor)
    floor.venue.submits.append(both(exits))
    floor.open()
    await until_statuses(floor, exits, "ACCEPTED", "ACCEPTED")
    (sent,) = [order for order in floor.venue.submitted if order.client_order_id == exits.take_profit]
    assert sent.leg is not None
    assert (sent.quantity, sent.price, sent.stop_price) == (Decimal(10), Decimal(120), None)
    assert (sent.leg.client_order_id, sent.leg.stop_price) == (exits.stop_loss, Decimal(90))
    assert floor.venue.count("submit") == 1
    account = (await floor.engine.trading.account(ALICE)).state
    assert account.holding(BUY_TEN.symbol).working_sells == Decimal(10), "the pair holds its units once"


async def test_what_one_exit_fills_the_venue_takes_from_the_other(floor: Floor) -> None:
    order_id, exits = await enter(floor)
    floor.venue.submits.append(both(exits))
    floor.open()
    await until_statuses(floor, exits, "ACCEPTED", "ACCEPTED")
    stranger = replace(filled(VENUE_S_NAME, 10, "f-2", 89), venue_order_id="v-leg")
    floor.venue.stream.put_nowait(stranger)
    floor.venue.stream.put_nowait(ended(exits.take_profit, "cancelled"))
    await until_statuses(floor, exits, "CANCELLED", "FILLED")
    account = (await floor.engine.trading.account(ALICE)).state
    holding = account.holding(BUY_TEN.symbol)
    assert (holding.quantity, holding.working_sells, account.open_orders) == (0, 0, 0)
    assert state(await floor.order(order_id)) == ("FILLED", Decimal(10), ())


async def test_a_leg_s_report_that_overtakes_the_answer_waits_for_it(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = FastClock.sleep

    async def sleep(clock: FastClock, seconds: float) -> None:
        if seconds == 0.2:  # the report was not recognised; now the answer comes
            await report(floor.engine.trading, exits.stop_loss, RecordAcceptance("v-leg"))
            await asyncio.sleep(0.02)
        await usual(clock, seconds)

    _, exits = await enter(floor)
    floor.venue.submits.append(TIMEOUT)
    floor.venue.finds.extend([TIMEOUT] * 100_000)
    floor.open()
    while floor.venue.count("submit") == 0:
        await asyncio.sleep(0.001)
    monkeypatch.setattr(FastClock, "sleep", sleep)
    floor.venue.stream.put_nowait(replace(filled(VENUE_S_NAME, 4, "f-2", 89), venue_order_id="v-leg"))
    await until_statuses(floor, exits, "PENDING", "PARTIALLY_FILLED")


async def test_a_pair_whose_answer_was_lost_is_asked_for_together(floor: Floor) -> None:
    _, exits = await enter(floor)
    floor.venue.submits.append(TIMEOUT)
    asked: list[Sought] = []
    usual = floor.venue.find

    async def find(sought: Sought) -> Sequence[VenueReport]:
        asked.append(sought)
        return await usual(sought)

    floor.venue.find = find  # type: ignore[method-assign] # it looks on
    floor.venue.orders[exits.take_profit] = both(exits)
    floor.open()
    await until_statuses(floor, exits, "ACCEPTED", "ACCEPTED")
    assert {sought.leg for sought in asked if sought.client_order_id == exits.take_profit} == {exits.stop_loss}


async def test_a_refused_pair_is_rejected_and_the_order_unprotected(floor: Floor) -> None:
    order_id, exits = await enter(floor)
    floor.venue.submits.append(VenueRefusedError("42210000", "oco orders are not available"))
    floor.open()
    await until_statuses(floor, exits, "REJECTED", "REJECTED")
    order = await floor.order(order_id)
    assert state(order) == ("FILLED", Decimal(10), ("UNPROTECTED",))
    account = (await floor.engine.trading.account(ALICE)).state
    assert account.holding(BUY_TEN.symbol).working_sells == 0
    assert floor.venue.count("submit") == 1


@pytest.mark.parametrize(("tells_of_leg", "end"), [(True, "CANCELLED"), (False, "REJECTED")])
async def test_a_pair_that_the_venue_took_in_and_then_rejected_ends_as_the_venue_says(
    floor: Floor, *, tells_of_leg: bool, end: str
) -> None:
    _, exits = await enter(floor)
    rejected = replace(ended(exits.take_profit, "rejected", "the market is closed"), venue_order_id="v-tp")
    leg = replace(accepted(exits.stop_loss), venue_order_id="v-leg")
    gone = replace(ended(exits.stop_loss, "cancelled", "its other exit was rejected"), venue_order_id="v-leg")
    floor.venue.orders[exits.take_profit] = [rejected, leg, gone] if tells_of_leg else [rejected]
    floor.venue.submits.append([rejected])
    floor.open()
    await until_statuses(floor, exits, "REJECTED", end)
    assert (await floor.order(exits.stop_loss)).venue_order_id == ("v-leg" if tells_of_leg else None)


async def test_a_pair_that_was_given_up_and_is_there_after_all_is_known_and_sent_away(floor: Floor) -> None:
    _, exits = await enter(floor)
    floor.venue.submits.append(VenueRefusedError("403", "insufficient buying power"))
    floor.open()
    await until_statuses(floor, exits, "REJECTED", "REJECTED")
    floor.venue.orders[exits.take_profit] = both(exits)
    floor.venue.stream.put_nowait(replace(accepted(VENUE_S_NAME), venue_order_id="v-leg"))
    floor.venue.stream.put_nowait(accepted(exits.take_profit))
    await until(floor.engine.store, "OrderReconciled", "OrderReconciled")
    while ("cancel", "v-leg") not in floor.venue.calls:
        await asyncio.sleep(0.001)
    assert ("cancel", f"v-{exits.take_profit}") in floor.venue.calls
    log = await floor.engine.store.read(0, 1_000)
    assert not [each for each in log if isinstance(each.event, UnknownOrderReported)]


async def test_a_leg_that_its_trader_took_back_first_does_not_go_along(floor: Floor) -> None:
    _, exits = await enter(floor)
    await cancel(floor.engine.trading, exits.stop_loss)
    floor.open()
    await until_statuses(floor, exits, "ACCEPTED", "CANCELLED")
    assert [order.leg for order in floor.venue.submitted] == [None]


async def test_a_leg_whose_other_exit_was_taken_back_first_ends_with_it(floor: Floor) -> None:
    _, exits = await enter(floor)
    await cancel(floor.engine.trading, exits.take_profit)
    floor.open()
    await until_statuses(floor, exits, "CANCELLED", "CANCELLED")
    assert floor.venue.count("submit") == 0


async def test_exits_are_resumed_wherever_they_were_left(floor: Floor) -> None:
    _, exits = await enter(floor)
    await report(floor.engine.trading, exits.take_profit, RecordSent(1))
    await report(floor.engine.trading, exits.stop_loss, RecordSent(1))
    await report(floor.engine.trading, exits.take_profit, RecordAcceptance(f"v-{exits.take_profit}"))
    floor.venue.orders[exits.take_profit] = both(exits)
    floor.open([exits.take_profit, exits.stop_loss], await floor.engine.store.position())
    await until_statuses(floor, exits, "ACCEPTED", "ACCEPTED")
    assert floor.venue.count("submit") == 0


async def test_a_leg_without_an_acknowledgement_is_asked_for_with_its_other_exit(floor: Floor) -> None:
    _, exits = await enter(floor)
    floor.venue.submits.append([accepted(exits.take_profit)])
    floor.open(reconcile_seconds=30)
    await until_statuses(floor, exits, "ACCEPTED", "PENDING")
    floor.venue.orders[exits.take_profit] = both(exits)
    await until_statuses(floor, exits, "ACCEPTED", "ACCEPTED")


async def test_a_leg_that_the_venue_lists_before_it_is_acknowledged_is_no_stranger(floor: Floor) -> None:
    _, exits = await enter(floor)
    floor.venue.submits.append([accepted(exits.take_profit)])
    floor.venue.working["v-leg"] = replace(working(VENUE_S_NAME, venue_order_id="v-leg"), side=Side.SELL)
    floor.open(reconcile_seconds=30)
    await until_statuses(floor, exits, "ACCEPTED", "PENDING")
    asked = floor.venue.count("working")
    while floor.venue.count("working") < asked + 4:
        await asyncio.sleep(0.001)
    del floor.venue.working["v-leg"]
    floor.venue.orders[exits.take_profit] = both(exits)
    await until_statuses(floor, exits, "ACCEPTED", "ACCEPTED")
    log = await floor.engine.store.read(0, 1_000)
    assert not [each for each in log if isinstance(each.event, UnknownOrderReported)]


async def test_the_exits_of_a_busted_fill_are_cancelled(floor: Floor) -> None:
    order_id, exits = await enter(floor)
    floor.venue.submits.append(both(exits))
    floor.open()
    await until_statuses(floor, exits, "ACCEPTED", "ACCEPTED")
    floor.venue.stream.put_nowait(replace(accepted(order_id), status="busted", busted_fill_id=FillId("f-1")))
    await until(floor.engine.store, "OrderUnprotected", "OrderCancelRequested", "OrderCancelRequested")
    while ("cancel", f"v-{exits.take_profit}") not in floor.venue.calls:
        await asyncio.sleep(0.001)
    assert (await floor.order(order_id)).flags == ("UNPROTECTED",)


async def test_a_single_exit_is_an_ordinary_order(floor: Floor) -> None:
    order_id = await floor.place(replace(BUY_TEN, stop_loss=Price(Decimal(90))))
    floor.open()
    await until(floor.engine.store, "OrderAccepted")
    floor.venue.stream.put_nowait(filled(order_id, 4))
    found = await until(floor.engine.store, "OrderFilled", "OrderPlaced", "OrderSent", "OrderAccepted")
    assert found.count("OrderPlaced") == 2
    (_, sent) = floor.venue.submitted
    assert (sent.order_type, sent.quantity, sent.stop_price, sent.leg) == ("STOP", Decimal(4), Decimal(90), None)
    placed = [each.event for each in await floor.engine.store.read(0, 100) if isinstance(each.event, OrderPlaced)]
    assert (placed[1].parent_order_id, placed[1].oco_order_id) == (order_id, None)
