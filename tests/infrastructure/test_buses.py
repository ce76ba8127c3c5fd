"""What is particular to the bus over PostgreSQL: the limits of a notification."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from structlog.testing import capture_logs

from infrastructure.buses import PostgresBus

LONG = "x" * 8_000
FILLED = {
    "event": "order.filled",
    "order_id": "0d6e3ad9",
    "status": "FILLED",
    "timestamp": "2026-11-22T12:00:00.000000Z",
    "position": 17,
    "version": 4,
}


@pytest.mark.parametrize("extra", [{"reason": LONG}, {"flags": [LONG]}, {"reason": "ñ" * 4_000}])
async def test_a_message_too_long_for_postgres_is_reduced_to_what_it_is_about(
    empty_database_url: str, extra: dict[str, object]
) -> None:
    async with PostgresBus(empty_database_url) as bus, aclosing(bus.subscribe("c")) as heard:  # type: ignore[type-var]  # it is a generator
        sent = json.dumps({**FILLED, **extra}, ensure_ascii=False).encode()
        assert json.loads(await first(bus, heard, sent)) == {**FILLED, "truncated": True}


@pytest.mark.parametrize(
    "message",
    [
        LONG.encode(),
        f'"{LONG}"'.encode(),
        json.dumps({"text": LONG}).encode(),
        json.dumps({"event": LONG}).encode(),
        b"[" * 100_000,
        b"no \0 text",
        b"no \xff text",
    ],
)
async def test_a_message_postgres_cannot_carry_is_dropped_and_logged_and_the_others_go_out(
    empty_database_url: str, message: bytes
) -> None:
    async with PostgresBus(empty_database_url) as bus, aclosing(bus.subscribe("c")) as heard:  # type: ignore[type-var]  # it is a generator
        with capture_logs() as logs:
            assert await first(bus, heard, message, b"2") == b"2"
    assert {(entry["event"], entry["log_level"]) for entry in logs} == {("bus_message_dropped", "error")}


async def first(bus: PostgresBus, heard: AsyncIterator[bytes], *messages: bytes) -> bytes:
    """The first message that is heard, when these are sent until one is."""
    arriving = asyncio.ensure_future(anext(heard))
    async with asyncio.timeout(10):
        while not arriving.done():
            await bus.publish([("c", message) for message in messages])
            await asyncio.wait([arriving], timeout=0.05)
    return arriving.result()
