"""The example of a client does what it promises: one order however often it is sent, and every fill, over any cut."""

import asyncio
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.engine_process import ROOT, RunningEngine

CLIENT = ROOT / "docs" / "examples" / "client.py"
PATIENCE_SECONDS = 60
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Wire:
    """What stands between the client and the engine, and lets it down in the way that was asked for last."""

    def __init__(self, engine: RunningEngine) -> None:
        self.url = ""
        self.mood = "well"
        self.passed_on = 0
        self._far_port = int(engine.url.rpartition(":")[2])
        self._writers: list[StreamWriter] = []

    async def connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self.mood == "unavailable":
            await reader.read(65_536)
            writer.write(UNAVAILABLE)
            self.mood = "deaf"
        elif self.mood == "cut":
            writer.transport.abort()
        else:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
            self._writers += [writer, far_writer]
            self.passed_on += 1
            await asyncio.gather(self._pass_on(reader, far_writer), self._answer(far_reader, writer))
        writer.close()

    def cut(self) -> None:
        """End every connection, and take no other."""
        self.mood = "cut"
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, source: StreamReader, sink: StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def _answer(self, source: StreamReader, sink: StreamWriter) -> None:
        if self.mood == "deaf":  # the engine has answered, and nobody hears it
            await source.read(65_536)
            self.mood = "well"
            sink.transport.abort()
        await self._pass_on(source, sink)


@asynccontextmanager
async def wired(engine: RunningEngine) -> AsyncIterator[Wire]:
    wire = Wire(engine)
    async with await asyncio.start_server(wire.connected, "127.0.0.1", 0) as server:
        wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield wire
        wire.cut()


@asynccontextmanager
async def client(url: str, token: str, *arguments: str) -> AsyncIterator[Process]:
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    environment = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CLIENT),
        *arguments,
        env=environment | {"ORDERLOG_URL": url, "ORDERLOG_TOKEN": token},
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(reader: StreamReader | None) -> str:
    assert reader is not None
    return (await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)).decode().strip()


async def test_an_order_is_placed_once_and_every_fill_is_printed_over_a_cut(engine: RunningEngine) -> None:
    engine.fund("claire")
    async with wired(engine) as wire:
        wire.mood = "unavailable"
        async with client(wire.url, engine.token("claire"), "MSFT", "10", "150.00") as process:
            assert await line(process.stderr) == "503, sending it again"
            assert (await line(process.stderr)).startswith("no answer (")
            placed = await line(process.stdout)
            with engine.client("claire") as api:
                (order,) = api.get("/api/v1/orders").raise_for_status().json()["orders"]
            assert placed == f"placed {order['id']}"
            while (
                wire.passed_on < 3
            ):  # the request that nobody heard the answer to, the one that was answered, the stream
                await asyncio.sleep(0.02)
            wire.cut()
            assert (await line(process.stderr)).startswith("the stream was cut, going on behind ")
            engine.move_price("MSFT", "140")  # nobody hears of the fill now
            with engine.client("claire") as api:
                while api.get(f"/api/v1/orders/{order['id']}").json()["status"] != "FILLED":
                    await asyncio.sleep(0.02)
            wire.mood = "well"
            assert (await line(process.stdout)).startswith("filled 10 at 1")
            assert await line(process.stdout) == "FILLED: nothing is left of it"
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("token", "arguments", "said"),
    [
        ("", ("AAPL", "1000000"), "Insufficient funds for "),
        ("nonsense", ("AAPL", "1"), "The token is not one of ours"),
    ],
)
async def test_what_cannot_be_placed_is_said_in_a_sentence(
    engine: RunningEngine, token: str, arguments: tuple[str, ...], said: str
) -> None:
    async with client(engine.url, token or engine.token("demo"), *arguments) as process:
        assert (await line(process.stderr)).startswith(said)
        assert await process.wait() == 1
