"""The application on a real server, for everything that takes its time."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.asgi import server_of
from api.http_protocol import ConnectionLimits
from api.listening import listen
from tests.api.clients import Client
from tests.plain_http import PLAIN

Message = dict[str, Any]

MANY = ConnectionLimits(1000)


class Served:
    """A server that listens on a port of this machine."""

    def __init__(self, app: Starlette, port: int, connections: Collection[object]) -> None:
        self.app = app
        self.port = port
        self.connections = connections
        self.url = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def stream(self, client: Client, path: str, headers: dict[str, str] | None = None) -> AsyncIterator[Response]:
        """A response of which the body has yet to come."""
        headers = {"Authorization": f"Bearer {client.token}"} | (headers or {})
        async with (
            AsyncClient(base_url=self.url, **PLAIN, timeout=10) as http,
            http.stream("GET", path, headers=headers) as response,
        ):
            yield response

    def socket(self, query: str, **options: Any) -> AbstractAsyncContextManager[ClientConnection]:
        """A WebSocket to the status messages."""
        return connect(f"ws://127.0.0.1:{self.port}/ws/orders/events{query}", proxy=None, **options)


@asynccontextmanager
async def serving(
    app: Starlette, send_buffer: int | None = None, limits: ConnectionLimits = MANY
) -> AsyncIterator[Served]:
    """Serve the application, and stop as a signal would stop it."""
    server = server_of(app, limits)
    listening = listen("127.0.0.1", 0)
    if send_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
    try:
        yield Served(app, listening.getsockname()[1], server.server_state.connections)
    finally:
        server.should_exit = True
        await task


async def sse(response: Response) -> AsyncIterator[dict[str, str]]:
    """Server-sent events with their fields; comments are passed over."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


async def receive(connection: ClientConnection, count: int) -> list[Message]:
    """So many messages that are no heartbeats."""
    messages: list[Message] = []
    while len(messages) < count:
        async with asyncio.timeout(5):
            message = json.loads(await connection.recv())
        if message["event"] != "heartbeat":
            messages.append(message)
    return messages


async def closed(connection: ClientConnection) -> tuple[int, str]:
    """How the server closes the connection, whatever it says before."""
    with pytest.raises(ConnectionClosed) as closing:
        await receive(connection, 1_000_000)
    received = closing.value.rcvd
    assert received is not None
    return received.code, received.reason


async def still_serves(served: Served, client: Client) -> None:
    """The server is as well as before."""
    async with served.socket(f"?token={client.token}") as connection:
        assert json.loads(await asyncio.wait_for(connection.recv(), 5))["event"] == "heartbeat"
