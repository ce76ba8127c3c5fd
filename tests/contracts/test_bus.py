"""What every bus promises, on real servers behind a wire that can be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from structlog.testing import capture_logs
from structlog.typing import EventDict

from infrastructure import buses
from infrastructure.buses import PostgresBus, RedisBus
from tests.relay import Relay, relayed

AnyBus = RedisBus | PostgresBus
READY = b"are you there?"


@pytest.fixture
async def wire(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[Relay]:
    """The wire to the server of this kind."""
    if kind == "redis":
        target = unquote(urlsplit(request.getfixturevalue("valkey_url")).path)
    else:
        parameters = conninfo_to_dict(request.getfixturevalue("empty_database_url"))
        target = f"{parameters['host']}/.s.PGSQL.{parameters.get('port', 5432)}"
    async with relayed(target) as relay:
        yield relay


@pytest.fixture(params=["redis", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def bus(request: pytest.FixtureRequest, kind: str, wire: Relay) -> AsyncIterator[AnyBus]:
    """The bus under test, at the far end of the wire."""
    if kind == "redis":
        made: AnyBus = RedisBus(f"redis://127.0.0.1:{wire.port}")
    else:
        parameters = conninfo_to_dict(request.getfixturevalue("empty_database_url"))
        made = PostgresBus(make_conninfo("", **{**parameters, "host": "127.0.0.1", "port": wire.port}))
    async with made as opened:
        yield opened


@asynccontextmanager
async def hearing(bus: AnyBus, channel: str) -> AsyncIterator["Ear"]:
    """Somebody who listens to the channel, and is known to hear."""
    ear = Ear(bus, channel)
    try:
        await ear.until_ready()
        yield ear
    finally:
        ear.task.cancel()
        await asyncio.gather(ear.task, return_exceptions=True)


class Ear:
    """Hears a channel in the background."""

    def __init__(self, bus: AnyBus, channel: str) -> None:
        self._bus = bus
        self._channel = channel
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.task = asyncio.create_task(self._listen())

    async def next(self) -> bytes:
        """The next message that is not about readiness."""
        async with asyncio.timeout(10):
            while (message := await self._heard.get()) == READY:
                pass
            return message

    async def until_ready(self) -> None:
        """Wait until something that is published is heard."""
        async with asyncio.timeout(10):
            while self._heard.empty():
                await self._bus.publish([(self._channel, READY)])
                await asyncio.sleep(0.02)

    async def _listen(self) -> None:
        async for message in self._bus.subscribe(self._channel):
            self._heard.put_nowait(message)


async def test_messages_arrive_in_order_at_everyone_who_listens_to_their_channel(bus: AnyBus) -> None:
    async with (
        hearing(bus, "orders:alice") as alice,
        hearing(bus, "orders:alice") as auditor,
        hearing(bus, "bob") as bob,
    ):
        await bus.publish([("orders:alice", b"1"), ("bob", b"2"), ("orders:alice", b"3")])
        await bus.publish([("orders:alice", b"4"), ("bob", b"5")])
        assert [await alice.next() for _ in range(3)] == [b"1", b"3", b"4"]
        assert [await auditor.next() for _ in range(3)] == [b"1", b"3", b"4"]
        assert [await bob.next() for _ in range(2)] == [b"2", b"5"]


@pytest.mark.parametrize(
    "channel", ["orders:" + "t" * 64, 'a "quoted"; name', "órdenes:" + "ñ" * 40], ids=["long", "odd", "foreign"]
)
async def test_a_channel_may_have_any_name(bus: AnyBus, channel: str) -> None:
    async with hearing(bus, channel) as ear, hearing(bus, channel + "2") as other:
        await bus.publish([(channel, b"1"), (channel + "2", b"2")])
        assert (await ear.next(), await other.next()) == (b"1", b"2")


@pytest.mark.parametrize(
    "message", ['{"reason": "größer, 大"}'.encode(), b"x" * 7_999, b""], ids=["words", "long", "empty"]
)
async def test_a_message_arrives_as_it_was_sent(bus: AnyBus, message: bytes) -> None:
    async with hearing(bus, "c") as ear:
        await bus.publish([("c", message)])
        assert await ear.next() == message


async def test_many_messages_go_out_together(bus: AnyBus) -> None:
    messages = [b"%d" % number for number in range(2_000)]
    async with hearing(bus, "c") as ear:
        await bus.publish([("c", message) for message in messages])
        assert [await ear.next() for _ in messages] == messages


async def test_nothing_to_send_is_nothing_to_do(bus: AnyBus, wire: Relay) -> None:
    await wire.cut()
    with capture_logs() as logs:
        await bus.publish([])
    assert logs == []


async def test_a_bus_that_is_down_is_no_error_and_works_again_by_itself(
    bus: AnyBus, wire: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buses, "REST_SECONDS", 0.05)
    with capture_logs() as logs:
        async with hearing(bus, "c") as ear:
            assert await bus.is_up()
            await wire.cut()
            assert not await bus.is_up()
            for _ in range(3):
                await bus.publish([("c", b"lost")])
                await asyncio.sleep(0.06)
            await wire.mend()
            again = asyncio.create_task(ear.next())
            while not again.done():
                await bus.publish([("c", b"found")])
                await asyncio.wait([again], timeout=0.05)
            assert again.result() == b"found"
            assert await bus.is_up()
    assert said(logs, "publish") == ["bus_down", "bus_back"]  # once each, however often it was tried
    assert said(logs, "subscribe") == ["bus_down", "bus_back"]


async def test_a_bus_that_does_not_answer_costs_its_publisher_little_time(bus: AnyBus, wire: Relay) -> None:
    async with hearing(bus, "c"):
        wire.freeze()
        with capture_logs() as logs:
            async with asyncio.timeout(8):  # to cancel a statement in an orderly way would take longer
                await bus.publish([("c", b"lost")])
                await bus.publish([("c", b"lost")])
        assert not await bus.is_up()
    assert said(logs, "publish") == ["bus_down"]


async def test_a_bus_that_was_never_there_is_no_error(bus: AnyBus, wire: Relay) -> None:
    await wire.cut()
    with capture_logs() as logs:
        ear = Ear(bus, "c")
        await bus.publish([("c", b"lost")])
        await asyncio.sleep(0.05)
    ear.task.cancel()
    await asyncio.gather(ear.task, return_exceptions=True)
    assert said(logs, "publish") == ["bus_down"]
    assert said(logs, "subscribe") == ["bus_down"]


def said(logs: list[EventDict], use: str) -> list[str]:
    return [entry["event"] for entry in logs if entry.get("use") == use]
