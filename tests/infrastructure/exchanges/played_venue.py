"""Venues that misbehave on cue: real servers on loopback that play a script, request by request."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve

from infrastructure.exchanges.alpaca import AlpacaVenue

Play = Callable[[asyncio.StreamWriter], Awaitable[None]]
KEY_ID, SECRET = "the-key", "the-secret"
NOBODY = "http://127.0.0.1:9"  # the discard port, where nothing listens


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


@dataclass(slots=True)
class PlayedVenue:
    """What the venue heard so far, and where it listens."""

    url: str
    requests: list[Heard] = field(default_factory=list)
    arrivals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))


def says(status: int, body: Any = "", *headers: str) -> Play:
    """Answer with this status and body; anything that is not text or bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(content)}", *headers]
    return writes("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def writes(raw: bytes) -> Play:
    """Answer with exactly these bytes and leave the connection open."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return play


def hangs_up(raw: bytes = b"") -> Play:
    """Answer with these bytes and cut the connection."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.transport.abort() if not raw else writer.close()

    return play


def trickles(raw: bytes, seconds: float) -> Play:
    """Answer with one byte at a time, this far apart."""

    async def play(writer: asyncio.StreamWriter) -> None:
        for byte in raw:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(seconds)

    return play


async def keeps_silent(_: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""


def played(*plays: Play) -> AbstractAsyncContextManager[PlayedVenue]:
    """A venue that answers its first request with the first play, and so on; the last play is repeated."""
    return directed(lambda number, _: plays[min(number, len(plays)) - 1])


def showing(
    *orders: dict[str, Any], activities: Sequence[dict[str, Any]] = (), to: dict[str, Play] | None = None
) -> AbstractAsyncContextManager[PlayedVenue]:
    """A venue that has these orders and activities and shows them to who asks.

    ``to`` says what it does with requests of other methods, and about what it shows otherwise, by method or by id.
    """
    by_id = {order["id"]: order for order in orders}
    by_name = {order["client_order_id"]: order for order in orders}

    def choose(_: int, request: Heard) -> Play:
        asked = request.params.get("client_order_id", request.path.rpartition("/")[2])
        for name in (request.method, asked):
            if name in (to or {}):
                return (to or {})[name]
        if asked == "FILL":
            wanted = request.params.get("order_id")
            return says(200, [one for one in activities if wanted in {None, one["order_id"]}])
        order = by_name.get(asked) if request.path.endswith(":by_client_order_id") else by_id.get(asked)
        return says(404) if order is None else says(200, order)

    return directed(choose)


@asynccontextmanager
async def directed(choose: Callable[[int, Heard], Play]) -> AsyncIterator[PlayedVenue]:
    """A venue that answers as it is told to, by the number of the request, from 1, and the request itself."""
    venue = PlayedVenue("")
    conversations: list[asyncio.Task[None] | None] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.current_task())
        number = len(conversations)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = line.split(" ")
                venue.requests.append(Heard(method, target, headers, body, number))
                venue.arrivals.release()
                await choose(len(venue.requests), venue.requests[-1])(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    venue.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield venue
    finally:
        server.close()
        await asyncio.gather(*(one for one in conversations if one is not None))  # over once the client has left


@asynccontextmanager
async def streaming(converse: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """A WebSocket server that converses like this; yields its URL, ending in ``/stream``."""
    async with serve(converse, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/stream"


def greeting(*frames: str | bytes, early: Sequence[str | bytes] = ()) -> Callable[[ServerConnection], Awaitable[None]]:
    """Let the client in, confirm what it listens to, say these things, and say goodbye."""

    async def converse(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frame("authorization", {"status": "authorized", "action": "authenticate"}))
        await socket.recv()
        for said in [*early, frame("listening", {"streams": ["trade_updates"]}), *frames]:
            await socket.send(said)

    return converse


def frame(stream: str, data: Any) -> str:
    """A message of the stream."""
    return json.dumps({"stream": stream, "data": data})


def venue_at(
    url: str, *, stream_url: str = "ws://127.0.0.1:9/stream", data_url: str = NOBODY, timeout_seconds: float = 5
) -> AlpacaVenue:
    """The adapter under test, pointed at these addresses."""
    return AlpacaVenue(
        base_url=url,
        stream_url=stream_url,
        data_url=data_url,
        key_id=KEY_ID,
        secret=SECRET,
        timeout_seconds=timeout_seconds,
    )
