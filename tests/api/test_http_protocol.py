"""Clients that are no browsers: raw bytes on raw sockets, against a real server."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

import pytest

from api.asgi import build_app
from api.http_protocol import HEAD_BYTES_MAX, HEADERS_MAX, ConnectionLimits
from api.listening import raise_file_limit
from infrastructure.composition import Engine
from tests.api.clients import Client
from tests.api.serving import Served, serving


@asynccontextmanager
async def server_with(engine: Engine, limits: ConnectionLimits) -> AsyncIterator[Served]:
    async with serving(build_app(lambda: nullcontext(engine)), limits=limits) as served:
        yield served


class Wire:
    """A connection, and what comes of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.sent_bytes = 0

    async def send(self, data: bytes) -> None:
        self.sent_bytes += len(data)
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers of the next answer."""
        async with asyncio.timeout(10):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:] if line)

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """The status and the body of the next answer."""
        status, headers = await self.head()
        return status, json.loads(await self.reader.readexactly(int(headers["content-length"])))

    async def is_over(self) -> bool:
        """Whether the server has hung up by now, or soon does."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def wire(served: Served) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    yield Wire(reader, writer)
    writer.close()


LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_what_is_no_http_is_told_so_and_hung_up_on(served: Served) -> None:
    async with wire(served) as client:
        await client.send(b"\x16\x03\x01 is this TLS?\r\n\r\n")
        status, problem = await client.answer()
        assert (status, problem["code"], problem["detail"]) == (400, "INVALID_REQUEST", "This is not HTTP")
        assert await client.is_over()


@pytest.mark.parametrize(
    "smuggled",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"Content-Length: -1\r\n\r\n",
        b"X-Header: a\x00b\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_two_servers_could_read_differently_is_not_read_at_all(served: Served, smuggled: bytes) -> None:
    async with wire(served) as client:
        await client.send(b"POST /livez HTTP/1.1\r\nHost: x\r\n" + smuggled)
        statuses = [(await client.head())[0]]
        rest = await client.reader.read()
        statuses += [int(each[:3]) for each in rest.decode().split("HTTP/1.1 ")[1:]]
        # A method that is not possible there may be refused before the body is known to be wrong.
        assert statuses in ([400], [405, 400], [405])


def many(count: int) -> bytes:
    return b"".join(b"X-%d: 1\r\n" % number for number in range(count))


@pytest.mark.parametrize(
    ("largest", "too_large"),
    [
        (many(HEADERS_MAX - 1), many(HEADERS_MAX)),
        (b"X-Large: " + b"x" * (HEAD_BYTES_MAX - 100) + b"\r\n", b"X-Large: " + b"x" * HEAD_BYTES_MAX + b"\r\n"),
    ],
    ids=["many headers", "a large header"],
)
async def test_a_head_that_is_too_large_is_refused(served: Served, largest: bytes, too_large: bytes) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    async with wire(served) as client:
        await client.send(head + largest + b"\r\n")
        assert (await client.answer())[0] == 200
        await client.send(head + too_large + b"\r\n")
        status, problem = await client.answer()
        assert (status, problem["code"]) == (431, "HEADERS_TOO_LARGE")
        assert await client.is_over()


async def test_a_head_without_an_end_is_refused_as_soon_as_it_is_too_large(served: Served) -> None:
    async with wire(served) as client:
        await client.send(b"GET /livez HTTP/1.1\r\nX-Endless: ")
        with suppress(ConnectionError):
            while not client.reader.at_eof():
                await client.send(b"x" * 4096)
                await asyncio.sleep(0.001)
        assert client.sent_bytes < 10 * HEAD_BYTES_MAX


async def test_a_url_without_an_end_is_refused(served: Served) -> None:
    async with wire(served) as client:
        await client.send(b"GET /livez?" + b"x" * HEAD_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer())[0] == 431


async def test_large_requests_right_behind_each_other_are_all_answered(served: Served, alice: Client) -> None:
    body = json.dumps({"symbol": "AAPL", "quantity": "0" * 40_000, "order_type": "MARKET"}).encode()
    request = (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    async with wire(served) as client:
        await client.send(request * 3 + LIVEZ)
        assert [(await client.answer())[0] for _ in range(4)] == [400, 400, 400, 200]


async def test_a_body_that_is_too_large_is_refused_whatever_it_says_of_its_length(
    served: Served, alice: Client
) -> None:
    head = (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()
    async with wire(served) as client:
        await client.send(head + b"Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.answer())[0] == 413  # before any of it is sent
    async with wire(served) as client:
        await client.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        await client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n1\r\nx\r\n")
        assert (await client.answer())[0] == 413


async def test_who_does_not_come_to_an_end_is_hung_up_on(engine: Engine, alice: Client) -> None:
    order = (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    ).encode()
    beginnings = {
        "says nothing": b"",
        "a head that does not end": b"GET /livez HTTP/1.1\r\nHost: x\r\n",
        "a body that does not end": order + b'{"symbol": ',
        "an answered request with a body that does not end": b"GET /livez HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
        "another request that does not end": LIVEZ + b"GET /live",
        "an empty line": LIVEZ,
    }

    async def fate(served: Served, kind: str) -> str:
        async with wire(served) as client:
            await client.send(beginnings[kind])
            if b"/livez HTTP/1.1\r\nHost: x\r\n\r\n" in beginnings[kind] or "answered" in kind:
                assert (await client.answer())[0] == 200
            await client.send(b"\r\n" if kind == "an empty line" else b"")
            async with asyncio.timeout(10):
                said = await client.reader.read()
            return said.split(b" ")[1].decode() if said else "hung up"

    async with server_with(engine, ConnectionLimits(100, request_seconds=0.2)) as served:
        fates = await asyncio.gather(*(fate(served, kind) for kind in beginnings))
        assert dict(zip(beginnings, fates, strict=True)) == dict.fromkeys(beginnings, "408")
        # Who waits between two requests is not in the middle of one.
        async with wire(served) as client:
            for _ in range(2):
                await client.send(LIVEZ)
                assert (await client.answer())[0] == 200
                await asyncio.sleep(1.3)


async def test_a_stream_is_no_request_that_does_not_end(engine: Engine, alice: Client) -> None:
    async with (
        server_with(engine, ConnectionLimits(100, request_seconds=0.2)) as served,
        served.stream(alice, "/api/v1/orders/stream") as response,
        served.socket(f"?token={alice.token}"),
    ):
        await asyncio.sleep(1.3)
        assert served.app.state.running.seats._all == 2
        assert not response.is_closed


async def test_an_answer_that_has_begun_is_not_followed_by_another(engine: Engine, alice: Client) -> None:
    async with server_with(engine, ConnectionLimits(100, request_seconds=0.2)) as served, wire(served) as client:
        head = f"GET /api/v1/orders/stream HTTP/1.1\r\nAuthorization: Bearer {alice.token}\r\nContent-Length: 5\r\n\r\n"
        await client.send(head.encode())
        assert (await client.head())[0] == 200
        assert b"HTTP/1.1" not in await asyncio.wait_for(client.reader.read(), 10)


async def test_more_connections_than_there_may_be_are_refused_and_the_others_go_on(engine: Engine) -> None:
    async with (
        server_with(engine, ConnectionLimits(2)) as served,
        wire(served) as first,
        wire(served) as second,
    ):
        for client in (first, second):
            await client.send(LIVEZ)
            assert (await client.answer())[0] == 200
        async with wire(served) as third:
            status, problem = await third.answer()
            assert (status, problem["code"]) == (503, "TOO_MANY_CONNECTIONS")
            assert await third.is_over()
        await first.send(LIVEZ)
        assert (await first.answer())[0] == 200
        second.writer.close()
        await second.writer.wait_closed()
        while True:
            async with wire(served) as fourth:
                await fourth.send(LIVEZ)
                if (await fourth.answer())[0] == 200:
                    break


def test_a_process_may_have_as_many_files_as_the_machine_lets_it() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_file_limit()
    try:
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
