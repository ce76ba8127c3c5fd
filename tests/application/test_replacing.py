"""Replacements on their way to the venue and back."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace as replace_in
from decimal import Decimal

import pytest

from application.venue import Sought, VenueBusyError, VenueRefusedError, VenueReplacement, VenueReport
from domain.commands import RecordAcceptance, RecordSent, ReplaceOrder
from domain.refusals import InsufficientFunds, OrderChanged
from domain.values import OrderId, Price, Quantity
from tests.application.floor import DOWN, LISTENING, TIMEOUT, Floor
from tests.application.world import (
    ALICE,
    CALLER,
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
)


async def replace(floor: Floor, order_id: OrderId, quantity: int | None = None, price: int | None = None) -> None:
    request = ReplaceOrder(
        quantity=None if quantity is None else Quantity(Decimal(quantity)),
        price=None if price is None else Price(Decimal(price)),
    )
    await floor.engine.trading.change(ALICE, order_id, request, CALLER)


async def accept(floor: Floor) -> OrderId:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    return order_id


async def reserved(floor: Floor) -> Decimal:
    return (await floor.engine.trading.account(ALICE)).state.reserved


async def test_an_order_is_replaced_at_the_venue_under_the_replacement_s_own_name(floor: Floor) -> None:
    order_id = await accept(floor)
    await replace(floor, order_id, quantity=20)
    found = await until(floor.engine.store, "OrderReplaced")
    assert found[-2:] == ["OrderReplaceRequested", "OrderReplaced"]
    assert ("replace", f"{order_id}.1") in floor.venue.calls
    order = await floor.order(order_id)
    assert state(order) == ("ACCEPTED", 0, ())
    assert (order.current.quantity, order.venue_order_id) == (Decimal(20), f"v-{order_id}.1")
    (sent,) = floor.venue.replacements
    assert (sent.quantity, sent.price) == (Decimal(20), None), "the venue is told only what changes"
    assert await reserved(floor) == 2_000


async def test_an_order_that_never_left_is_replaced_at_once_and_sent_as_it_is_then(floor: Floor) -> None:
    order_id = await floor.place()
    await replace(floor, order_id, price=50)
    assert await names(floor.engine.store) == ["OrderPlaced", "OrderReplaced"]
    floor.open()
    await until(floor.engine.store, "OrderAccepted")
    assert [order.price for order in floor.venue.submitted] == [50]
    assert await reserved(floor) == 500


async def test_several_replacements_at_once_are_carried_out_one_after_the_other(floor: Floor) -> None:
    order_id = await accept(floor)
    await asyncio.gather(replace(floor, order_id, quantity=20), replace(floor, order_id, quantity=30))
    await replace(floor, order_id, price=90)
    while (order := await floor.order(order_id)).status != "ACCEPTED":
        await asyncio.sleep(0.001)
    assert order.current[:2] == (Decimal(30), Decimal(90))
    assert [each.number for each in floor.venue.replacements] == [1, 2, 3]
    assert await reserved(floor) == 2_700


async def test_more_than_the_account_carries_is_refused_and_nothing_is_asked(floor: Floor) -> None:
    order_id = await accept(floor)
    with pytest.raises(InsufficientFunds) as caught:
        await replace(floor, order_id, quantity=2_000)
    assert caught.value.message == "Insufficient funds for $200,000.00 order; available: $100,000.00"
    assert floor.venue.replacements == []


async def test_a_request_for_another_version_than_it_is_at_is_refused(floor: Floor) -> None:
    order_id = await floor.place()
    request = ReplaceOrder(quantity=Quantity(Decimal(20)))
    with pytest.raises(OrderChanged):
        await floor.engine.trading.change(ALICE, order_id, request, CALLER, {2, 3})
    await floor.engine.trading.change(ALICE, order_id, request, CALLER, {1})


async def test_a_refused_replacement_leaves_the_order_as_it_was(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append(VenueRefusedError("42210000", "qty must be > filled_qty"))
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaceRefused")
    order = await floor.order(order_id)
    assert (state(order)[0], order.reason) == ("ACCEPTED", "qty must be > filled_qty")
    assert order.current.quantity == Decimal(10)
    assert await reserved(floor) == 1_000


async def test_what_ended_the_order_comes_before_the_refusal(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append(VenueRefusedError("42210000", "order is filled"))
    floor.venue.orders[order_id] += [filled(order_id, 10)]
    await replace(floor, order_id, quantity=20)
    found = await until(floor.engine.store, "OrderFilled", "OrderReplaceRefused")
    assert found.count("OrderReplaceRefused") == 1
    assert (await floor.order(order_id)).status == "FILLED"


async def test_a_lost_answer_is_looked_up_before_the_replacement_is_tried_again(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append("lost")
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaced")
    assert floor.venue.count("replace") == 1


async def test_a_replacement_that_did_not_arrive_is_tried_again_under_the_same_name(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.extend([TIMEOUT, DOWN])
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaced")
    assert [call for call in floor.venue.calls if call[0] == "replace"] == [("replace", f"{order_id}.1")] * 3


async def test_a_replacement_is_given_up_only_after_repeated_proof_and_holds_its_funds_until_then(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.extend([TIMEOUT] * 3)
    asked = floor.venue.count("find")
    await replace(floor, order_id, quantity=20)
    assert await reserved(floor) == 2_000
    await until(floor.engine.store, "OrderReplaceRefused")
    assert floor.venue.count("find") - asked >= 1 + 1 + 3
    assert (await floor.order(order_id)).reason == "the venue did not replace the order in 3 attempts"
    assert await reserved(floor) == 1_000


async def test_as_long_as_the_venue_does_not_answer_the_replacement_is_pending(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append("lost")
    floor.venue.finds.extend([TIMEOUT] * 100_000)
    await replace(floor, order_id, quantity=20)
    asked = floor.venue.count("find")
    while floor.venue.count("find") < asked + 20:
        await asyncio.sleep(0.001)
    assert (await floor.order(order_id)).status == "PENDING_REPLACE"
    floor.venue.finds.clear()
    await until(floor.engine.store, "OrderReplaced")


async def test_the_stream_may_answer_first(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append("lost")
    floor.venue.finds.extend([TIMEOUT] * 100_000)
    await replace(floor, order_id, quantity=20)
    while len(floor.venue.orders[order_id]) == 1:
        await asyncio.sleep(0.001)
    floor.venue.stream.put_nowait(floor.venue.orders[order_id][-1])
    await until(floor.engine.store, "OrderReplaced")
    await asyncio.sleep(0.02)
    asked = floor.venue.count("find")
    await asyncio.sleep(0.02)
    assert floor.venue.count("find") == asked


async def test_a_replacement_that_lands_after_it_was_given_up_is_booked_as_what_it_is(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.extend([TIMEOUT] * 3)
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaceRefused")
    late = await floor.venue.replace(floor.venue.replacements[0])
    floor.venue.stream.put_nowait(late[-1])
    await until(floor.engine.store, "OrderReplaced")
    assert (await floor.order(order_id)).current.quantity == 20
    assert await reserved(floor) == 2_000


async def test_a_busy_venue_is_waited_for_and_that_is_no_attempt_to_replace(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append(VenueBusyError(7.5))
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaced")
    assert 7.5 in floor.clock.slept
    assert not [seconds for seconds in floor.clock.slept if seconds == 2.0]


async def test_the_stream_may_answer_while_a_busy_venue_is_waited_for(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = FastClock.sleep

    async def sleep(clock: FastClock, seconds: float) -> None:
        if seconds == 7.5:
            answer = await floor.venue.replace(floor.venue.replacements[0])
            floor.venue.stream.put_nowait(answer[-1])
            await until(floor.engine.store, "OrderReplaced")
        await usual(clock, seconds)

    order_id = await accept(floor)
    monkeypatch.setattr(FastClock, "sleep", sleep)
    floor.venue.replaces.append(VenueBusyError(7.5))
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaced")
    await asyncio.sleep(0.02)
    assert floor.venue.count("replace") == 2


async def test_an_order_refused_by_stream_works_on_as_it_was(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append(TIMEOUT)
    floor.venue.finds.extend([TIMEOUT] * 100_000)
    await replace(floor, order_id, quantity=20)
    floor.venue.stream.put_nowait(ended(order_id, "replace_refused", "not now"))
    await until(floor.engine.store, "OrderReplaceRefused")
    assert (await floor.order(order_id)).reason == "not now"


async def test_a_replacement_before_the_acknowledgement_waits_for_the_venue_s_id(floor: Floor) -> None:
    floor.venue.submits.append(TIMEOUT)
    floor.venue.finds.extend([TIMEOUT] * 1_000)
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderUnresolved")
    await replace(floor, order_id, quantity=20)
    await asyncio.sleep(0.01)
    assert floor.venue.count("replace") == 0
    floor.venue.stream.put_nowait(accepted(order_id))
    floor.venue.finds.clear()
    await until(floor.engine.store, "OrderReplaced")


async def test_an_order_whose_replacement_waits_is_sent_again_on_the_terms_it_has(floor: Floor) -> None:
    floor.venue.submits.append(DOWN)
    floor.venue.finds.append(DOWN)
    floor.open()
    order_id = await floor.place()
    while floor.venue.count("submit") == 0:
        await asyncio.sleep(0)
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaced")
    assert [order.quantity for order in floor.venue.submitted] == [10, 10]


async def test_terms_that_are_there_already_need_no_venue(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.extend([TIMEOUT, VenueRefusedError("422", "no")])
    await replace(floor, order_id, quantity=20)
    await replace(floor, order_id, quantity=10)
    found = await until(floor.engine.store, "OrderReplaceRefused", "OrderReplaced")
    assert found.count("OrderReplaceRequested") == 2
    assert [each.number for each in floor.venue.replacements] == [1, 1]
    assert state(await floor.order(order_id)) == ("ACCEPTED", 0, ())


async def test_a_cancel_overtakes_a_replacement_that_waits(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append(TIMEOUT)
    floor.venue.finds.extend([TIMEOUT] * 100_000)
    await replace(floor, order_id, quantity=20)
    while floor.venue.count("replace") == 0:
        await asyncio.sleep(0.001)
    await cancel(floor.engine.trading, order_id)
    while floor.venue.count("cancel") == 0:
        await asyncio.sleep(0.001)
    floor.venue.stream.put_nowait(ended(order_id, "cancelled"))
    await until(floor.engine.store, "OrderCancelled")
    assert await reserved(floor) == 0


async def test_a_cancel_that_met_a_replaced_order_goes_to_the_one_that_works_now(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append("lost")
    floor.venue.finds.extend([TIMEOUT] * 100_000)
    await replace(floor, order_id, quantity=20)
    while len(floor.venue.orders[order_id]) == 1:
        await asyncio.sleep(0.001)
    usual = ScriptedVenue.cancel

    async def cancel_here(self: ScriptedVenue, venue_order_id: str) -> None:
        self.finds.clear()
        await usual(self, venue_order_id)
        if venue_order_id == f"v-{order_id}":
            raise VenueRefusedError("42210000", "order is already replaced")

    monkeypatch.setattr(ScriptedVenue, "cancel", cancel_here)
    await cancel(floor.engine.trading, order_id)
    while ("cancel", f"v-{order_id}.1") not in floor.venue.calls:
        await asyncio.sleep(0.001)
    assert "OrderCancelRefused" not in await names(floor.engine.store)


async def test_a_refused_cancel_takes_the_replacement_up_again(floor: Floor) -> None:
    order_id = await accept(floor)
    floor.venue.replaces.append(TIMEOUT)
    floor.venue.cancels.append(VenueRefusedError("422", "not now"))
    await replace(floor, order_id, quantity=20)
    await cancel(floor.engine.trading, order_id)
    await until(floor.engine.store, "OrderReplaced")
    assert (await floor.order(order_id)).status == "ACCEPTED"


async def test_a_pending_replacement_is_resumed(floor: Floor) -> None:
    order_id = await floor.place()
    await report(floor.engine.trading, order_id, RecordSent(1))
    await report(floor.engine.trading, order_id, RecordAcceptance(f"v-{order_id}"))
    floor.venue.orders[order_id] = [accepted(order_id)]
    await replace(floor, order_id, quantity=20)
    floor.open([order_id], await floor.engine.store.position())
    await until(floor.engine.store, "OrderReplaced")


async def test_a_replacement_that_the_process_before_sent_is_asked_for_before_it_is_sent_again(floor: Floor) -> None:
    order_id = await accept(floor)
    await floor.close()
    await replace(floor, order_id, quantity=20)
    await floor.venue.replace(twenty(order_id))
    floor.venue.finds.append(TIMEOUT)
    floor.open([order_id], await floor.engine.store.position())
    await until(floor.engine.store, "OrderReplaced")
    assert floor.venue.count("replace") == 1


def twenty(order_id: OrderId) -> VenueReplacement:
    """The first replacement of the order, as the process before this one sent it."""
    return VenueReplacement(
        client_order_id=order_id,
        number=1,
        venue_order_id=f"v-{order_id}",
        quantity=Quantity(Decimal(20)),
        price=None,
        stop_price=None,
    )


async def test_a_replacement_that_the_read_model_does_not_know_yet_may_have_been_sent(floor: Floor) -> None:
    order_id = await accept(floor)
    await floor.close()
    await replace(floor, order_id, quantity=20)
    await floor.venue.replace(twenty(order_id))
    floor.open()
    await until(floor.engine.store, "OrderReplaced")
    assert floor.venue.count("replace") == 1


async def test_another_request_does_not_send_again_what_the_process_before_sent(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await accept(floor)
    await floor.close()
    await replace(floor, order_id, quantity=20)
    await floor.venue.replace(twenty(order_id))
    usual = floor.venue.find

    async def find_late(sought: Sought) -> Sequence[VenueReport]:
        if not floor.venue.count("find"):
            await usual(sought)
            await replace(floor, order_id, quantity=30)
            await asyncio.sleep(0.02)
            raise TIMEOUT
        return await usual(sought)

    monkeypatch.setattr(floor.venue, "find", find_late)
    floor.venue.calls.clear()
    floor.open([order_id], await floor.engine.store.position())
    await until(floor.engine.store, "OrderReplaced", "OrderReplaced")
    assert [each.number for each in floor.venue.replacements] == [1, 2]


async def test_a_replacement_that_a_cancel_came_after_is_asked_for_before_it_is_sent_again(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await accept(floor)
    usual = floor.venue.replace

    async def lost(replacement: VenueReplacement) -> Sequence[VenueReport]:
        await usual(replacement)
        await cancel(floor.engine.trading, order_id)
        raise TIMEOUT

    monkeypatch.setattr(floor.venue, "replace", lost)
    floor.venue.finds.append(TIMEOUT)
    floor.venue.cancels.append(VenueRefusedError("422", "pending replace"))
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderCancelRefused", "OrderReplaced")
    assert floor.venue.count("replace") == 1


async def test_a_predecessor_that_works_on_beside_its_replacement_is_cancelled(floor: Floor) -> None:
    order_id = await accept(floor)
    old = f"v-{order_id}"
    floor.venue.cancels.extend([TIMEOUT, VenueRefusedError("422", "it is gone")])
    two = VenueReport(client_order_id=order_id, venue_order_id=old, status="superseded")
    floor.venue.stream.put_nowait(LISTENING)
    floor.venue.stream.put_nowait(two)
    floor.venue.stream.put_nowait(two)
    while floor.venue.count("cancel") < 2:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    assert [call for call in floor.venue.calls if call[0] == "cancel"] == [("cancel", old)] * 2
    assert (await floor.order(order_id)).status == "ACCEPTED"


@pytest.mark.parametrize("status", ["cancelled", "expired", "rejected", "cancel_refused"])
async def test_the_end_of_what_was_replaced_is_not_the_order_s(floor: Floor, status: str) -> None:
    order_id = await accept(floor)
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaced")
    floor.venue.stream.put_nowait(ended(order_id, status))
    floor.venue.stream.put_nowait(filled(order_id, 5))
    await until(floor.engine.store, "OrderReplaced", "OrderFilled")
    assert state(await floor.order(order_id)) == ("PARTIALLY_FILLED", Decimal(5), ())


async def test_the_end_of_what_was_replaced_before_a_restart_is_not_the_order_s_either(floor: Floor) -> None:
    order_id = await accept(floor)
    await replace(floor, order_id, quantity=20)
    await until(floor.engine.store, "OrderReplaced")
    await floor.close()
    floor.open([order_id], await floor.engine.store.position())
    await asyncio.sleep(0.02)
    floor.venue.stream.put_nowait(ended(order_id, "cancelled"))
    floor.venue.stream.put_nowait(filled(order_id, 5))
    await until(floor.engine.store, "OrderReplaced", "OrderFilled")
    floor.venue.stream.put_nowait(replace_in(ended(order_id, "cancelled"), venue_order_id=f"v-{order_id}.1"))
    await until(floor.engine.store, "OrderCancelled")
