"""A worker that loses its lead stops publishing; one that did not would neither lead nor stand by."""

import asyncio
import sys

import pytest

from infrastructure.buses import RedisBus

STEPS = 30


@pytest.mark.xfail(
    sys.version_info < (3, 12),
    strict=True,
    reason="redis-py sends with asyncio.wait_for, which before Python 3.12 swallows a cancellation that comes as it ends",
)
async def test_a_cancelled_publication_ends_whenever_it_is_cancelled(valkey_url: str) -> None:
    went_on = []
    async with RedisBus(valkey_url) as bus:
        await bus.publish([("orders:alice", b"connect")])
        for steps in range(STEPS):
            publication = asyncio.create_task(bus.publish([("orders:alice", b"hello")]))
            for _ in range(steps):
                await asyncio.sleep(0)
            if publication.cancel():
                await asyncio.wait({publication})
                if not publication.cancelled():
                    went_on.append(steps)
    assert went_on == []
