"""The append path alone: prepared bytes, many callers, and one writer that takes to a commit all that wait for one."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Self

import uvloop

from benchmarks.desk import by_callers
from domain.events import order_stream
from domain.values import OrderId
from infrastructure.batch import Write, WrittenEvent
from infrastructure.collector import keep_what_is_there
from infrastructure.ids import UuidIds
from infrastructure.postgres.appending import append
from infrastructure.postgres.connecting import Session
from infrastructure.postgres.partitions import CurrentPartition

_PATIENCE_SECONDS = 5.0


class Writer:
    """Appends prepared events to a database. Use as a context manager."""

    def __init__(self, url: str) -> None:
        self._session = Session(url, _PATIENCE_SECONDS)
        self._current = CurrentPartition()
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._ids = UuidIds()
        self._waiting: list[tuple[Write, asyncio.Future[bool]]] = []
        self._wake = asyncio.Event()
        self._position = 0

    def __enter__(self) -> Self:
        """Nothing is opened before it is needed."""
        keep_what_is_there()  # as the processes of the engine do
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._session.close()
        self._runner.close()

    def append(self, topic: str, state: bytes, metadata: bytes) -> Callable[[float], float]:
        """Measures durable events with these bytes, each the first of a stream of its own, a second."""

        async def append_one() -> None:
            stream_id = order_stream(OrderId(self._ids.new()))
            write = Write({stream_id: 0}, [WrittenEvent(stream_id, 1, topic, state, metadata)])
            answer = asyncio.get_running_loop().create_future()
            self._waiting.append((write, answer))
            self._wake.set()
            await answer

        async def measure(seconds: float) -> float:
            writing = asyncio.create_task(self._write())
            try:
                return await by_callers(append_one, seconds)
            finally:
                writing.cancel()

        return lambda seconds: self._runner.run(measure(seconds))

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            taken, self._waiting = self._waiting, []
            writes = [write for write, _ in taken]
            work = partial(append, self._session, self._current, writes, self._position)
            holding, batch = await loop.run_in_executor(None, work)
            self._position = batch.head.position
            for (_, answer), holds in zip(taken, holding, strict=True):
                answer.set_result(holds)
