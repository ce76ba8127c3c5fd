"""A wire between a client and a server that can be held at one exact moment: right there the test kills somebody."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_CHUNK_BYTES = 65_536

Address = str | tuple[str, int]
"""Where a server is: the path of a Unix socket, or a host and a port."""


@dataclass(eq=False)
class Trap:
    """The moment at which a wire is held: what a client says, or what it is answered to that.

    Attributes:
        asked: the client says all of this in one breath.
        answered: None holds what the client says; else that goes through, and the answer with these bytes is held.
        sprung: it holds one connection now; it never holds another.
    """

    asked: tuple[bytes, ...]
    answered: bytes | None = None
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _is_lost: bool = False

    def release(self, *, is_lost: bool = False) -> None:
        """Let go of the connection: what was held is passed on, or lost and the connection with it."""
        self._is_lost = is_lost
        self._released.set()

    def catches(self, said: bytes) -> bool:
        """Whether this is the moment, or the request before it."""
        return not self.sprung.is_set() and not self._released.is_set() and all(part in said for part in self.asked)

    async def hold(self) -> None:
        """Wait to be released.

        Raises:
            ConnectionError: what was held is lost.
        """
        self.sprung.set()
        await self._released.wait()
        if self._is_lost:
            raise ConnectionAbortedError


class Wire:
    """Listens on a port of 127.0.0.1 and passes bytes on to a server.

    Args:
        target: the server; asked for at every connection, since it may have been started anew somewhere else.
        heard: told everything that is passed on to the server.

    Attributes:
        port: where it listens.
        trap: what it watches for; None: nothing.
    """

    def __init__(self, target: Callable[[], Address], heard: Callable[[bytes], None] = lambda _said: None) -> None:
        self.port = 0
        self.trap: Trap | None = None
        self._target = target
        self._heard = heard
        self._server: asyncio.Server | None = None
        self._talks: set[_Talk] = set()

    async def open(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End every connection and take no more."""
        if self._server is not None:
            self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """End every connection at once; new ones are taken."""
        tasks = [task for talk in self._talks for task in talk.tasks]
        for talk in list(self._talks):
            talk.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._target()
        try:
            if isinstance(target, str):
                far_reader, far_writer = await asyncio.open_unix_connection(target)
            else:
                far_reader, far_writer = await asyncio.open_connection(*target)
        except OSError:
            writer.transport.abort()
            return
        talk = _Talk(self, writer, far_writer)
        self._talks.add(talk)
        talk.tasks = [
            asyncio.create_task(talk.pass_up(reader, self._heard)),
            asyncio.create_task(talk.pass_down(far_reader)),
        ]
        await asyncio.gather(*talk.tasks, return_exceptions=True)
        self._talks.discard(talk)


class _Talk:
    """One connection: both directions end together."""

    def __init__(self, wire: Wire, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self._wire = wire
        self._client = client
        self._server = server
        self._waiting: Trap | None = None

    def abort(self) -> None:
        self._client.transport.abort()
        self._server.transport.abort()

    async def pass_up(self, source: asyncio.StreamReader, heard: Callable[[bytes], None]) -> None:
        """What the client says."""
        with suppress(OSError):
            while said := await source.read(_CHUNK_BYTES):
                trap = self._wire.trap
                if trap is not None and trap.catches(said):
                    if trap.answered is None:
                        await trap.hold()
                    else:
                        self._waiting = trap
                heard(said)
                self._server.write(said)
                await self._server.drain()
        self._end()

    async def pass_down(self, source: asyncio.StreamReader) -> None:
        """What the server answers."""
        with suppress(OSError):
            while said := await source.read(_CHUNK_BYTES):
                trap = self._waiting
                if trap is not None and trap.answered is not None and trap.answered in said:
                    self._waiting = None
                    if not trap.sprung.is_set():
                        await trap.hold()
                self._client.write(said)
                await self._client.drain()
        self._end()

    def _end(self) -> None:
        self._client.close()
        self._server.close()
