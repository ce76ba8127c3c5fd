"""Trying again while the database is away, for what may be done twice."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic
from typing import TypeVar

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from infrastructure.postgres.connecting import UNAVAILABLE, longer

T = TypeVar("T")

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]
"""Connections in autocommit. After a restart of the server each idle one fails once, and patience finds a good one."""


async def patiently(ask: Callable[[], Awaitable[T]], patience_seconds: float = inf) -> T:
    """The answer, asked for again and again while the database is away and patience lasts.

    Raises:
        psycopg.Error: one of UNAVAILABLE when patience has ended.
    """
    deadline = monotonic() + patience_seconds
    pause_seconds = 0.0
    while True:
        try:
            return await ask()
        except UNAVAILABLE:
            if monotonic() >= deadline:
                raise
        await asyncio.sleep(pause_seconds)
        pause_seconds = longer(pause_seconds)
