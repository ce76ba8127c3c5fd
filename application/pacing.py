"""Batches taken at a pace: those that come close together are taken together."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def paced(batches: AsyncIterator[T], interval_seconds: float) -> AsyncIterator[T]:
    """The batches, begun at least so far apart; the first one after a rest waits for nothing.

    For whoever pays about as much for a batch of one event as for one of thirty, as a transaction or a message does.
    Each of the ``batches`` is to hold whatever there is by the time it is asked for.
    """
    now = asyncio.get_running_loop().time
    async for batch in batches:
        next_at = now() + interval_seconds
        yield batch
        await asyncio.sleep(max(next_at - now(), 0))
