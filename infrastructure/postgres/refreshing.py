"""What a process knows by heart from the database, and reads again and again in the background."""

import asyncio
from abc import ABC, abstractmethod
from typing import Self


class Refreshed(ABC):
    """Read once at the start, then for ever. Use as an async context manager.

    Args:
        name: of the task that reads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Read it, and go on reading it in the background."""
        await self._refresh()
        self._tasks.append(asyncio.create_task(self._keep_fresh(), name=self._name))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._pause_seconds())
            await self._refresh()

    @abstractmethod
    def _pause_seconds(self) -> float:
        """How long until it is read again."""

    @abstractmethod
    async def _refresh(self) -> None:
        """Read it, or leave it as it is where that is not possible."""
