"""A wire to PostgreSQL that breaks around the next COMMIT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

from psycopg.conninfo import conninfo_to_dict


class Break(Enum):
    """What becomes of the next COMMIT."""

    ANSWER_LOST = auto()
    """It arrives, and the client never hears of it."""
    NEVER_ARRIVED = auto()
    """Both sides lose the connection before it arrives."""
    HALF_OPEN = auto()
    """It does not arrive, and the server does not learn that the client is gone."""


class Wire:
    """Passes everything on to the server, until the next COMMIT if ``breaking`` says so.

    Attributes:
        url: the database, by way of this wire.
        breaking: what happens at the next COMMIT; once.
        marker: what a COMMIT is known by.
        for_long: whether new connections are refused after that.
        broken: set when it has happened.
        mended: while it is not set, new connections are refused.
        silent: whether nothing is passed on.
    """

    def __init__(self, database_url: str) -> None:
        server = conninfo_to_dict(database_url)
        self._socket = f"{server['host']}/.s.PGSQL.{server['port']}"
        self._database = server["dbname"]
        self.breaking: Break | None = None
        self.marker = b"COMMIT\x00"
        self.for_long = False
        self.broken = asyncio.Event()
        self.mended = asyncio.Event()
        self.mended.set()
        self.silent = False
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._port = 0

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{self._database}?sslmode=disable&gssencmode=disable"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Wire"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.hang_up()
            await asyncio.sleep(0)

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._writers.append(client)
        if not self.mended.is_set():
            client.transport.abort()
            return
        server_reader, server = await asyncio.open_unix_connection(self._socket)
        self._writers.append(server)
        self._tasks.append(asyncio.create_task(self._to_server(client_reader, client, server)))
        self._tasks.append(asyncio.create_task(self._to_client(server_reader, client)))

    async def _to_server(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self.breaking is not None and self.marker in data:
                    breaking, self.breaking = self.breaking, None
                    if self.for_long:
                        self.mended.clear()
                    if breaking is Break.ANSWER_LOST:
                        server.write(data)
                        await server.drain()
                    if breaking is not Break.HALF_OPEN:
                        server.close()
                    client.transport.abort()
                    self.broken.set()
                    return
                if not self.silent:
                    server.write(data)
                    await server.drain()
        server.close()

    @staticmethod
    async def _to_client(reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                client.write(data)
                await client.drain()
        client.close()
