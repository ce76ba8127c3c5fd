import asyncio
import logging
from collections.abc import Sequence

import pytest

from application.booking import Booking
from application.facts import facts
from application.ports import StoreUnavailableError
from application.trading import Trading
from application.venue import (
    VenueBusyError,
    VenueHasOrderError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
)
from domain.commands import RecordAcceptance, RecordFill, RecordRejection, RecordSent
from domain.events import OrderFilled
from domain.values import OrderId
from tests.application.floor import DOWN, FOREVER, LISTENING, TIMEOUT, Floor
from tests.application.world import (
    ALICE,
    FastClock,
    accepted,
    cancel,
    ended,
    filled,
    names,
    report,
    until,
)


async def test_a_recorded_order_is_sent_under_its_own_id_and_accepted(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    assert await until(floor.engine.store, "OrderAccepted") == ["OrderPlaced", "OrderSent", "OrderAccepted"]
    assert ("submit", order_id) in floor.venue.calls
    assert floor.venue.count("submit") == 1


async def test_a_refused_order_is_rejected_after_one_attempt_with_the_venue_s_words(floor: Floor) -> None:
    floor.venue.submits.append(VenueRefusedError("40310000", "insufficient buying power"))
    floor.open()
    order = await floor.order(await _rejected(floor))
    assert (order.status, order.reason) == ("REJECTED", "insufficient buying power")
    assert floor.venue.count("submit") == 1
    assert (await floor.engine.trading.account(ALICE)).state.reserved == 0


async def _rejected(floor: Floor) -> OrderId:
    order_id = await floor.place()
    await until(floor.engine.store, "OrderRejected")
    return order_id


async def test_a_venue_that_is_never_reached_rejects_the_order_after_three_attempts(floor: Floor) -> None:
    floor.venue.submits.extend([DOWN] * 3)
    floor.venue.finds.extend([DOWN] * 9)
    floor.open()
    order = await floor.order(await _rejected(floor))
    assert order.reason == "the venue does not have the order after 3 attempts"
    assert await names(floor.engine.store) == ["OrderPlaced", "OrderSent", "OrderSent", "OrderSent", "OrderRejected"]
    assert [seconds for seconds in floor.clock.slept if seconds in {1.0, 2.0, 4.0}][:3] == [1.0, 2.0, 4.0]


async def test_a_lost_answer_is_looked_up_and_the_order_adopted(floor: Floor) -> None:
    floor.venue.submits.append("lost")
    floor.open()
    await floor.place()
    found = await until(floor.engine.store, "OrderAccepted")
    assert found == ["OrderPlaced", "OrderSent", "OrderRecovered", "OrderAccepted"]
    assert floor.venue.count("submit") == 1


async def test_an_order_the_venue_does_not_have_is_sent_again_under_the_same_id(floor: Floor) -> None:
    floor.venue.submits.append(TIMEOUT)
    floor.open()
    order_id = await floor.place()
    found = await until(floor.engine.store, "OrderAccepted")
    assert found == ["OrderPlaced", "OrderSent", "OrderSent", "OrderAccepted"]
    assert [call for call in floor.venue.calls if call[0] == "submit"] == [("submit", order_id)] * 2


async def test_an_order_that_may_be_there_is_given_up_only_after_repeated_proof(floor: Floor) -> None:
    floor.venue.submits.extend([TIMEOUT] * 3)
    floor.open()
    await _rejected(floor)
    assert floor.venue.count("submit") == 3
    asked = [call for call in floor.venue.calls if call[0] == "find"]
    assert len(asked) >= 1 + 1 + 3


async def test_as_long_as_the_venue_does_not_answer_the_order_is_unresolved_and_held(floor: Floor) -> None:
    floor.venue.submits.append("lost")
    floor.venue.finds.extend([TIMEOUT] * 100_000)
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderUnresolved")
    order = await floor.order(order_id)
    assert (order.status, order.flags) == ("PENDING", ("UNRESOLVED",))
    assert (await floor.engine.trading.account(ALICE)).state.reserved == 1_000
    floor.venue.finds.clear()
    found = await until(floor.engine.store, "OrderAccepted")
    assert found == ["OrderPlaced", "OrderSent", "OrderUnresolved", "OrderRecovered", "OrderAccepted"]
    assert (await floor.order(order_id)).flags == ()
    assert max(seconds for seconds in floor.clock.slept if seconds < FOREVER) <= 30


async def test_an_order_the_venue_says_it_has_is_never_given_up_although_it_does_not_show_it(floor: Floor) -> None:
    floor.venue.submits.append(VenueHasOrderError("client_order_id must be unique"))
    floor.venue.finds.extend([[]] * 100_000)
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderUnresolved")
    while floor.venue.count("find") < 20:
        await asyncio.sleep(0.001)
    assert (await floor.order(order_id)).flags == ("UNRESOLVED",)
    floor.venue.orders[order_id] = [accepted(order_id)]
    floor.venue.finds.clear()
    await until(floor.engine.store, "OrderRecovered", "OrderAccepted")
    assert floor.venue.count("submit") == 1


async def test_an_acknowledgement_by_stream_ends_the_asking(floor: Floor) -> None:
    floor.venue.submits.append(TIMEOUT)
    floor.venue.finds.extend([TIMEOUT] * 1_000)
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderUnresolved")
    floor.venue.stream.put_nowait(accepted(order_id))
    await until(floor.engine.store, "OrderAccepted")
    await asyncio.sleep(0.05)
    asked = floor.venue.count("find")
    await asyncio.sleep(0.05)
    assert floor.venue.count("find") == asked
    assert floor.venue.count("submit") == 1


async def test_an_acknowledgement_by_stream_during_the_pause_ends_the_attempts(floor: Floor) -> None:
    floor.venue.submits.append(TIMEOUT)
    floor.venue.finds.extend([[]] * 9)
    floor.open()
    order_id = await floor.place()
    while floor.venue.count("submit") == 0:
        await asyncio.sleep(0)
    await report(floor.engine.trading, order_id, RecordAcceptance("v-1"))
    await asyncio.sleep(0.1)
    assert floor.venue.count("submit") == 1
    assert await names(floor.engine.store) == ["OrderPlaced", "OrderSent", "OrderAccepted"]


async def test_an_order_that_its_trader_takes_back_while_the_venue_is_busy_is_not_sent_again(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = FastClock.sleep

    async def sleep(clock: FastClock, seconds: float) -> None:
        if seconds == 7.5:
            await cancel(floor.engine.trading, order_id)
        await usual(clock, seconds)

    monkeypatch.setattr(FastClock, "sleep", sleep)
    floor.venue.submits.append(VenueBusyError(7.5))
    order_id = await floor.place()
    floor.open()
    await until(floor.engine.store, "OrderCancelled")
    assert floor.venue.count("submit") == 1


async def test_a_busy_venue_is_waited_for_and_that_is_no_attempt(floor: Floor) -> None:
    floor.venue.submits.extend([VenueBusyError(7.5), VenueBusyError(7.5)])
    floor.open()
    await floor.place()
    assert await until(floor.engine.store, "OrderAccepted") == ["OrderPlaced", "OrderSent", "OrderAccepted"]
    assert floor.clock.slept.count(7.5) == 2


async def test_an_order_cancelled_before_it_was_sent_is_not_sent(floor: Floor) -> None:
    order_id = await floor.place()
    await cancel(floor.engine.trading, order_id)
    floor.open()
    await asyncio.sleep(0.05)
    assert floor.venue.count("submit") == 0


async def test_a_cancel_is_sent_to_the_venue_and_its_end_comes_by_stream(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    await cancel(floor.engine.trading, order_id)
    await until(floor.engine.store, "OrderCancelRequested")
    while floor.venue.count("cancel") == 0:
        await asyncio.sleep(0.001)
    floor.venue.stream.put_nowait(ended(order_id, "cancelled"))
    await until(floor.engine.store, "OrderCancelled")
    assert (await floor.order(order_id)).reason == "cancelled by the venue"


async def test_an_accepted_cancel_without_an_event_is_chased(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    await cancel(floor.engine.trading, order_id)
    while floor.venue.count("cancel") == 0:
        await asyncio.sleep(0.001)
    asked = floor.venue.count("find")
    while floor.venue.count("find") < asked + 4:
        await asyncio.sleep(0.001)
    assert floor.venue.count("cancel") > 1, "a promise that is not kept is asked for again"
    floor.venue.orders[order_id] += [ended(order_id, "cancelled", "as asked")]
    await until(floor.engine.store, "OrderCancelled")
    await asyncio.sleep(0.02)
    asked = floor.venue.count("find")
    await asyncio.sleep(0.02)
    assert floor.venue.count("find") == asked


async def test_open_orders_are_asked_for_now_and_then_although_the_stream_is_live(floor: Floor) -> None:
    floor.open(reconcile_seconds=77)
    floor.venue.stream.put_nowait(LISTENING)
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    floor.venue.orders[order_id] += [filled(order_id, 10)]
    await until(floor.engine.store, "OrderFilled")
    assert 77 in floor.clock.slept


async def test_a_cancel_before_the_acknowledgement_waits_for_the_venue_s_id(floor: Floor) -> None:
    floor.venue.submits.append(TIMEOUT)
    floor.venue.finds.extend([TIMEOUT] * 1_000)
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderUnresolved")
    await cancel(floor.engine.trading, order_id)
    await asyncio.sleep(0.01)
    assert floor.venue.count("cancel") == 0
    floor.venue.stream.put_nowait(accepted(order_id))
    while floor.venue.count("cancel") == 0:
        await asyncio.sleep(0.001)
    assert ("cancel", f"v-{order_id}") in floor.venue.calls


async def test_an_order_that_never_reached_the_venue_is_cancelled_without_it(floor: Floor) -> None:
    floor.venue.submits.append(DOWN)
    floor.venue.finds.extend([DOWN] * 99)
    floor.open()
    order_id = await floor.place()
    while floor.venue.count("submit") == 0:
        await asyncio.sleep(0)
    await cancel(floor.engine.trading, order_id)
    await until(floor.engine.store, "OrderCancelled")
    assert (await floor.order(order_id)).reason == "cancelled before it reached the venue"
    assert floor.venue.count("submit") == 1


async def test_an_order_that_may_be_there_is_looked_for_before_it_counts_as_cancelled(floor: Floor) -> None:
    floor.venue.submits.append("lost")
    floor.venue.finds.extend([[], []])
    floor.open()
    order_id = await floor.place()
    while floor.venue.count("submit") == 0:
        await asyncio.sleep(0)
    await cancel(floor.engine.trading, order_id)
    while floor.venue.count("cancel") == 0:
        await asyncio.sleep(0.001)
    assert "OrderRecovered" in await names(floor.engine.store)
    assert floor.venue.count("submit") == 1


async def test_a_refused_cancel_of_a_working_order_is_told(floor: Floor) -> None:
    floor.venue.cancels.append(VenueRefusedError("42210000", "order is not cancelable"))
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    await cancel(floor.engine.trading, order_id)
    await until(floor.engine.store, "OrderCancelRefused")
    order = await floor.order(order_id)
    assert (order.status, order.reason) == ("ACCEPTED", "order is not cancelable")


async def test_a_cancel_refused_because_the_order_is_over_books_the_end(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    floor.venue.cancels.append(VenueRefusedError("42210000", "order is already filled"))
    floor.venue.orders[order_id] += [filled(order_id, 10)]
    await cancel(floor.engine.trading, order_id)
    found = await until(floor.engine.store, "OrderFilled", "OrderCancelRefused")
    assert found[-3:] == ["OrderCancelRequested", "OrderFilled", "OrderCancelRefused"]
    await asyncio.sleep(0.01)
    assert (await floor.order(order_id)).status == "FILLED"


async def test_a_cancel_without_an_answer_is_sent_again(floor: Floor) -> None:
    floor.venue.cancels.extend([TIMEOUT, DOWN, VenueBusyError(1)])
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    await cancel(floor.engine.trading, order_id)
    while floor.venue.count("cancel") < 4:
        await asyncio.sleep(0.001)


async def test_fills_come_by_stream_once_each(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    for each in (filled(order_id, 4), filled(order_id, 4), filled(order_id, 6, "f-2"), accepted(order_id)):
        floor.venue.stream.put_nowait(each)
    found = await until(floor.engine.store, "OrderFilled", "OrderFilled")
    assert len(found) == 5
    assert (await floor.order(order_id)).status == "FILLED"
    floor.venue.stream.put_nowait(filled(order_id, 1, "f-3"))
    await until(floor.engine.store, "OrderFilled", "OrderFilled", "OrderFilled")
    assert (await floor.order(order_id)).flags == ("LATE_FILL", "OVERFILLED")


async def test_while_the_stream_is_down_the_venue_s_books_are_read_again_and_again(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    for number, quantity in enumerate((4, 6)):
        floor.venue.orders[order_id] += [filled(order_id, quantity, f"f-{number}")]
        while (await floor.order(order_id)).filled_quantity < sum((4, 6)[: number + 1]):
            floor.venue.stream.put_nowait(VenueOutcomeUnknownError("connection lost"))
            await asyncio.sleep(0.01)
    assert "OrderReconciled" not in await names(floor.engine.store), "without a stream, asking is the usual way"


async def test_what_happened_while_nobody_listened_is_found_when_the_stream_is_live_again(floor: Floor) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    floor.venue.orders[order_id] += [filled(order_id, 10)]
    while (await floor.order(order_id)).status != "FILLED":
        floor.venue.stream.put_nowait(LISTENING)
        await asyncio.sleep(0.01)


async def test_asking_goes_on_when_the_venue_does_not_answer_or_ends_its_stream(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    floor.venue.finds.append(TIMEOUT)
    floor.venue.orders[order_id] += [filled(order_id, 10)]
    while (await floor.order(order_id)).status != "FILLED":
        floor.venue.stream.put_nowait(None)
        await asyncio.sleep(0.01)
    assert "the venue does not say: timeout" in caplog.text


async def test_a_report_of_an_order_that_is_not_ours_is_loud(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    floor.open()
    floor.venue.stream.put_nowait(filled(OrderId("stranger"), 5))
    while "not ours" not in caplog.text:
        await asyncio.sleep(0.001)
    assert await names(floor.engine.store) == []


async def test_a_report_waits_for_the_store(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    usual = Trading.report
    failures = [StoreUnavailableError("down")] * 3

    async def delayed(*arguments: object) -> object:
        if failures:
            raise failures.pop()
        return await usual(*arguments)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(Trading, "report", delayed)
    floor.venue.stream.put_nowait(filled(order_id, 10))
    await until(floor.engine.store, "OrderFilled")
    assert failures == []


async def test_a_report_that_is_being_booked_when_work_ends_is_given_up(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = asyncio.Event()

    async def book(_booking: Booking, _reports: Sequence[VenueReport]) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            given_up.set()
            raise

    monkeypatch.setattr(Booking, "book", book)
    floor.open()
    floor.venue.stream.put_nowait(accepted(OrderId("x")))
    await asyncio.sleep(0.02)
    await floor.close()
    assert given_up.is_set()


async def test_a_fault_in_one_order_leaves_the_others_working(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    floor.venue.submits.append(ZeroDivisionError())
    floor.open()
    await floor.place()
    await until(floor.engine.store, "OrderSent")
    floor.venue.stream.put_nowait(VenueReport(client_order_id=OrderId("x"), venue_order_id="v", status="boom"))
    await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    assert "an order's work failed" in caplog.text


async def test_a_report_that_cannot_be_booked_leaves_the_stream_working(
    floor: Floor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    usual = Booking.book
    faults = [ZeroDivisionError()]

    async def book(self: Booking, reports: Sequence[VenueReport]) -> None:
        if faults:
            raise faults.pop()
        await usual(self, reports)

    monkeypatch.setattr(Booking, "book", book)
    floor.venue.stream.put_nowait(filled(order_id, 4))
    while "a report could not be booked" not in caplog.text:
        await asyncio.sleep(0.001)
    floor.venue.stream.put_nowait(filled(order_id, 6, "f-2"))
    await until(floor.engine.store, "OrderFilled")


async def test_what_the_stream_tells_of_an_order_at_once_is_recorded_together(floor: Floor) -> None:
    floor.open()
    first, second = [await floor.place() for _ in range(2)]
    await until(floor.engine.store, "OrderAccepted", "OrderAccepted")
    for said in (filled(first, 4), filled(second, 10, "f-2"), filled(first, 6, "f-3")):
        floor.venue.stream.put_nowait(said)
    await until(floor.engine.store, "OrderFilled", "OrderFilled", "OrderFilled")
    fills = [each for each in await floor.engine.store.read(0, 100) if isinstance(each.event, OrderFilled)]
    assert [each.event.fill_id for each in fills] == ["f-1", "f-3", "f-2"]
    assert fills[0].metadata.causation_id == fills[1].metadata.causation_id == f"order-{first}/3"


async def test_open_orders_are_resumed_wherever_they_were_left(floor: Floor) -> None:
    trading = floor.engine.trading
    never_sent, lost, working, cancelling, over = [await floor.place() for _ in range(5)]
    await report(trading, lost, RecordSent(1))
    floor.venue.orders[lost] = [accepted(lost), filled(lost, 10)]
    for order_id in (working, cancelling):
        await report(trading, order_id, RecordSent(1))
        await report(trading, order_id, RecordAcceptance(f"v-{order_id}"))
        floor.venue.orders[order_id] = [accepted(order_id)]
    floor.venue.orders[working] += [filled(working, 4)]
    await cancel(trading, cancelling)
    await cancel(trading, over)
    position = await floor.engine.store.position()
    floor.venue.stream.put_nowait(LISTENING)
    floor.open([never_sent, lost, working, cancelling, over], position)
    while ("cancel", f"v-{cancelling}") not in floor.venue.calls:
        await asyncio.sleep(0.001)
    expected = ["ACCEPTED", "FILLED", "PARTIALLY_FILLED", "PENDING_CANCEL", "CANCELLED"]
    while [(await floor.order(each)).status for each in (never_sent, lost, working, cancelling, over)] != expected:
        await asyncio.sleep(0.001)
    assert [call for call in floor.venue.calls if call[0] == "submit"] == [("submit", never_sent)]


@pytest.mark.parametrize("attempts", [1, 2, 3])
async def test_an_order_that_another_worker_sent_is_looked_for_although_the_read_model_does_not_know_it(
    floor: Floor, attempts: int
) -> None:
    order_id = await floor.place()
    for attempt in range(1, attempts + 1):
        await report(floor.engine.trading, order_id, RecordSent(attempt))
    floor.venue.orders[order_id] = [accepted(order_id)]
    floor.open((), 0)
    assert (await until(floor.engine.store, "OrderAccepted"))[-2:] == ["OrderRecovered", "OrderAccepted"]
    assert floor.venue.count("submit") == 0


async def test_an_order_that_another_worker_sent_and_its_trader_wants_back_is_looked_for_first(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await cancel(floor.engine.trading, order_id)
    floor.venue.orders[order_id] = [accepted(order_id)]
    floor.open((), 0)
    while ("cancel", f"v-{order_id}") not in floor.venue.calls:
        await asyncio.sleep(0.001)
    assert (await floor.order(order_id)).status == "PENDING_CANCEL"
    assert floor.venue.count("submit") == 0


async def test_not_found_is_proof_only_when_nothing_comes_between(floor: Floor) -> None:
    floor.venue.submits.extend([TIMEOUT] * 3)
    floor.venue.finds.extend([[], [], [], [], TIMEOUT, [], []])
    floor.open()
    order_id = await floor.place()
    floor.venue.orders[order_id] = [accepted(order_id)]
    await until(floor.engine.store, "OrderRecovered", "OrderAccepted")
    assert not floor.venue.finds


async def test_an_order_that_another_worker_meant_to_send_is_sent(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    floor.open((), 0)
    await until(floor.engine.store, "OrderSent", "OrderAccepted")
    assert floor.venue.count("submit") == 1


async def test_an_order_that_is_partly_filled_before_it_is_acknowledged_is_not_sent_again(floor: Floor) -> None:
    floor.venue.submits.append(TIMEOUT)
    floor.venue.finds.extend([[]] * 100_000)
    floor.open()
    order_id = await floor.place()
    while floor.venue.count("submit") == 0:
        await asyncio.sleep(0)
    await report(floor.engine.trading, order_id, facts(filled(order_id, 4), "v")[1])
    await asyncio.sleep(0.05)
    assert floor.venue.count("submit") == 1
    assert floor.venue.count("find") < 10
    assert (await floor.order(order_id)).status == "PARTIALLY_FILLED"


async def test_an_order_that_was_heard_of_by_a_fill_only_is_asked_for_and_not_sent_at_the_next_start(
    floor: Floor,
) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, facts(filled(order_id, 4), "v")[1])
    floor.venue.orders[order_id] = [accepted(order_id), filled(order_id, 4)]
    floor.open([order_id], await floor.engine.store.position())
    await until(floor.engine.store, "OrderAccepted")
    assert floor.venue.count("submit") == 0


async def test_an_order_lost_after_its_last_attempt_is_not_sent_a_fourth_time(floor: Floor) -> None:
    order_id = await floor.place()
    for attempt in (1, 2, 3):
        await report(floor.engine.trading, order_id, RecordSent(attempt))
    floor.open([order_id], await floor.engine.store.position())
    await until(floor.engine.store, "OrderRejected")
    assert floor.venue.count("submit") == 0


def test_what_a_report_says_as_facts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    order_id = OrderId("o")
    assert facts(ended(order_id, "rejected", "no"), "v") == [RecordRejection("VENUE_REJECTED", "no", "v-o")]
    assert [type(fact) for fact in facts(filled(order_id, 1), "v")] == [RecordAcceptance, RecordFill]
    assert len(facts(ended(order_id, "expired"), "v")) == 2
    assert len(facts(ended(order_id, "cancel_refused", "no"), "v")) == 2
    without_id = VenueReport(client_order_id=order_id, venue_order_id="", status="other")
    assert facts(without_id, "v") == []
