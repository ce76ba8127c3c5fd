"""How many streams may be open, and for how long."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import jwt
import pytest_asyncio

from api.asgi import build_app
from infrastructure.clock import SystemClock
from infrastructure.composition import Engine
from tests.api.clients import SECRET, Client
from tests.api.serving import Served, closed, receive, serving, sse
from tests.api.test_admission import edge_of


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def narrow(engine: Engine) -> AsyncIterator[Served]:
    """A server with two places for each trader, and three in all."""
    edge = edge_of(STREAMS_PER_TRADER=2, STREAMS=3)
    async with serving(build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2, edge=edge)) as served:
        yield served


async def refused(served: Served, client: Client) -> tuple[int, str]:
    async with served.socket(f"?token={client.token}") as socket:
        return await closed(socket)


async def test_a_trader_and_a_process_have_so_many_streams_and_no_more(
    narrow: Served, alice: Client, bob: Client, auditor: Client
) -> None:
    seats = narrow.app.state.running.seats
    events = {"Accept": "text/event-stream"}
    async with narrow.socket(f"?token={alice.token}") as first, narrow.stream(alice, "/api/v1/orders/stream"):
        code, reason = await refused(narrow, alice)
        assert (code, "2 streams" in reason) == (4429, True)
        async with narrow.stream(alice, "/api/v1/orders/stream") as response:
            problem = json.loads(await response.aread())
            assert (response.status_code, problem["code"]) == (429, "TOO_MANY_STREAMS")
            assert response.headers["retry-after"] == "5"
        async with narrow.stream(auditor, "/api/v1/events?after=0", events) as response:
            assert response.status_code == 200
            code, reason = await refused(narrow, bob)
            assert (code, "3 streams" in reason) == (4429, True)
            async with narrow.stream(auditor, "/api/v1/events?after=0", events) as other:
                assert other.status_code == 429
        while seats._all > 2:
            await asyncio.sleep(0.01)
        async with narrow.socket(f"?token={bob.token}") as socket:
            assert json.loads(await socket.recv())["event"] == "heartbeat"
        assert json.loads(await first.recv())["event"] == "heartbeat"
    while seats._all:
        await asyncio.sleep(0.01)
    assert not seats._taken


def short_token(trader_id: str, seconds: float, **claims: Any) -> str:
    expires_at = SystemClock().now().timestamp() + seconds
    return jwt.encode({"sub": trader_id, "exp": expires_at, **claims}, SECRET, algorithm="HS256")


async def test_a_stream_ends_with_its_token_and_goes_on_with_another(served: Served, alice: Client) -> None:
    async with served.socket(f"?token={short_token(alice.trader_id, 0.5)}&after=0") as socket:
        (funded,) = [each async for each in until_first(alice, socket)]
        assert await closed(socket) == (4401, "The token has expired; resume with `after` and another one")
    placed = (await alice.place()).json()
    async with served.socket(f"?token={alice.token}&after={funded}") as socket:
        assert (await receive(socket, 1))[0]["order_id"] == placed["id"]


async def until_first(alice: Client, socket: Any) -> AsyncIterator[int]:
    """The position of the first message, of an order that is placed meanwhile."""
    await alice.place()
    yield (await receive(socket, 1))[0]["position"]


async def test_an_event_stream_ends_with_its_token_and_says_so(served: Served, alice: Client) -> None:
    alice.token = short_token(alice.trader_id, 0.5)
    async with served.stream(alice, "/api/v1/orders/stream") as response:
        events = [event async for event in sse(response)]
    assert events[-1]["event"] == "close"
    assert json.loads(events[-1]["data"])["code"] == 4401
    assert "id" not in events[-1]


async def test_an_auditor_s_stream_ends_with_the_token(served: Served, auditor: Client) -> None:
    token, auditor.token = auditor.token, short_token("carol", 0.5, roles=["auditor"])
    try:
        async with served.stream(auditor, "/api/v1/events?after=0", {"Accept": "text/event-stream"}) as response:
            async with asyncio.timeout(10):
                await response.aread()
    finally:
        auditor.token = token


async def test_a_ticket_s_stream_ends_when_the_token_does_that_it_was_asked_for_with(
    served: Served, alice: Client
) -> None:
    alice.token = short_token(alice.trader_id, 1.5)
    ticket = (await alice.post("/api/v1/stream-tickets")).json()["ticket"]
    later = f"{ticket[:-1]}{(int(ticket[-1]) + 1) % 10}"
    async with served.socket(f"?ticket={later}") as socket:
        assert (await closed(socket))[0] == 4401
    async with served.socket(f"?ticket={ticket}") as socket:
        assert await closed(socket) == (4401, "The token has expired; resume with `after` and another one")
