"""Something long in pieces: the next one is asked for before the one at hand is worked on."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def reading_ahead(read: Callable[[T | None], Coroutine[Any, Any, T | None]]) -> AsyncGenerator[T]:
    """What ``read`` makes of the piece before, None for the first, until there is no more of it: None, or it is empty."""
    reading = asyncio.create_task(read(None))
    try:
        while piece := await reading:
            reading = asyncio.create_task(read(piece))
            await asyncio.sleep(0)  # the question is on its way, and whoever is asked works beside us
            yield piece
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
