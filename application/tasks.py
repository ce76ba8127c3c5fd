"""Work that goes on beside the one who began it, and ends with them."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """The tasks of one owner: one that fails is logged and leaves the others alone.

    Args:
        failure: what it means that one of them failed, for the log.
    """

    def __init__(self, failure: str) -> None:
        self._failure = failure
        self._tasks: dict[asyncio.Task[object], None] = {}  # a set that keeps their order

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin the work."""
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)

    async def end(self) -> None:
        """Cancel what still goes on, and wait until it has ended."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            log.error(self._failure, exc_info=task.exception())
