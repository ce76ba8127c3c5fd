"""Trying again while the database is away, for what may be done twice."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic
from typing import TypeVar

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from infrastructure.postgres.connecting import UNAVAILABLE, conninfo, longer, prepare_threshold

T = TypeVar("T")

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]
"""Connections in autocommit. After a restart of the server each idle one fails once, and patience finds a good one."""

# The pool waits longer and longer between its attempts to connect, up to this; after it, a request makes it try again.
_RECONNECT_SECONDS = 2.0


def pool_of(database_url: str, size: int, *, pooled: bool = False) -> Pool:
    """A pool of at most so many connections, which ``async with`` opens.

    ``pooled``: the URL leads through a pooler of its own that gives each transaction another connection.
    """
    return Pool(
        conninfo(database_url),
        kwargs={"autocommit": True, "prepare_threshold": prepare_threshold(pooled=pooled)},
        min_size=1,
        max_size=size,
        reconnect_timeout=_RECONNECT_SECONDS,
        open=False,
    )


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
