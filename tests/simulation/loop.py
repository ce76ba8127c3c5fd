"""An event loop in which time takes no time: when nothing is ready, it is the next timer's moment at once.

What happens in which order is decided by what the program did before, and by nothing else: wherever all tasks of somebody are
gone through, they are in the order in which they began, and in no set, whose order would be that of their places in memory.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

_CALLS_AT_ONCE_MAX = 10_000_000
_PRUNE_AT = 256


class StuckError(AssertionError):
    """Nothing will ever happen any more, or time does not go on."""


class Begun:
    """Tasks in the order in which they began; now and then those that are done are forgotten."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []
        self._prune_at = _PRUNE_AT

    def add(self, task: asyncio.Task[Any]) -> None:
        """Take note of a task that begins."""
        self._tasks.append(task)
        if len(self._tasks) > self._prune_at:
            self._tasks = self.left()
            self._prune_at = max(_PRUNE_AT, 2 * len(self._tasks))

    def left(self) -> list[asyncio.Task[Any]]:
        """Those that are not done."""
        return [task for task in self._tasks if not task.done()]


class Owner(Protocol):
    """Whoever a task belongs to, and all tasks that it begins."""

    begun: Begun


class Handle(partial[object]):
    """Something that is to be called, unless it is cancelled before; made and called without a frame of Python."""

    __slots__ = ()

    def cancel(self) -> None:
        """Let it do nothing."""
        self.__setstate__((_nothing, (), {}, None))

    def cancelled(self) -> bool:
        """Whether it does nothing."""
        return self.func is _nothing


def _nothing() -> None:
    """What a cancelled handle does."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without files and without waiting. Its time begins at 0, in seconds.

    What is due at the same time happens in the order in which it was asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._virtual_seconds = 0.0
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign] # the same, and no frame
        self._numbers = itertools.count()
        self._due: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._prune_at = _PRUNE_AT
        self._begun = Begun()
        self.owner_in: Callable[[Context | None], Owner | None] = _nobody

    # Every future asks for this one; `bool` says False without a frame of Python.
    get_debug = staticmethod(bool)

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._virtual_seconds

    def create_task(
        self, coro: Coroutine[Any, Any, T], *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Begin a task. Its owner is whoever owns the context that it is begun in."""
        task = asyncio.Task(coro, loop=self, name=None if name is None else str(name), context=context)
        self._begun.add(task)
        if (owner := self.owner_in(context)) is not None:
            owner.begun.add(task)
        return task

    def left(self) -> list[asyncio.Task[Any]]:
        """The tasks that are not done, in the order in which they began."""
        return self._begun.left()

    def call_soon(  # type: ignore[override] # the handles of asyncio do more, and take their time for it
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> Handle:
        """Call it after what is due already."""
        handle = Handle((copy_context() if context is None else context).run, callback, *arguments)
        self._due.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment] # there is one thread

    def call_at(  # type: ignore[override] # see above
        self, when: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> Handle:
        """Call it then."""
        return self._keep(when, Handle((copy_context() if context is None else context).run, callback, *arguments))

    def call_later(  # type: ignore[override] # see above
        self, delay: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> Handle:
        """Call it after so many seconds."""
        handle = Handle((copy_context() if context is None else context).run, callback, *arguments)
        return self._keep(self._virtual_seconds + delay, handle)

    async def sleep(self, seconds: float) -> None:
        """Wait this long: ``asyncio.sleep`` without what it asks and does besides."""
        woken = self.create_future()
        self.call_later(seconds, _wake, woken)
        await woken

    def _run_once(self) -> None:
        """Call what is due, until the loop is stopped. Where a real loop would wait, go to the next timer's moment.

        Raises:
            StuckError: there is no timer, or time does not go on.
        """
        due = self._due
        while not self._stopping:
            if not due:
                self._go_on()
            for _ in range(_CALLS_AT_ONCE_MAX):
                try:
                    due.popleft()()
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - as every loop does
                    self.call_exception_handler({"message": "a callback failed", "exception": error})
                if not due or self._stopping:
                    break
            else:
                raise StuckError(f"time stands still at {self._virtual_seconds:.6f} s")

    def _keep(self, when: float, handle: Handle) -> Handle:
        """For its time."""
        heappush(self._timers, (when, next(self._numbers), handle))
        if len(self._timers) > self._prune_at:
            self._prune()
        return handle

    def _prune(self) -> None:
        """Most timers are cancelled long before their time, and a large heap is a slow one."""
        self._timers = [timer for timer in self._timers if timer[2].func is not _nothing]
        heapify(self._timers)
        self._prune_at = max(_PRUNE_AT, 2 * len(self._timers))

    def _go_on(self) -> None:
        timers, due = self._timers, self._due
        while timers:
            when, _, handle = heappop(timers)
            if handle.func is not _nothing:
                break
        else:
            raise StuckError("nothing will ever happen any more")
        due.append(handle)
        now = self._virtual_seconds = max(self._virtual_seconds, when)
        while timers and timers[0][0] <= now:
            due.append(heappop(timers)[2])


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _nobody(_context: Context | None) -> None:
    """Who owns what, before anybody has said so."""


def run_virtually(loop: VirtualLoop, main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what is still going on then is cancelled."""
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        try:
            left = loop.left()
            for task in left:
                task.cancel()
            with suppress(StuckError):
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
