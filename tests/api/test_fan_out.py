import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from websockets.frames import Frame, Opcode

from api.fan_out import FanOut, Stream, text_frame
from api.fan_out import Message as Text
from domain.events import RecordedEvent
from domain.values import TraderId
from infrastructure.codec import RawEvent
from infrastructure.composition import Engine
from tests.api.clients import Client


class BrokenFeed:
    """A feed that gives one event and fails, gives one and ends, and then goes on."""

    def __init__(self, events: Sequence[RecordedEvent]) -> None:
        self.events = events
        self.followed: list[int] = []

    async def follow(self, after: int) -> AsyncIterator[Sequence[RecordedEvent]]:
        self.followed.append(after)
        rest = [event for event in self.events if event.position > after]
        yield rest[:1]
        if len(self.followed) == 1:
            raise ZeroDivisionError
        if len(self.followed) == 3:
            await asyncio.Event().wait()


async def test_the_reader_goes_on_where_it_failed(
    engine: Engine, alice: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.fan_out._PAUSE_SECONDS", 0.01)
    await alice.place()
    events = await engine.store.read(0, 3)
    feed = BrokenFeed(events)
    fan_out = FanOut(feed, engine.store, 10, 1.0)
    reading = asyncio.create_task(fan_out.run(0))
    await asyncio.wait_for(fan_out.beyond(2), 5)
    assert feed.followed == [0, 1, 2]
    assert "the streams read on in a moment" in caplog.text
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


class SteppedStore:
    """A log that grows between one look and the next; something happens during each look."""

    def __init__(self, pages: list[Sequence[RawEvent]]) -> None:
        self.pages = pages
        self.meanwhile: Callable[[], None] = lambda: None

    async def raw(self, _after: int, _limit: int, **_filters: object) -> Sequence[RawEvent]:
        self.meanwhile()
        return self.pages.pop(0)


async def test_what_is_recorded_between_the_past_and_the_present_is_not_missed(engine: Engine, alice: Client) -> None:
    order = (await alice.place()).json()
    recorded = await engine.store.raw(order["position"] - 1, 1)
    store = SteppedStore([(), recorded])
    fan_out = FanOut(BrokenFeed(()), store, 10, heartbeat_seconds=0.0)  # type: ignore[arg-type] # as much of a store as a stream needs
    stream = Stream(fan_out, alice.trader_id)
    messages = stream.messages(after=0)
    store.meanwhile = lambda: stream.put(Text(order["position"], "the reader brings it too", b""))
    assert (await anext(messages)).position == order["position"]
    assert json.loads((await anext(messages)).text) == {"event": "heartbeat", "position": order["position"]}
    await messages.aclose()


async def test_a_message_that_comes_as_a_heartbeat_is_due_goes_first(engine: Engine) -> None:
    fan_out = FanOut(BrokenFeed(()), engine.store, 10, heartbeat_seconds=0.0)
    stream = Stream(fan_out, TraderId("nobody"))
    messages = stream.messages(after=0)
    assert (await anext(messages)).text == '{"event":"heartbeat","position":0}'
    asyncio.get_running_loop().call_soon(stream.put, news := Text(1, "news", b""))
    assert await anext(messages) == news
    await messages.aclose()


async def until_idle(stream: Stream) -> None:
    """Wait until the client waits for its next message."""
    while not stream._is_idle:
        await asyncio.sleep(0.001)


async def test_a_client_that_has_caught_up_is_written_to_at_once_and_never_twice(engine: Engine) -> None:
    written: list[bytes] = []
    stream = Stream(FanOut(BrokenFeed(()), engine.store, 10, heartbeat_seconds=60), TraderId("nobody"))
    stream.write = lambda frame: written.append(frame) is None
    waiting = asyncio.ensure_future(anext(stream.messages(1)))
    await until_idle(stream)
    for position in (1, 2, 3, 3):
        stream.put(Text(position, str(position), b"%d" % position))
    assert written == [b"2", b"3"]
    assert not waiting.done()
    waiting.cancel()


async def test_a_client_that_cannot_be_written_to_gets_the_message_when_it_can(engine: Engine) -> None:
    stream = Stream(FanOut(BrokenFeed(()), engine.store, 10, heartbeat_seconds=60), TraderId("nobody"))
    stream.write = lambda _frame: False
    waiting = asyncio.ensure_future(anext(stream.messages(0)))
    await until_idle(stream)
    stream.put(Text(1, "1", b"1"))
    assert (await waiting).text == "1"


async def test_while_a_message_is_on_its_way_the_next_one_waits_behind_it(engine: Engine) -> None:
    written: list[bytes] = []
    stream = Stream(FanOut(BrokenFeed(()), engine.store, 10, heartbeat_seconds=60), TraderId("nobody"))
    messages = stream.messages(0)
    waiting = asyncio.ensure_future(anext(messages))
    await until_idle(stream)
    stream.put(Text(1, "1", b"1"))
    assert (await waiting).text == "1"
    stream.write = lambda frame: written.append(frame) is None
    stream.put(Text(2, "2", b"2"))
    assert written == []
    assert (await anext(messages)).text == "2"
    await messages.aclose()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_frame_is_to_the_byte_what_websockets_makes(size: int) -> None:
    text = b"x" * size
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
