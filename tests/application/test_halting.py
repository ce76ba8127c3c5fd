"""Halts: what is refused, what passes, what still leaves the building, and what is cancelled, whoever leads."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from application.sequencer import Sequencer
from application.trading import Caller
from application.venue import VenueBusyError
from domain.commands import (
    HaltTrading,
    RecordAcceptance,
    RecordCancelsRequested,
    RecordSent,
    ReplaceOrder,
    ResumeTrading,
)
from domain.events import Metadata, OpenOrdersCancelRequested
from domain.halts import HALTED
from domain.lifecycle import Status
from domain.refusals import NotHalted, TradingIsHalted
from domain.values import OrderType, Price, Side
from tests.application.floor import Engine, Floor
from tests.application.world import (
    ACME,
    ALICE,
    BOB,
    BUY_TEN,
    CALLER,
    FastClock,
    accepted,
    cancel,
    filled,
    fund,
    names,
    report,
    until,
)

OPS = Caller("ops:olga", "request-9", "request-9")
DEARER = ReplaceOrder(price=Price(Decimal(101)))


async def halt(engine: Engine, scope: str = "all", *, cancel_open: bool = False) -> None:
    await engine.trading.change_halts(HaltTrading(scope, "a drill", cancel_open=cancel_open), OPS)


async def resume(engine: Engine, scope: str = "all") -> None:
    await engine.trading.change_halts(ResumeTrading(scope, "over"), OPS)


async def who(engine: Engine, name: str) -> list[Metadata]:
    """Beside each event of this type, who caused it."""
    return [each.metadata for each in await engine.store.read(0, 10_000) if type(each.event).__name__ == name]


@pytest.mark.parametrize("scope", ["all", "trader:alice", f"symbol:{ACME}"])
async def test_a_halt_refuses_orders_and_other_terms_lets_cancels_pass_and_ends_when_it_is_resumed(
    engine: Engine, scope: str
) -> None:
    working, other = [(await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id for _ in range(2)]
    await halt(engine, scope)
    with pytest.raises(TradingIsHalted):
        await engine.trading.place(ALICE, BUY_TEN, CALLER)
    with pytest.raises(TradingIsHalted):
        await engine.trading.change(ALICE, working, DEARER, CALLER)
    assert (await cancel(engine.trading, other)).state.status is Status.CANCELLED
    await resume(engine, scope)
    await engine.trading.place(ALICE, BUY_TEN, CALLER)
    changed = await engine.trading.change(ALICE, working, DEARER, CALLER)
    assert changed.state.current.price == 101


@pytest.mark.parametrize("scope", ["trader:bob", "symbol:OTHER"])
async def test_a_halt_of_something_else_disturbs_nobody(engine: Engine, scope: str) -> None:
    await halt(engine, scope)
    await engine.trading.place(ALICE, BUY_TEN, CALLER)


async def test_a_halt_holds_in_every_process_from_its_commit_on(engine: Engine) -> None:
    """The other process has read what is halted before; its next order finds out that this is no longer so."""
    async with Sequencer(engine.store) as sequencer:
        theirs = replace(engine.trading, sequencer=sequencer)
        await theirs.place(ALICE, BUY_TEN, CALLER)
        await halt(engine)
        with pytest.raises(TradingIsHalted):
            await theirs.place(ALICE, BUY_TEN, CALLER)
        await resume(engine)
        await theirs.place(ALICE, BUY_TEN, CALLER)


async def test_halts_are_listed_with_who_and_why(engine: Engine) -> None:
    await halt(engine)
    await halt(engine, "trader:bob", cancel_open=True)
    in_force = await engine.trading.halts()
    assert [(each.event, each.metadata.actor) for each in in_force.active()] == [
        (in_force.halts.active["all"], "ops:olga"),
        (in_force.halts.active["trader:bob"], "ops:olga"),
    ]
    assert [each.version for each in in_force.to_cancel()] == [2]
    await resume(engine)
    in_force = await engine.trading.halts()
    assert [each.event for each in in_force.active()] == [in_force.halts.active["trader:bob"]]
    assert in_force.position == await engine.store.position()
    with pytest.raises(NotHalted, match="all is not halted"):
        await resume(engine)


# ── What still leaves the building ───────────────────────────────────────────────────────────────────────────────────


async def test_an_order_that_was_never_sent_is_cancelled_instead(floor: Floor) -> None:
    order_id = await floor.place()
    await halt(floor.engine)
    floor.open()
    await until(floor.engine.store, "OrderPlaced", "OrderCancelled")
    assert (await floor.order(order_id)).reason == f"{HALTED}: All trading is halted"
    assert floor.venue.submitted == []
    assert (await floor.engine.trading.account(ALICE)).state.reserved == 0


async def test_an_attempt_that_may_have_arrived_is_looked_up_and_not_repeated(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await halt(floor.engine)
    floor.open([order_id], await floor.engine.store.position())
    await until(floor.engine.store, "OrderCancelRequested", "OrderCancelled")
    assert floor.venue.submitted == []
    assert floor.venue.count("find") > 1


async def test_an_attempt_that_did_arrive_is_adopted_and_works_on(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await halt(floor.engine)
    floor.venue.orders[order_id] = [accepted(order_id)]
    floor.open([order_id], await floor.engine.store.position())
    await until(floor.engine.store, "OrderRecovered", "OrderAccepted")
    assert (await floor.order(order_id)).status is Status.ACCEPTED


async def test_an_order_that_waits_for_a_busy_venue_does_not_leave_any_more(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = FastClock.sleep

    async def sleep(clock: FastClock, seconds: float) -> None:
        if seconds == 7.5:
            await halt(floor.engine)
        await usual(clock, seconds)

    monkeypatch.setattr(FastClock, "sleep", sleep)
    floor.venue.submits.append(VenueBusyError(7.5))
    floor.open()
    await floor.place()
    await until(floor.engine.store, "OrderSent", "OrderCancelRequested", "OrderCancelled")
    assert floor.venue.count("submit") == 1


async def test_a_replacement_that_waits_is_refused(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, RecordAcceptance(f"v-{order_id}"))
    position = await floor.engine.store.position()
    await floor.engine.trading.change(ALICE, order_id, DEARER, CALLER)
    await halt(floor.engine)
    floor.venue.orders[order_id] = [accepted(order_id)]
    floor.open([order_id], position)
    await until(floor.engine.store, "OrderReplaceRequested", "OrderReplaceRefused")
    assert floor.venue.replacements == []
    assert (await floor.order(order_id)).status is Status.ACCEPTED


async def test_what_is_filled_while_trading_is_halted_is_protected_all_the_same(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place(replace(BUY_TEN, stop_loss=Price(Decimal(90))))
    await until(floor.engine.store, "OrderAccepted")
    await halt(floor.engine)
    floor.venue.stream.put_nowait(filled(order_id, 10))
    await until(floor.engine.store, "OrderFilled", "OrderPlaced", "OrderSent", "OrderAccepted")
    entry, stop_loss = floor.venue.submitted
    assert (entry.side, stop_loss.side, stop_loss.order_type) == (Side.BUY, Side.SELL, OrderType.STOP)


# ── What is cancelled ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_works_in_the_scope_is_cancelled_by_whoever_halted(floor: Floor) -> None:
    await fund(floor.engine.trading, trader_id=BOB)
    floor.open()
    mine = [await floor.place() for _ in range(3)]
    theirs = (await floor.engine.trading.place(BOB, BUY_TEN, CALLER)).order.state.order_id
    async with asyncio.timeout(5):
        while (await names(floor.engine.store)).count("OrderAccepted") < 4:
            await asyncio.sleep(0.001)
    await halt(floor.engine, "trader:alice", cancel_open=True)
    await carried_out(floor.engine, 1)
    assert {(await floor.order(each)).status for each in mine} == {Status.PENDING_CANCEL}
    assert (await floor.order(theirs)).status is not Status.PENDING_CANCEL
    (requested,) = await who(floor.engine, "OpenOrdersCancelRequested")
    assert (requested.actor, requested.correlation_id) == ("ops:olga", "request-9")
    assert {each.actor for each in await who(floor.engine, "OrderCancelRequested")} == {"ops:olga"}
    while floor.venue.count("cancel") < 3:
        await asyncio.sleep(0.001)


async def test_a_leader_that_comes_later_finishes_the_cancels_also_when_trading_goes_on_by_then(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await floor.place()
    over = await floor.place()
    await cancel(floor.engine.trading, over)
    await halt(floor.engine, cancel_open=True)
    await resume(floor.engine)
    monkeypatch.setattr(FastClock, "now", lambda clock: clock.time + timedelta(minutes=1))
    later = await floor.place()
    # A projection that lags: one of these is over, as whoever looks closer finds out.
    floor.open([mine, over, later], await floor.engine.store.position())
    await carried_out(floor.engine, 1)
    assert (await floor.order(mine)).status is Status.CANCELLED
    assert (await floor.order(mine)).reason == f"{HALTED}: All trading is halted"
    assert not (await floor.order(later)).is_over


async def test_a_halt_that_the_log_has_yet_to_tell_of_waits_for_its_turn(floor: Floor) -> None:
    """What was placed between the position the leader begins at and the halt is not known to it before."""
    position = await floor.engine.store.position()
    mine = await floor.place()
    await halt(floor.engine, cancel_open=True)
    floor.open([], position)
    await carried_out(floor.engine, 1)
    assert (await floor.order(mine)).status is Status.CANCELLED


async def test_each_halt_is_carried_out_once(floor: Floor) -> None:
    floor.open()
    await halt(floor.engine, cancel_open=True)
    await halt(floor.engine, cancel_open=True)
    await carried_out(floor.engine, 2)
    await floor.engine.trading.change_halts(RecordCancelsRequested(1), OPS)
    await asyncio.sleep(0.02)
    events = [each.event for each in (await floor.engine.trading.halts()).events]
    assert events[2:] == [OpenOrdersCancelRequested(scope="all", halt_version=version) for version in (1, 2)]


async def carried_out(engine: Engine, halts: int) -> None:
    """Wait until what so many halts were to cancel is being cancelled."""
    async with asyncio.timeout(5):
        while len(await who(engine, "OpenOrdersCancelRequested")) < halts:
            await asyncio.sleep(0.001)
