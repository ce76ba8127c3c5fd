"""The one reader of the log in a process: it feeds everybody in the process who wants to know what happened."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Self

from psycopg import AsyncConnection, OperationalError
from psycopg.pq.abc import PGconn

from application.ports import EventStore, StoreUnavailableError, UnreadableEventError
from domain.events import RecordedEvent
from infrastructure.postgres.appending import CHANNEL
from infrastructure.postgres.connecting import UNAVAILABLE, conninfo, longer

_READ_LIMIT = 1_000
_RECENT_MAX = 10_000
# The server tells of a commit of this process about when the process itself does, which is then all there is to know.
_OWN_SECONDS = 0.002
# To read ten events costs about what it costs to read one: where much happens, reads begin so far apart.
_PACE_SECONDS = 0.008


class Follower:
    """Reads the end of the log as it grows and keeps what is recent, decoded, for any number of consumers.

    Notifications wake it; below them it polls, so that losing them costs time and nothing else. Consumers go at their
    own pace: one near the end is served from memory, one that is behind reads the store, and none waits for another.
    Use as an async context manager.

    Args:
        store: the log.
        listen_url: where the database's notifications are heard, directly and not through a pooler; None: only poll.
        poll_seconds: how long a commit may go unnoticed when no notification tells of it.
    """

    def __init__(self, store: EventStore, listen_url: str | None, poll_seconds: float = 0.5) -> None:
        self._store = store
        self._listen_url = listen_url
        self._poll_seconds = poll_seconds
        self._position = 0
        self._heard = 0
        self._read_at = float("-inf")
        self._looking: asyncio.TimerHandle | None = None
        self._recent: list[RecordedEvent] = []
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = False
        self._closed = False
        self._stuck: asyncio.Future[UnreadableEventError]

    async def __aenter__(self) -> Self:
        """Begin at the end of the log.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        self._position = await self._store.position()
        self._stuck = asyncio.get_running_loop().create_future()
        self._tasks.append(asyncio.create_task(self._tail(), name="follower"))
        if self._listen_url is not None:
            self._tasks.append(asyncio.create_task(self._listen(self._listen_url), name="follower-listener"))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop reading; every ``follow`` ends."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def position(self) -> int:
        """The last position that was seen."""
        return self._position

    def wake(self) -> None:
        """Look at once: something was just recorded."""
        self._wake.set()

    def take(self, events: Sequence[RecordedEvent]) -> None:
        """These were just recorded, by this process: they need not be read, unless something before them has to be.

        Then they are read with it, at the pace of what others record.
        """
        if events[0].position == self._position + 1 and not self._ended:
            self._remember(events)
        else:
            self._hear_of(events[-1].position)

    async def stuck(self) -> UnreadableEventError:
        """Wait until the follower, or a consumer of it, stands before an event that this program does not know: which."""
        return await asyncio.shield(self._stuck)

    async def wait_for(self, position: int, timeout: float) -> bool:  # noqa: ASYNC109 - running out of time is an answer here
        """Whether the position was seen within this many seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self._position < position and not self._ended:
                    await self._moved.wait()
        except TimeoutError:
            pass
        return self._position >= position

    async def follow(self, after: int, batch: int = _READ_LIMIT) -> AsyncGenerator[Sequence[RecordedEvent], None]:
        """Every event with a position above ``after``, without a gap or a repeat, at most ``batch`` at a time.

        Ends when the follower is closed.

        Raises:
            UnreadableEventError: the log has an event that this program does not know.
        """
        while events := await self._next(after, batch):
            yield events
            after = events[-1].position

    async def _next(self, after: int, batch: int) -> Sequence[RecordedEvent]:
        while not self._closed:
            if after >= self._position:
                if self._ended:
                    break
                await self._moved.wait()
                continue
            begin = after - (self._position - len(self._recent))
            if begin >= 0:
                return self._recent[begin : begin + batch]
            try:
                return await self._read(after, batch)
            except StoreUnavailableError:
                await asyncio.sleep(self._poll_seconds)
        for task in self._tasks:
            if not task.cancelled() and task.done() and (error := task.exception()):
                raise error
        return ()

    async def _read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        try:
            return await self._store.read(after, limit)
        except UnreadableEventError as error:
            if not self._stuck.done():
                self._stuck.set_result(error)
            raise

    async def _tail(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            while True:
                self._wake.clear()
                self._read_at = now()
                try:
                    events = await self._read(self._position, _READ_LIMIT)
                except StoreUnavailableError:
                    events = ()
                # Meanwhile some of them may have been taken from whoever recorded them.
                if news := [event for event in events if event.position > self._position]:
                    self._remember(news)
                if len(events) < _READ_LIMIT:
                    await self._woken()
        finally:
            self._ended = True
            self._moved.set()

    def _remember(self, events: Sequence[RecordedEvent]) -> None:
        self._recent.extend(events)
        # Now and then rather than every time, because it moves everything.
        if len(self._recent) > 2 * _RECENT_MAX:
            del self._recent[:-_RECENT_MAX]
        self._position = events[-1].position
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _hear_of(self, position: int) -> None:
        """Something was recorded up to there: look for it soon, unless it is known by then."""
        self._heard = max(self._heard, position)
        if position > self._position and self._looking is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time() + _OWN_SECONDS, self._read_at + _PACE_SECONDS)
            self._looking = loop.call_at(due, self._look)

    def _look(self) -> None:
        self._looking = None
        if self._heard > self._position:
            self._wake.set()

    async def _woken(self) -> None:
        alarm = asyncio.get_running_loop().call_later(self._poll_seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    async def _listen(self, url: str) -> None:
        pause = 0.0
        while True:
            try:
                async with await AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    pause = 0.0
                    # What was recorded before the server began to listen was not heard of.
                    self._wake.set()
                    await self._hear(connection.pgconn)
            except UNAVAILABLE:
                await asyncio.sleep(pause)
                pause = longer(pause)

    async def _hear(self, wire: PGconn) -> None:
        """Take notifications until the connection is lost.

        There are many, so one callback takes them: psycopg's own way begins to wait for the socket anew for each.

        Raises:
            psycopg.OperationalError: it is lost.
        """
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[None] = loop.create_future()
        descriptor = wire.socket

        def hear() -> None:
            try:
                wire.consume_input()
                while notification := wire.notifies():
                    self._hear_of(int(notification.extra))
            except OperationalError as error:
                # At once: the descriptor is closed by now, and the next connection of anybody has it.
                loop.remove_reader(descriptor)
                lost.set_exception(error)

        loop.add_reader(descriptor, hear)
        try:
            await lost
        finally:
            if lost.cancelled():
                loop.remove_reader(descriptor)
