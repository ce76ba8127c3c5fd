"""One story from the request to the last report: whatever is recorded of an order, and whatever is logged on the way."""

import logging
from typing import Any

import pytest

from application.booking import Booking
from application.story import NO_STORY, TOLD, Story, about, go_on, name_of
from application.trading import Caller
from application.venue import VenueOutcomeUnknownError
from domain.commands import CancelOrder
from domain.events import RecordedEvent, order_stream
from domain.values import OrderId
from tests.application.floor import DOWN, Floor
from tests.application.world import ALICE, filled, until

OLGA = Caller("trader:alice", "request-2", "request-2")


async def story_of(floor: Floor, order_id: OrderId) -> list[RecordedEvent]:
    loaded = await floor.engine.store.load({order_stream(order_id): 0})
    return list(loaded.streams[order_stream(order_id)])


def ids(recorded: RecordedEvent) -> tuple[str, str, str]:
    metadata = recorded.metadata
    return metadata.actor, metadata.correlation_id, metadata.causation_id


async def test_whatever_comes_of_an_order_belongs_to_the_request_that_placed_it_and_names_what_led_to_it(
    floor: Floor,
) -> None:
    floor.venue.submits.append("lost")
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    stream = order_stream(order_id)
    await floor.venue.stream.put(filled(order_id, 4))
    await until(floor.engine.store, "OrderFilled")
    events = await story_of(floor, order_id)
    assert [type(each.event).__name__ for each in events] == [
        "OrderPlaced",
        "OrderSent",
        "OrderRecovered",
        "OrderAccepted",
        "OrderFilled",
    ]
    assert [ids(each) for each in events] == [
        ("trader:alice", "request-1", "request-1"),
        ("engine", "request-1", name_of(stream, 1)),
        ("engine", "request-1", name_of(stream, 2)),
        ("venue", "request-1", name_of(stream, 3)),
        ("venue", "request-1", name_of(stream, 4)),
    ]


async def test_another_request_about_an_order_is_a_story_of_its_own_and_what_the_venue_says_is_the_order_s(
    floor: Floor,
) -> None:
    floor.open()
    order_id = await floor.place()
    await until(floor.engine.store, "OrderAccepted")
    await floor.engine.trading.change(ALICE, order_id, CancelOrder(), OLGA)
    events = await story_of(floor, order_id)
    assert ids(events[-1]) == ("trader:alice", "request-2", "request-2")
    booking = Booking(floor.engine.trading, floor.clock, "scripted")
    await booking.book([filled(order_id, 4)])
    events = await story_of(floor, order_id)
    assert ids(events[-1]) == ("venue", "request-1", name_of(order_stream(order_id), len(events) - 1))


async def test_of_a_stream_whose_beginning_nobody_has_the_order_is_the_story(floor: Floor) -> None:
    order_id = await floor.place()
    sequencer = floor.engine.sequencer
    known = sequencer._known._streams[order_stream(order_id)]
    known.snapshot = known.folded()._replace(correlation_id="")
    await Booking(floor.engine.trading, floor.clock, "scripted").book([filled(order_id, 4)])
    assert (await story_of(floor, order_id))[-1].metadata.correlation_id == order_id


async def test_what_is_logged_and_what_fails_on_the_way_belongs_to_the_order(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stories: list[tuple[str, Story]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            stories.append((record.getMessage(), getattr(error, "story", TOLD.get())))

    listener = Listener()
    for name in ("application.sending", "application.tasks"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [listener])
    floor.venue.submits.extend([DOWN, VenueOutcomeUnknownError("timeout"), ZeroDivisionError("a defect")])
    floor.open()
    order_id = await floor.place()
    while not any("work failed" in message for message, _ in stories):
        await floor.clock.sleep(0.01)
    stream = order_stream(order_id)
    not_sent, unknown, *_, failed = (story for _, story in stories)
    assert not_sent == Story("request-1", name_of(stream, 2), ALICE, order_id, 0)
    assert unknown == Story("request-1", name_of(stream, 3), ALICE, order_id, 1)
    assert failed == Story("request-1", name_of(stream, 4), ALICE, order_id, 2)
    assert TOLD.get() == NO_STORY


def test_an_error_knows_the_story_in_which_it_happened_and_keeps_it() -> None:
    def fail() -> None:
        with about("another"), about("7"):
            go_on("8", Story("not this one"))
            go_on("7", Story("c-1", "order-7/1", "alice", "7"))
            raise ValueError("x")

    with pytest.raises(ValueError, match="x") as caught:
        fail()
    error: Any = caught.value
    assert error.story == Story("c-1", "order-7/1", "alice", "7")
    assert TOLD.get() == NO_STORY


def test_a_block_about_the_order_that_is_told_of_goes_on_with_its_story() -> None:
    story = Story("c-1", "order-7/1", "alice", "7")
    with about("7"):
        with about("7"):
            go_on("7", story)
        assert TOLD.get() == story
    assert TOLD.get() == NO_STORY
