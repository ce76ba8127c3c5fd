"""A worker that loses its lead stops publishing; one that did not would neither lead nor stand by."""

import asyncio

from infrastructure.buses import RedisBus

STEPS = 30


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
