"""A few connections for short reads, kept open, given back in order, thrown away at the first sign of trouble."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infrastructure.postgres import arrays
from infrastructure.postgres.connecting import conninfo, prepare_threshold


class Connections:
    """At most ``limit`` connections to one database, in autocommit, opened when they are needed.

    ``settings`` are those of the server for each of them. ``pooled``: the URL leads through a pooler, which has no such
    settings, and gives each transaction another connection.
    """

    def __init__(self, url: str, settings: str = "", limit: int = 4, *, pooled: bool = False) -> None:
        self._conninfo = conninfo(url, "" if pooled else settings)
        self._prepare_threshold = prepare_threshold(pooled=pooled)
        self._turns = asyncio.Semaphore(limit)
        self._idle: list[AsyncConnection[TupleRow]] = []
        self._closed = False

    async def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection for the length of the block; one that saw an exception is not used again.

        Raises:
            psycopg.OperationalError: the database cannot be reached.
        """
        async with self._turns:
            connection = self._idle.pop() if self._idle else await self._open()
            try:
                yield connection
            except BaseException:
                await connection.close()
                raise
            if self._closed:
                await connection.close()
            else:
                self._idle.append(connection)

    async def _open(self) -> AsyncConnection[TupleRow]:
        connection = await AsyncConnection.connect(
            self._conninfo, autocommit=True, prepare_threshold=self._prepare_threshold
        )
        arrays.register(connection)
        return connection
