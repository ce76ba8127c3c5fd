"""Clients that do not take what is sent to them."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import nullcontext

import pytest
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from api import streams
from api.asgi import build_app
from api.fan_out import Message as Text
from domain.commands import RecordRejection
from infrastructure.composition import Engine
from tests.api.clients import Client, World
from tests.api.serving import Message, Served, closed, receive, serving, still_serves


async def positions_until_closed(connection: ClientConnection) -> AsyncIterator[int]:
    """The positions of all messages until the server closes the connection, and then its code."""
    try:
        while True:
            yield json.loads(await asyncio.wait_for(connection.recv(), 5))["position"]
    except ConnectionClosed as closing:
        yield closing.rcvd.code if closing.rcvd else 0


async def rejected_orders(alice: Client, world: World, count: int) -> None:
    """Orders that are rejected for reasons long enough to fill any buffer."""
    for _ in range(count):
        order_id = (await alice.place()).json()["id"]
        await world.report(order_id, RecordRejection("VENUE_REJECTED", "no " * 5000))


async def test_a_client_that_does_not_follow_is_closed_with_4408_and_can_resume(
    engine: Engine, alice: Client, world: World
) -> None:
    app = build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2, backlog_max=50)
    async with serving(app, send_buffer=4096) as small:
        with small_socket(small) as sock:
            async with small.socket(f"?token={alice.token}", sock=sock, max_queue=1) as connection:
                await rejected_orders(alice, world, 60)
                while app.state.running.fan_out._streams:
                    await asyncio.sleep(0.01)
                *positions, code = [each async for each in positions_until_closed(connection)]
        assert code == 4408
        assert 0 < len(positions) < 120
        async with small.socket(f"?token={alice.token}&after={positions[-1]}") as connection:
            rest = await receive(connection, 120 - len(positions))
    positions += [message["position"] for message in rest]
    assert len(positions) == 120
    assert positions == sorted(set(positions))


async def test_a_client_that_does_not_take_the_past_is_closed_with_4408(
    engine: Engine, alice: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_SEND_SECONDS_MAX", 0.1)
    given_up = asyncio.Event()

    def why(error: Exception) -> streams.Close:
        given_up.set()
        return original(error)

    original = streams._why
    monkeypatch.setattr(streams, "_why", why)
    await rejected_orders(alice, world, 30)
    async with serving(build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2), send_buffer=4096) as small:
        with small_socket(small) as sock:
            async with small.socket(f"?token={alice.token}&after=0", sock=sock, max_queue=1) as connection:
                await asyncio.wait_for(given_up.wait(), 10)
                assert (await closed(connection))[0] == 4408


async def test_a_client_that_vanishes_while_it_is_written_to_is_forgotten(
    engine: Engine, alice: Client, world: World
) -> None:
    await rejected_orders(alice, world, 30)
    app = build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2)
    async with serving(app, send_buffer=4096) as small:
        with small_socket(small) as sock:
            connection = await small.socket(f"?token={alice.token}&after=0", sock=sock, max_queue=1).__aenter__()
            await asyncio.sleep(0.2)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a goodbye
            connection.transport.abort()
        await connection.wait_closed()
        await still_serves(small, alice)


class GoneSocket:
    async def send(self, _message: Message) -> None:
        raise WebSocketDisconnect


async def test_nobody_is_told_why_who_has_left() -> None:
    async def messages() -> AsyncGenerator[Text, None]:
        yield Text(1, "news", b"")

    assert await streams._send(GoneSocket(), messages()) is None  # type: ignore[arg-type] # as much of a socket as sending needs


async def test_an_event_stream_that_is_not_read_ends(engine: Engine, alice: Client, world: World) -> None:
    app = build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2, backlog_max=10)
    async with serving(app, send_buffer=4096) as small:
        with small_socket(small) as sock:
            request = f"GET /api/v1/orders/stream?token={alice.token} HTTP/1.1\r\nHost: test\r\n\r\n"
            await asyncio.get_running_loop().sock_sendall(sock, request.encode())
            while not app.state.running.fan_out._streams:
                await asyncio.sleep(0.01)
            await rejected_orders(alice, world, 20)
            sock.settimeout(0.2)
            received = b""
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received += await asyncio.to_thread(sock.recv, 65536)
    assert received.count(b"id: ") < 40


class small_socket:  # noqa: N801 - reads as a function
    """A connection with a small receive buffer."""

    def __init__(self, served: Served) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(("127.0.0.1", served.port))
        self.sock.settimeout(0)

    def __enter__(self) -> socket.socket:
        return self.sock

    def __exit__(self, *_: object) -> None:
        self.sock.close()
