"""Trying again while the database is away, for what may be done twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf
from time import monotonic
from typing import TypeVar

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from infrastructure.postgres.connecting import UNAVAILABLE, answered_within, conninfo, longer, prepare_threshold
from infrastructure.postgres.outage import UNWATCHED, DatabaseAwayError, Outage

T = TypeVar("T")

LONG_SECONDS = 75.0
"""For work that may take its time: longer than any ``statement_timeout`` here, so that the server has the first word."""

# The pool waits longer and longer between its attempts to connect, up to this; after it, a request makes it try again.
_RECONNECT_SECONDS = 2.0


class Pool(AsyncConnectionPool[AsyncConnection[TupleRow]]):
    """Connections in autocommit. After a restart of the server each idle one fails once, and patience finds a good one.

    Attributes:
        outage: while it is on, nobody gets a connection.
        answer_seconds: after so long the connection is given up under whoever has it; None: never.
    """

    outage: Outage = UNWATCHED
    answer_seconds: float | None = None

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is the pool's own
        *,
        answer_seconds: float | None = None,
    ) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection for the length of the block, which takes ``answer_seconds`` at most if that is given.

        Raises:
            psycopg.OperationalError: the database cannot be reached.
        """
        self.outage.refuse()
        async with super().connection(timeout) as connection:
            with answered_within(connection, answer_seconds or self.answer_seconds):
                yield connection


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


def watched_pool_of(
    database_url: str, size: int, outage: Outage, answer_seconds: float, *, pooled: bool = False
) -> Pool:
    """The same for an engine: nobody waits for it longer than so many seconds, and during an outage not at all."""
    pool = pool_of(database_url, size, pooled=pooled)
    pool.outage, pool.answer_seconds, pool.timeout = outage, answer_seconds, answer_seconds
    return pool


async def patiently(ask: Callable[[], Awaitable[T]], patience_seconds: float = inf) -> T:
    """The answer, asked for again and again while the database is away and patience lasts; none lasts into an outage.

    Raises:
        psycopg.Error: one of UNAVAILABLE when patience has ended.
    """
    deadline = monotonic() + patience_seconds
    pause_seconds = 0.0
    while True:
        try:
            return await ask()
        except UNAVAILABLE as error:
            if monotonic() >= deadline or (isinstance(error, DatabaseAwayError) and deadline < inf):
                raise
        await asyncio.sleep(pause_seconds)
        pause_seconds = longer(pause_seconds)
