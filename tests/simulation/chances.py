"""Everything that is left to chance in a simulation, and comes from its seed."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the simulation's one source of chance, and it is seeded
from typing import TypeVar

T = TypeVar("T")


class Chances:
    """One stream of chances. Each part of the simulation has its own, so that they do not shift each other's."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._random = Random(seed)  # noqa: S311 - nothing here is secret
        self.random = self._random.random

    def branch(self, name: str) -> "Chances":
        """Another stream, with the same beginning for the same seed and name."""
        return Chances(f"{self._seed}/{name}")

    def happens(self, probability: float) -> bool:
        """Whether something that has this probability happens now."""
        return probability > 0 and self.random() < probability

    def between(self, low: float, high: float) -> float:
        """A number between these."""
        return low + (high - low) * self.random()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def one_of(self, choices: Sequence[T]) -> T:
        """One of these."""
        return choices[int(self.random() * len(choices))]
