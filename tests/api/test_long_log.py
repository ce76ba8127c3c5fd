"""A log of any length goes out in constant memory: the server reads no more of it than its client takes."""

import asyncio
import json
import socket
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from api import audit
from api.asgi import build_app
from application.ports import NewEvent, Transaction
from domain.events import Metadata, OrderRejected, StreamId
from domain.lifecycle import Status
from domain.values import TraderId
from infrastructure.codec import RawEvent
from infrastructure.composition import Engine
from infrastructure.postgres.event_store import PostgresEventStore
from tests.api.clients import Client, World
from tests.api.serving import serving

EVENTS = 3_000
REASON = "no " * 2_000
"""Six kilobytes: the log is larger than all buffers between the server and a client together."""
PAGE = 20

WIDE = TraderId("wide")


async def a_long_log(engine: Engine) -> int:
    """Returns the position behind which it begins."""
    begin = await engine.store.position()
    metadata = Metadata(WIDE, "venue", "r", "r")
    stream = StreamId("order-of-many-words")
    event = OrderRejected(code="1", reason=REASON, status=Status.REJECTED)
    for first in range(1, EVENTS + 1, 500):
        new = [NewEvent(stream, first + number, event, metadata) for number in range(500)]
        await engine.store.append([Transaction({stream: first - 1}, new)], begin + first - 1)
    return begin


class Reads:
    """How many events the server has read, and at most at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.largest = 0
        usual = PostgresEventStore.raw

        async def raw(store: PostgresEventStore, after: int, limit: int, **filters: Any) -> Sequence[RawEvent]:
            page = await usual(store, after, limit, **filters)
            self.count += len(page)
            self.largest = max(self.largest, len(page))
            return page

        monkeypatch.setattr(PostgresEventStore, "raw", raw)

    async def settled(self) -> int:
        """What was read once the server reads no further."""
        before = -1
        while self.count != before or not self.count:
            before = self.count
            await asyncio.sleep(0.3)
        return self.count


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/event-stream"])
async def test_the_server_reads_no_more_of_the_log_than_its_client_takes(
    engine: Engine, world: World, auditor: Client, monkeypatch: pytest.MonkeyPatch, media_type: str
) -> None:
    assert world
    if not (await engine.store.raw(0, 1, trader_id=WIDE)):
        await a_long_log(engine)
    begin = (await engine.store.raw(0, 1, trader_id=WIDE))[0].position - 1
    monkeypatch.setattr(audit, "PAGE", PAGE)
    reads = Reads(monkeypatch)
    app = build_app(lambda: nullcontext(engine), heartbeat_seconds=5)
    async with serving(app, send_buffer=4096) as served:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)  # noqa: FBT003 - its signature
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", served.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        query = f"after={begin}&to={begin + EVENTS}&trader_id={WIDE}"
        request = (
            f"GET /api/v1/events?{query} HTTP/1.1\r\nHost: orderlog.test\r\nConnection: close\r\n"
            f"Accept: {media_type}\r\nAuthorization: Bearer {auditor.token}\r\n\r\n"
        )
        writer.write(request.encode())
        # Nothing is taken: what was read lies in buffers of a fixed size.
        waiting = await reads.settled()
        assert 0 < waiting <= EVENTS // 2
        # A little is taken, a little more is read.
        await reader.readexactly(200_000)
        assert waiting <= await reads.settled() <= waiting + 200_000 // len(REASON) + 2 * PAGE
        received = bytearray()
        while chunk := await reader.read(1 << 16):
            received += chunk
        writer.close()
        await writer.wait_closed()
    assert reads.largest == PAGE
    assert reads.count == EVENTS
    assert f'"position":{begin + EVENTS},'.encode() in received
    assert b'"type":"OrderRejected"' in received


async def test_a_stream_ends_at_the_position_that_it_is_asked_for(
    engine: Engine, auditor: Client, alice: Client
) -> None:
    first, second = [(await alice.place()).json()["position"] for _ in range(2)]
    path = f"/api/v1/events?trader_id={alice.trader_id}&after={first - 1}&to={second}"
    page = (await auditor.get(path)).json()
    assert [event["position"] for event in page["events"]] == [first, first + 1, second]
    for media_type in ("application/x-ndjson", "text/event-stream"):
        response = await auditor.get(path, headers={"Accept": media_type})
        lines = [line.removeprefix("data: ") for line in response.text.splitlines()]
        events = [json.loads(line) for line in lines if line.startswith("{")]
        assert [event["position"] for event in events] == [first, first + 1, second]
    since = page["events"][-1]["recorded_at"]
    later = (await auditor.get(f"/api/v1/events?trader_id={alice.trader_id}&since={since}")).json()
    assert [event["position"] for event in later["events"]] == [second, second + 1]
    assert await engine.store.position() >= second
