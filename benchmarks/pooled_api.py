"""``python -m benchmarks.pooled_api DESCRIPTOR``: the same API, but every command is a transaction of its own.

A command waits for one of a pool of connections, and is loaded, decided and committed there alone.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import cast

import uvloop

from api.asgi import build_app, server_of
from application.sequencer import Command, Outcome, Sequencer
from infrastructure.collector import keep_what_is_there
from infrastructure.composition import Engine, open_engine
from infrastructure.logs import configure_logs
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.settings import load_settings

_CONNECTIONS = 16


class Pool:
    """Stands where the sequencer stands."""

    def __init__(self) -> None:
        self._idle: asyncio.LifoQueue[Sequencer] = asyncio.LifoQueue()

    def add(self, sequencer: Sequencer) -> None:
        """A sequencer that is never given two commands at once commits each alone."""
        self._idle.put_nowait(sequencer)

    async def execute(self, command: Command) -> Outcome:
        """See ``application.sequencer.Sequencer``."""
        sequencer = await self._idle.get()
        try:
            return await sequencer.execute(command)
        finally:
            self.add(sequencer)


@asynccontextmanager
async def open_pooled_engine() -> AsyncIterator[Engine]:
    """The engine of the process's environment, on the pool."""
    settings = load_settings(os.environ)
    async with open_engine(settings) as engine, AsyncExitStack() as stack:
        pool = Pool()
        for _ in range(_CONNECTIONS):
            store = await stack.enter_async_context(PostgresEventStore(str(settings.database_url)))
            pool.add(await stack.enter_async_context(Sequencer(store)))
        yield replace(engine, trading=replace(engine.trading, sequencer=cast("Sequencer", pool)))


def main(descriptor: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logs("api")
    server = server_of(build_app(open_pooled_engine))
    keep_what_is_there()
    with suppress(KeyboardInterrupt):
        uvloop.run(server.serve(sockets=[socket.socket(fileno=descriptor)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
