"""The venue's books against ours."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from application.booking import Booking
from application.inquiries import Inquiries
from application.ports import StoreUnavailableError
from application.reconciliation import GRACE_SECONDS, Reconciler
from application.venue import VenueReport, VenueTerms
from application.watching import OpenOrders
from domain.commands import RecordAcceptance, RecordNeverArrived, RecordSent
from domain.events import OrderFilled, OrderReconciled, RecordedEvent, UnknownOrderReported
from domain.values import FillId, OrderId, Price, Quantity
from tests.application.floor import LISTENING, TIMEOUT, Fixed, Floor
from tests.application.world import (
    ALICE,
    TEN_AT_100,
    FastClock,
    ScriptedVenue,
    accepted,
    cancel,
    ended,
    filled,
    names,
    report,
    state,
    until,
    working,
)


async def log_of(floor: Floor) -> list[RecordedEvent]:
    return list(await floor.engine.store.read(0, 10_000))


async def unknown(floor: Floor) -> list[UnknownOrderReported]:
    return [each.event for each in await log_of(floor) if isinstance(each.event, UnknownOrderReported)]


async def differences(floor: Floor) -> list[OrderReconciled]:
    return [each.event for each in await log_of(floor) if isinstance(each.event, OrderReconciled)]


async def looked(floor: Floor, times: int = 2) -> None:
    """Wait until the venue's books were read so often again."""
    before = floor.venue.count("working")
    while floor.venue.count("working") < before + times:
        await asyncio.sleep(0.001)


async def test_books_that_agree_are_left_alone(floor: Floor) -> None:
    floor.open(reconcile_seconds=30)
    await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    asked = floor.venue.count("find")
    await looked(floor, 3)
    assert floor.venue.count("find") == asked
    assert await differences(floor) == []


async def test_whoever_asks_for_a_comparison_while_another_goes_on_shares_the_next(floor: Floor) -> None:
    floor.venue.working = {"v-9": working(OrderId("stranger"), venue_order_id="v-9")}
    booking, open_orders, fixed = Booking(floor.engine.trading, floor.clock, "scripted"), OpenOrders(), Fixed()
    inquiries = Inquiries(floor.venue, booking, fixed, floor.clock, open_orders)
    reconciler = Reconciler(
        floor.venue, booking, inquiries, bookkeeping=fixed, open_orders=open_orders, clock=floor.clock
    )
    await asyncio.gather(*(reconciler.reconcile() for _ in range(5)))
    assert floor.venue.count("executions") == 2
    going_on, waiting = [asyncio.create_task(reconciler.reconcile()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(going_on, waiting, return_exceptions=True)
    await asyncio.gather(*(reconciler.reconcile() for _ in range(5)))
    assert floor.venue.count("executions") == 5, "whoever gave up waiting keeps nobody else from it"


async def test_what_the_stream_did_not_tell_is_recorded_as_a_difference_and_booked(floor: Floor) -> None:
    floor.open(reconcile_seconds=30)
    floor.venue.stream.put_nowait(LISTENING)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    floor.venue.orders[order_id] += [filled(order_id, 4)]
    await until(floor.engine.store, "OrderReconciled", "OrderFilled")
    (found,) = await differences(floor)
    assert (found.venue_status, found.venue_filled_quantity, found.filled_quantity) == ("new", Decimal(4), Decimal(0))
    floor.venue.orders[order_id] += [ended(order_id, "cancelled")]
    await until(floor.engine.store, "OrderReconciled", "OrderCancelled")
    assert (await differences(floor))[1].venue_status == "not working"


async def test_other_terms_at_the_venue_are_a_difference(floor: Floor) -> None:
    floor.open(reconcile_seconds=30)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    smaller = VenueTerms(Quantity(Decimal(7)), Price(Decimal(100)), None)
    restated = replace(accepted(order_id), status="replaced", terms=smaller)
    floor.venue.orders[order_id] += [restated]
    await until(floor.engine.store, "OrderReconciled", "OrderReplaced")
    assert (await floor.order(order_id)).current.quantity == Decimal(7)


async def test_terms_that_the_venue_changed_by_itself_are_booked_although_whoever_asks_is_not_told(
    floor: Floor,
) -> None:
    floor.open(reconcile_seconds=30)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    smaller = VenueTerms(Quantity(Decimal(7)), Price(Decimal(100)), None)
    floor.venue.orders[order_id] = [replace(accepted(order_id), terms=smaller)]
    await until(floor.engine.store, "OrderReconciled", "OrderReplaced")
    assert (await floor.order(order_id)).current.quantity == 7


async def test_what_works_beside_the_order_that_took_its_place_is_recorded_and_asked_for(floor: Floor) -> None:
    floor.open(reconcile_seconds=30)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    old = f"v-{order_id}"
    now = replace(accepted(order_id), venue_order_id="v-2", status="replaced", terms=TEN_AT_100)
    floor.venue.orders[order_id] = [accepted(order_id), replace(accepted(order_id), status="superseded"), now]
    floor.venue.stream.put_nowait(now)
    await until(floor.engine.store, "OrderReplaced")
    floor.venue.working[old] = working(order_id, venue_order_id=old)
    await until(floor.engine.store, "OrderReconciled")
    while ("cancel", old) not in floor.venue.calls:
        await asyncio.sleep(0.001)
    (found,) = await differences(floor)
    assert (found.venue_order_id, found.reason) == (old, "it works at the venue beside the one that is known here")


async def test_a_difference_that_goes_away_by_itself_is_none(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = FastClock.sleep

    async def sleep(clock: FastClock, seconds: float) -> None:
        if seconds == GRACE_SECONDS and "OrderFilled" not in await names(floor.engine.store):
            floor.venue.stream.put_nowait(filled(order_id, 4))
            await until(floor.engine.store, "OrderFilled")
        await usual(clock, seconds)

    floor.open(reconcile_seconds=30)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    monkeypatch.setattr(FastClock, "sleep", sleep)
    floor.venue.orders[order_id] += [filled(order_id, 4)]
    await until(floor.engine.store, "OrderFilled")
    await looked(floor, 3)
    assert await differences(floor) == []


async def test_a_comparison_that_fails_is_not_the_last(
    floor: Floor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedVenue, "executions", None)
    floor.open(reconcile_seconds=30)
    while "could not be compared" not in caplog.text:
        await asyncio.sleep(0.001)
    monkeypatch.undo()
    await looked(floor, 2)


async def test_an_order_that_is_over_here_and_works_there_is_recorded_and_cancelled_there(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, RecordNeverArrived("nobody has it"))
    floor.venue.orders[order_id] = [accepted(order_id)]
    floor.open(reconcile_seconds=30)
    while ("cancel", f"v-{order_id}") not in floor.venue.calls:
        await asyncio.sleep(0.001)
    # The clock runs fast: books may be compared again before the cancel is through, and something differs again.
    found, *again = await differences(floor)
    assert (found.reason, found.status) == ("it works at the venue and is over here", "REJECTED")
    assert {(each.reason, each.status) for each in again} <= {
        (found.reason, "REJECTED"),
        ("the venue has the order after all", "REJECTED"),
    }
    assert (await floor.engine.trading.account(ALICE)).state.reserved == 0


async def test_a_late_acknowledgement_of_an_order_that_was_given_up_leads_to_its_cancel(floor: Floor) -> None:
    floor.venue.submits.extend([TIMEOUT] * 3)
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderRejected")
    floor.venue.stream.put_nowait(accepted(order_id))
    while ("cancel", f"v-{order_id}") not in floor.venue.calls:
        await asyncio.sleep(0.001)
    (found,) = await differences(floor)
    assert found.reason == "the venue has the order after all"
    floor.venue.stream.put_nowait(filled(order_id, 3))
    await until(floor.engine.store, "OrderFilled")
    assert state(await floor.order(order_id)) == ("REJECTED", Decimal(3), ("LATE_FILL",))


async def test_an_order_that_is_not_ours_is_reported_once_for_each_state_it_is_in(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    floor.venue.working["v-77"] = working(OrderId("somebody's"), quantity=5, venue_order_id="v-77")
    floor.open(reconcile_seconds=30)
    while not await unknown(floor):
        await asyncio.sleep(0.001)
    await looked(floor, 4)
    (found,) = await unknown(floor)
    assert (found.venue_order_id, found.client_order_id, found.quantity) == ("v-77", "somebody's", Decimal(5))
    assert (found.symbol, found.side, found.venue_status) == ("ACME", "BUY", "new")
    assert "not ours" in caplog.text
    floor.venue.working["v-77"] = replace(floor.venue.working["v-77"], filled_quantity=Decimal(2))
    while len(await unknown(floor)) < 2:
        await asyncio.sleep(0.001)
    assert floor.venue.count("cancel") == 0, "what is not ours is not ours to cancel"


async def test_an_order_known_by_the_venue_s_id_only_is_ours_all_the_same(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, RecordAcceptance("v-leg"))
    await cancel(floor.engine.trading, order_id)
    floor.fixed = Fixed([], await floor.engine.store.position(), {"v-leg": order_id})
    floor.venue.working["v-leg"] = working(OrderId("the venue's own name"), venue_order_id="v-leg")
    floor.open(reconcile_seconds=30)
    await looked(floor, 3)
    assert await unknown(floor) == []


async def test_every_execution_since_the_last_one_is_booked_whatever_became_of_its_order(floor: Floor) -> None:
    order_id = await floor.place()
    await cancel(floor.engine.trading, order_id)
    late = replace(filled(order_id, 4), client_order_id=OrderId(""), venue_order_id="v-1")
    floor.venue.executed = [late]
    floor.venue.owners["v-1"] = order_id
    at = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
    floor.venue.executed.insert(0, replace(accepted(order_id), status="busted", venue_order_id="v-1"))
    floor.fixed = Fixed([], await floor.engine.store.position(), {}, at)
    floor.open(reconcile_seconds=30)
    await until(floor.engine.store, "OrderFilled")
    assert state(await floor.order(order_id)) == ("CANCELLED", Decimal(4), ("LATE_FILL",))
    asked = [moment for call, moment in floor.venue.calls if call == "executions"]
    assert asked[0] == "2026-11-20T11:29:00+00:00"
    await looked(floor, 2)
    assert floor.venue.count("whose") == 1, "what is booked needs no question"
    assert [moment for call, moment in floor.venue.calls if call == "executions"][-1] == "2026-11-20T11:59:00+00:00"


async def test_executions_are_booked_as_they_happened_whichever_question_is_answered_first(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = [await floor.place(), await floor.place()]
    for order_id in order_ids:
        await cancel(floor.engine.trading, order_id)
    floor.venue.owners = {"v-1": order_ids[0], "v-2": order_ids[1]}
    happened = [("v-1", "f-1"), ("v-2", "f-2"), ("v-1", "f-3")]
    floor.venue.executed = [
        replace(filled(OrderId(""), 4, fill_id), venue_order_id=venue_id) for venue_id, fill_id in happened
    ]
    usual, second_is_known = ScriptedVenue.client_order_id, asyncio.Event()

    async def answered(venue: ScriptedVenue, venue_order_id: str) -> OrderId | None:
        if venue_order_id == "v-1":
            await second_is_known.wait()
        second_is_known.set()
        return await usual(venue, venue_order_id)

    monkeypatch.setattr(ScriptedVenue, "client_order_id", answered)
    floor.open(reconcile_seconds=30)
    await until(floor.engine.store, "OrderFilled", "OrderReconciled", "OrderFilled", "OrderFilled")
    fills = [each.event.fill_id for each in await log_of(floor) if isinstance(each.event, OrderFilled)]
    assert fills == ["f-1", "f-2", "f-3"]
    assert floor.venue.count("whose") == 2


async def test_an_execution_of_an_order_known_by_the_venue_s_id_only_is_booked(floor: Floor) -> None:
    order_id = await floor.place()
    await cancel(floor.engine.trading, order_id)
    floor.venue.executed = [replace(filled(order_id, 4), client_order_id=OrderId(""), venue_order_id="v-leg")]
    floor.venue.owners["v-leg"] = OrderId("the venue's own name")
    floor.fixed = Fixed([], await floor.engine.store.position(), {"v-leg": order_id})
    floor.open(reconcile_seconds=30)
    await until(floor.engine.store, "OrderFilled")


async def test_an_execution_of_an_order_that_is_remembered_needs_no_question(floor: Floor) -> None:
    floor.open(reconcile_seconds=30)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    await looked(floor, 2)
    floor.venue.executed = [replace(filled(order_id, 10), client_order_id=OrderId(""))]
    floor.venue.orders[order_id] += [filled(order_id, 10)]
    while (await floor.order(order_id)).status != "FILLED":
        await asyncio.sleep(0.001)
    assert floor.venue.count("whose") == 0


async def test_an_execution_of_nobody_s_order_is_reported(floor: Floor) -> None:
    floor.venue.executed = [replace(filled(OrderId(""), 4), venue_order_id="v-9")]
    floor.open(reconcile_seconds=30)
    while not await unknown(floor):
        await asyncio.sleep(0.001)
    (found,) = await unknown(floor)
    assert (found.venue_order_id, found.filled_quantity, found.venue_status) == ("v-9", Decimal(4), "filled")


async def test_executions_are_read_again_until_nobody_s_are_reported(floor: Floor) -> None:
    floor.fixed = Fixed()
    floor.venue.executed = [replace(filled(OrderId(""), 4), venue_order_id="v-9")]
    floor.open(reconcile_seconds=30)
    while not await unknown(floor):
        assert floor.fixed.executed_at is None
        await asyncio.sleep(0.001)
    while floor.fixed.executed_at is None:
        await asyncio.sleep(0.001)


async def test_a_bust_and_a_correction_are_booked_under_the_fill_s_first_name(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    floor.venue.stream.put_nowait(filled(order_id, 6))
    floor.venue.stream.put_nowait(replace(filled(order_id, 5, "f-2"), status="corrected", busted_fill_id=FillId("f-1")))
    await until(floor.engine.store, "OrderFillCorrected")
    busted = replace(accepted(order_id), status="busted", busted_fill_id=FillId("f-2"), reason="TRADE_BUST")
    for _ in range(2):
        floor.venue.stream.put_nowait(busted)
    floor.venue.stream.put_nowait(filled(order_id, 10, "f-3"))
    await until(floor.engine.store, "OrderFillBusted", "OrderFilled")
    assert state(await floor.order(order_id)) == ("FILLED", Decimal(10), ())


async def test_an_order_that_a_bust_reopens_is_watched_again(floor: Floor) -> None:
    floor.open(reconcile_seconds=30)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    floor.venue.orders[order_id] += [filled(order_id, 10)]
    floor.venue.stream.put_nowait(filled(order_id, 10))
    await until(floor.engine.store, "OrderFilled")
    busted = replace(accepted(order_id), status="busted", busted_fill_id=FillId("f-1"))
    floor.venue.orders[order_id] += [busted, ended(order_id, "cancelled", "not worked any more")]
    floor.venue.stream.put_nowait(busted)
    await until(floor.engine.store, "OrderCancelled")
    assert (await floor.engine.trading.account(ALICE)).state.reserved == 0


async def test_books_that_cannot_be_read_are_read_again(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    floor.venue.working_errors.extend([TIMEOUT, TIMEOUT])
    floor.open(reconcile_seconds=30)
    floor.venue.stream.put_nowait(None)
    await looked(floor, 3)
    assert "books cannot be read" in caplog.text


async def test_an_order_placed_while_the_books_are_compared_is_no_stranger(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue's list shows it before the log does here, and after it."""
    usual = FastClock.sleep

    async def sleep(clock: FastClock, seconds: float) -> None:
        if seconds == GRACE_SECONDS and len(await names(floor.engine.store)) < 2:
            order_id = await floor.place()
            await until(floor.engine.store, "OrderAccepted")
            floor.venue.working["v-1"] = working(order_id, venue_order_id="v-1")
        await usual(clock, seconds)

    monkeypatch.setattr(FastClock, "sleep", sleep)
    floor.venue.working["v-1"] = working(OrderId("00000000-0000-4000-8000-000000000001"), venue_order_id="v-1")
    floor.open(reconcile_seconds=30)
    await until(floor.engine.store, "OrderAccepted")
    await looked(floor, 3)
    assert await unknown(floor) == []


async def test_an_order_that_works_again_meanwhile_is_left_alone(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, RecordAcceptance("v-1"))
    floor.fixed = Fixed([], await floor.engine.store.position())
    floor.venue.working["v-1"] = working(order_id, venue_order_id="v-1")
    floor.open(reconcile_seconds=30)
    await looked(floor, 4)
    assert (await unknown(floor), await differences(floor), floor.venue.count("cancel")) == ([], [], 0)


async def test_a_report_of_an_order_known_by_the_venue_s_id_only_is_booked(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, RecordAcceptance("v-9"))
    floor.fixed = Fixed([], await floor.engine.store.position(), known={"v-9": order_id})
    floor.open()
    floor.venue.stream.put_nowait(replace(filled(OrderId("leg"), 4), venue_order_id="v-9"))
    await until(floor.engine.store, "OrderFilled")
    assert await unknown(floor) == []


async def test_a_stranger_s_reports_are_recorded_once(floor: Floor) -> None:
    floor.open(reconcile_seconds=30)
    stranger = VenueReport(client_order_id=OrderId("leg"), venue_order_id="v-9", status="accepted")
    floor.venue.stream.put_nowait(stranger)
    floor.venue.stream.put_nowait(replace(filled(OrderId("leg"), 1), venue_order_id="v-9"))
    while not await unknown(floor):
        await asyncio.sleep(0.001)
    floor.venue.executed = [replace(filled(OrderId(""), 1), venue_order_id="v-9")]
    await looked(floor, 3)
    assert len(await unknown(floor)) == 1
    assert floor.venue.count("whose") == 0


async def test_listening_goes_on_when_the_store_is_away(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    floor.fixed = Fixed(errors=[StoreUnavailableError("down"), StoreUnavailableError("down")])
    floor.open()
    floor.venue.stream.put_nowait(LISTENING)
    floor.venue.stream.put_nowait(TIMEOUT)
    while caplog.text.count("without the store") < 2:
        await asyncio.sleep(0.001)
    order_id = await floor.place()
    floor.venue.stream.put_nowait(filled(order_id, 10))
    while (await floor.order(order_id)).status != "FILLED":
        await asyncio.sleep(0.001)
