"""An event loop in which time takes no time: when nothing is ready, it is the next timer's moment at once.

What happens in which order is decided by what the program did before, and by nothing else: tasks are told apart by a
number and not by their place in memory, so that sets of them are in the same order in every run.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from typing import Any, Never, Protocol, TypeVar

T = TypeVar("T")

_STEPS_AT_ONCE_MAX = 1_000_000


class StuckError(AssertionError):
    """Nothing will ever happen any more, or time does not go on."""


class Owner(Protocol):
    """Whoever a task belongs to, and all tasks that it begins."""

    def adopt(self, task: "NumberedTask") -> None:
        """Take note of a task of one's own."""
        ...


class NumberedTask(asyncio.Task[Any]):
    """A task that is known by its number. Its owner is whoever owns the context it was begun in."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int, **options: Any) -> None:
        self.number = number
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without files and without waiting. Its time begins at 0, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_seconds = 0.0
        self._steps_at_once = 0
        self._numbers = itertools.count()
        self._selector = self  # what BaseEventLoop waits with
        self.owner_in: Callable[[Context | None], Owner | None] | None = None
        self.set_task_factory(_numbered)

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._virtual_seconds

    def next_number(self) -> int:
        """A number that no task had before."""
        return next(self._numbers)

    def select(self, timeout: float | None) -> Sequence[Never]:
        """Where a real loop would wait: go to the next timer's moment.

        Raises:
            StuckError: there is no timer, or millions of steps were taken at one moment.
        """
        if timeout is None:
            raise StuckError("nothing will ever happen any more")
        if timeout > 0:
            self._virtual_seconds = self._scheduled[0].when()  # type: ignore[attr-defined] # BaseEventLoop's heap of timers
            self._steps_at_once = 0
        else:
            self._steps_at_once += 1
            if self._steps_at_once > _STEPS_AT_ONCE_MAX:
                raise StuckError(f"time stands still at {self._virtual_seconds:.6f} s")
        return ()

    def _write_to_self(self) -> None:
        """Nobody waits, so nobody needs to be woken."""

    def _process_events(self, event_list: Sequence[Never]) -> None:
        """There are no files, so nothing ever happened to one."""


def _numbered(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> NumberedTask:
    assert isinstance(loop, VirtualLoop)
    task = NumberedTask(coroutine, loop.next_number(), loop=loop, **options)
    owner = None if loop.owner_in is None else loop.owner_in(options.get("context"))
    if owner is not None:
        owner.adopt(task)
    return task


def run_virtually(loop: VirtualLoop, main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what is still going on then is cancelled."""
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        try:
            left = sorted(asyncio.all_tasks(loop), key=hash)
            for task in left:
                task.cancel()
            with suppress(StuckError):
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
