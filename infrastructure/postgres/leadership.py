"""One process at a time does what must not be done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infrastructure.postgres.connecting import UNAVAILABLE, conninfo, hang_up

_TRY_SECONDS = 0.5
_CHECK_SECONDS = 1.0
_ANSWER_SECONDS = 3.0
_HANG_SECONDS_MAX = 4.0


class Leadership:
    """Leadership by name among all processes on one database: an advisory lock, held by a connection of its own.

    A leader whose connection breaks learns of it within about four seconds. One that hangs for as long, although its
    connection stands, loses the lead, and learns of it when it goes on: what a leader writes has to be safe against another one, and this only keeps them from racing.

    Args:
        url: of the database, directly and not through a pooler.
        name: of what is led.
    """

    def __init__(self, url: str, name: str) -> None:
        self._conninfo = conninfo(url)
        self._name = name

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[asyncio.Event]:
        """Wait to become the leader, and be it for the length of the block, or until the event that it brings is set.

        Once the connection is lost another process may lead: the block should end then.
        """
        connection = await self._acquire()
        lost = asyncio.Event()
        watch = asyncio.create_task(_watch(connection, lost), name=f"leadership-{self._name}")
        try:
            yield lost
        finally:
            hang_up(connection)
            await watch
            await connection.close()

    async def _acquire(self) -> AsyncConnection[TupleRow]:
        while True:
            try:
                connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
            except UNAVAILABLE:
                await asyncio.sleep(_TRY_SECONDS)
                continue
            try:
                # Tried again and again: a statement that waited for the lock would keep its snapshot for as long, and
                # what the whole database may clean up would wait with it.
                while not await self._try(connection):  # noqa: ASYNC110 - the event is in another process
                    await asyncio.sleep(_TRY_SECONDS)
                # A leader asks every second. The server ends the session, and the lock with it, of one that does not.
                await connection.execute(b"SET idle_session_timeout = %d" % round(1000 * _HANG_SECONDS_MAX))
            except UNAVAILABLE:
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection

    async def _try(self, connection: AsyncConnection[TupleRow]) -> bool:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (self._name,))
        return await cursor.fetchone() == (True,)


async def _watch(connection: AsyncConnection[TupleRow], lost: asyncio.Event) -> None:
    """Notice when the connection is lost: at once when it is closed, soon when it only fell silent."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            async for _ in connection.notifies(timeout=_CHECK_SECONDS):
                pass  # pragma: no cover - nothing is listened to: this waits for the connection to be closed
            silence = loop.call_later(_ANSWER_SECONDS, hang_up, connection)
            await connection.execute("SELECT 1")
            silence.cancel()
    except UNAVAILABLE:
        lost.set()
