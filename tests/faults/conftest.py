"""The living system that the rounds share. After a round that failed it is built anew."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import pytest_asyncio

from tests.faults.drama import Drama

SEED = int(os.environ.get("FAULTS_SEED", "1"))
"""Decides who is killed when, and who trades what."""


class Stage:
    """One drama at a time.

    Attributes:
        count: how many rounds have been played.
    """

    def __init__(self) -> None:
        self.count = 0
        self.takeovers: list[float] = []
        self._drama: Drama | None = None
        self._dramas = 0

    async def drama(self) -> Drama:
        if self._drama is None:
            self._dramas += 1
            self._drama = Drama(SEED + self._dramas - 1)
            await self._drama.begin()
        return self._drama

    @asynccontextmanager
    async def round(self, name: str) -> AsyncIterator[Drama]:
        """One round; what it was is said before what came of it."""
        self.count += 1
        drama = await self.drama()
        say(f"round {self.count}, seed {SEED}: {name} ...", end=" ")
        try:
            yield drama
        except BaseException as error:
            say(f"FAILED: {error}\n{drama.world.said()}")
            await self.clear()
            raise

    async def clear(self) -> None:
        """End what goes on; the next round begins in a new world."""
        if self._drama is not None:
            drama, self._drama = self._drama, None
            self.takeovers += drama.takeovers
            await drama.end()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.clear()
    if stage.takeovers:
        say(
            f"{stage.count} rounds, seed {SEED}; {len(stage.takeovers)} takeovers: median {median(stage.takeovers):.2f} s, "
            f"longest {max(stage.takeovers):.2f} s"
        )


def say(words: str, end: str = "\n") -> None:
    """Something for whoever watches."""
    print(words, end=end, file=sys.stderr, flush=True)  # noqa: T201 - it is what the run is watched by
