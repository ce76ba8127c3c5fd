"""Measuring side by side: contenders take turns, round by round, so that a busy machine is busy for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

Measure = Callable[[float], float]
"""Works for about so many seconds, and returns what came of each of them: units a second, or milliseconds a unit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each contender is measured, and for how many seconds."""

    rounds: int
    seconds: float


FULL = Pace(rounds=7, seconds=3.0)
QUICK = Pace(rounds=3, seconds=1.0)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is held against; ``at_most``: less is better."""

    at_least: float | None = None
    aim: float | None = None
    at_most: bool = False

    def met(self, value: float) -> bool | None:
        """Whether the value is as good as it has to be; None where nothing is asked."""
        if self.at_least is None:
            return None
        return value <= self.at_least if self.at_most else value >= self.at_least


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured of ours, round by round, and of what it is compared with.

    With a baseline the figure is the ratio, ours to theirs, of each round; without one it is the value itself.
    """

    name: str
    unit: str
    ours: Sequence[float]
    baseline: str = ""
    theirs: Sequence[float] = ()
    goal: Goal = field(default_factory=Goal)
    note: str = ""

    @property
    def values(self) -> Sequence[float]:
        """The ratio of every round, or the value where there is nothing to compare with."""
        if not self.theirs:
            return self.ours
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)


def in_turns(contenders: Mapping[str, Measure], pace: Pace) -> dict[str, list[float]]:
    """What each contender reached in each round. The first round is for warming up, and forgotten."""
    reached: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(pace.rounds + 1):
        for name, measure in contenders.items():
            seconds = pace.seconds if number else pace.seconds / 3
            reached[name].append(measure(seconds))
    return {name: values[1:] for name, values in reached.items()}


def best(reached: Mapping[str, Sequence[float]], names: Sequence[str]) -> tuple[str, Sequence[float]]:
    """The variant of a baseline that did best."""
    name = max(names, key=lambda each: median(reached[each]))
    return name, reached[name]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]
