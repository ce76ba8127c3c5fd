"""Where the rounds are played: one living system for all of them, built anew after a round that failed."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

from tests.faults.drama import Drama

SEED = int(os.environ.get("FAULTS_SEED", "1"))
"""Decides who is killed when, and who trades what. The processes are real, so the rest is up to the machine."""

IS_LONG = os.environ.get("FAULTS_ROUNDS") == "all"
"""Whether everything is played, or only enough to notice when something breaks."""


class Stage:
    """One drama at a time.

    Attributes:
        count: how many rounds have been played.
    """

    def __init__(self) -> None:
        self.count = 0
        self._dramas: list[Drama] = []
        self._is_on = False

    @asynccontextmanager
    async def round(self, name: str) -> AsyncIterator[Drama]:
        """One round; what it is is said before what comes of it."""
        self.count += 1
        if not self._is_on:
            self._dramas.append(Drama(SEED + len(self._dramas)))
            self._is_on = True
            await self._dramas[-1].begin()
        drama = self._dramas[-1]
        say(f"round {self.count}, seed {SEED}: {name} ...", end=" ")
        try:
            yield drama
        except BaseException as error:
            say(f"FAILED: {error}\n{drama.world.said()}")
            await self.clear()
            raise

    async def clear(self) -> None:
        """End what goes on; the next round begins in a new world."""
        if self._is_on:
            self._is_on = False
            await self._dramas[-1].end()

    def sum_up(self) -> None:
        """Say what came of all rounds."""
        takeovers = [seconds for drama in self._dramas for seconds in drama.takeovers]
        fills = sum(len(drama.ledger.booked) for drama in self._dramas)
        tallies = [trader.tally for drama in self._dramas for trader in drama.traders]
        breaks = sum(subscriber.breaks for drama in self._dramas for subscriber in drama.subscribers)
        logged = [order for drama in self._dramas for order in drama.ledger.orders.values()]
        exits = sum(order.is_exit for order in logged)
        unprotected = sum(order.is_unprotected for order in logged)
        again = sum(count - 1 for drama in self._dramas for count in drama.world.submitted.values())
        say(
            f"{self.count} rounds, seed {SEED}: {len(logged)} orders ({exits} exits) and {fills} fills, none lost and none doubled. "
            f"{sum(tally.sent_again for tally in tallies)} requests had no answer and were sent again, "
            f"{sum(tally.replayed for tally in tallies)} of them were there already. {again} orders went to the venue "
            f"once more. {unprotected} orders were left without exits, and their traders told. {breaks} streams broke and were resumed."
        )
        if takeovers:
            say(
                f"{len(takeovers)} times a leader was lost: its successor acted after {median(takeovers):.1f} seconds in "
                f"the median, {max(takeovers):.1f} at most."
            )


def say(words: str, end: str = "\n") -> None:
    """Something for whoever watches."""
    print(words, end=end, file=sys.stderr, flush=True)  # noqa: T201 - it is what the run is watched by
