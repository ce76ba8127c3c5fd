"""What is remembered of the log, so that reports need no look-up."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from application import booking as bookings
from application.booking import Booking
from application.sequencer import Command, Outcome
from application.units_of_work import Record
from domain.commands import RecordAcceptance, ReplaceOrder
from domain.lifecycle import Status
from domain.values import FillId, OrderId, Quantity
from tests.application.floor import Engine
from tests.application.world import ALICE, BUY_TEN, CALLER, FastClock, accepted, ended, filled, names, report


async def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_looked_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookings, "_REMEMBERED", 1)
    booking = Booking(engine.trading, FastClock(), "scripted")
    first, second = [(await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id for _ in range(2)]
    await report(engine.trading, first, RecordAcceptance("v-1"))
    for each in await engine.store.read(0, 100):
        if each.stream_id.startswith("order-"):
            booking.note(OrderId(each.stream_id.removeprefix("order-")), each.event)  # type: ignore[arg-type]
    assert booking.order_known_as("v-1") == first
    assert await booking.book([filled(first, 1), filled(second, 1)]) == []
    unnamed = replace(filled(OrderId(""), 2, "f-2"), venue_order_id="v-1")
    stranger = accepted(OrderId("stranger"))
    assert await booking.book([unnamed, stranger]) == [unnamed, stranger]


async def test_what_is_in_the_log_is_not_decided_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    booking = Booking(engine.trading, FastClock(), "scripted")
    assert await booking.book([accepted(order_id), filled(order_id, 1)]) == []
    appends: list[object] = []
    monkeypatch.setattr(engine.store, "append", appends.append)
    assert await booking.book([accepted(order_id), filled(order_id, 1)]) == []
    assert appends == []


async def test_after_a_start_what_the_log_says_of_an_order_is_not_decided_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at the log tells everything about an order, but what a fill goes by that was changed."""
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    told = [accepted(order_id), filled(order_id, 1), filled(order_id, 3, "f-2")]
    correction = replace(filled(order_id, 2, "f-3"), status="corrected", busted_fill_id=FillId("f-2"))
    end = ended(order_id, "cancelled")
    before = Booking(engine.trading, FastClock(), "scripted")
    await before.book([*told, correction, end])
    assert (before.is_old(end), before.is_old(correction)) == (True, False)
    booking = Booking(engine.trading, FastClock(), "scripted")
    assert not booking.knows(order_id)
    assert [booking.is_old(each) for each in told] == [False, False, False]
    await booking.known(order_id)
    assert booking.knows(order_id)
    assert [booking.is_old(each) for each in (*told, end)] == [True, True, False, True]
    appends: list[object] = []
    monkeypatch.setattr(engine.store, "append", appends.append)
    assert await booking.book([*told[:2], end]) == []
    assert appends == []


@pytest.mark.parametrize("status", ["rejected", "expired", "cancelled"])
async def test_an_end_is_recorded_once_and_what_comes_later_of_such_an_order_is_booked(
    engine: Engine, status: str
) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    booking = Booking(engine.trading, FastClock(), "scripted")
    end = ended(order_id, status)
    await booking.book([accepted(order_id), end, end, filled(order_id, 1), end])
    kind = {"rejected": "OrderRejected", "expired": "OrderExpired", "cancelled": "OrderCancelled"}[status]
    assert await names(engine.store) == ["OrderPlaced", "OrderAccepted", kind, "OrderFilled"]


async def test_a_fill_that_is_taken_back_after_all_was_filled_lets_the_order_end_again(engine: Engine) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    booking = Booking(engine.trading, FastClock(), "scripted")
    bust = replace(accepted(order_id), status="busted", busted_fill_id=FillId("f-1"))
    await booking.book([accepted(order_id), filled(order_id, 10)])
    assert not booking.is_old(ended(order_id, "cancelled"))
    await booking.book([bust, ended(order_id, "cancelled")])
    assert (await booking.known(order_id)).status is Status.CANCELLED


def executed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """The commands that the engine is given from now on."""
    commands: list[Command] = []
    execute = engine.trading.sequencer.execute

    async def noted(command: Command) -> Outcome:
        commands.append(command)
        return await execute(command)

    monkeypatch.setattr(engine.trading.sequencer, "execute", noted)
    return commands


async def test_what_is_told_twice_at_the_same_time_is_decided_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    booking = Booking(engine.trading, FastClock(), "scripted")
    commands = executed(engine, monkeypatch)
    told = [accepted(order_id), filled(order_id, 1)]
    assert await asyncio.gather(booking.book(told), booking.book(told)) == [[], []]
    assert len(commands) == 1
    order = await booking.known(order_id)
    assert (order.status, order.filled_quantity) == (Status.PARTIALLY_FILLED, 1)


async def test_what_is_said_of_an_order_at_once_is_one_command_and_what_changes_a_fill_is_the_next(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fill that was corrected is known by two names, which the log knows when the correction is in it."""
    first, second = [(await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id for _ in range(2)]
    booking = Booking(engine.trading, FastClock(), "scripted")
    commands = executed(engine, monkeypatch)
    correction = replace(filled(first, 3, "f-2"), status="corrected", busted_fill_id=FillId("f-1"))
    bust = replace(filled(first, 3), status="busted", busted_fill_id=FillId("f-2"), fill=None)
    said = [accepted(first), filled(first, 4), accepted(second), correction, bust, ended(first, "cancelled")]
    assert await booking.book(said) == []
    assert [len(command.reports) for command in commands if isinstance(command, Record)] == [2, 1, 1, 2]
    assert await names(engine.store) == [
        "OrderPlaced",
        "OrderPlaced",
        "OrderAccepted",
        "OrderFilled",
        "OrderFillCorrected",
        "OrderAccepted",
        "OrderFillBusted",
        "OrderCancelled",
    ]


async def test_a_fill_and_an_order_of_the_venue_may_have_the_same_name(engine: Engine) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    booking = Booking(engine.trading, FastClock(), "scripted")
    await booking.book([accepted(order_id), filled(order_id, 10, f"v-{order_id}")])
    assert (await booking.known(order_id)).status is Status.FILLED


async def test_what_could_not_be_recorded_is_recorded_when_it_is_told_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    booking = Booking(engine.trading, FastClock(), "scripted")
    execute, broken = engine.trading.sequencer.execute, [ZeroDivisionError("once")]

    async def breaks_once(command: Command) -> Outcome:
        await asyncio.sleep(0)
        if broken:
            raise broken.pop()
        return await execute(command)

    monkeypatch.setattr(engine.trading.sequencer, "execute", breaks_once)
    told = [accepted(order_id)]
    first, second = await asyncio.gather(booking.book(told), booking.book(told), return_exceptions=True)
    assert isinstance(first, ZeroDivisionError)
    assert second == []
    assert (await booking.known(order_id)).status is Status.ACCEPTED


async def test_an_order_that_was_replaced_before_it_was_sent_is_still_to_be_acknowledged(engine: Engine) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    await engine.trading.change(ALICE, order_id, ReplaceOrder(quantity=Quantity(Decimal(5))), CALLER)
    booking = Booking(engine.trading, FastClock(), "scripted")
    for each in await engine.store.read(0, 100):
        if each.stream_id.startswith("order-"):
            booking.note(order_id, each.event)  # type: ignore[arg-type]
    await booking.book([accepted(order_id)])
    assert await names(engine.store) == ["OrderPlaced", "OrderReplaced", "OrderAccepted"]


async def test_an_order_that_must_be_known_and_is_not_is_an_error(engine: Engine) -> None:
    with pytest.raises(LookupError, match="no order nobody's"):
        await Booking(engine.trading, FastClock(), "scripted").known(OrderId("nobody's"))
