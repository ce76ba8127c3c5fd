"""What a trader has asked for lately: all that the limits over time need to know, and no more.

The times are those of the clocks of whoever decided, which may differ a little from each other. What a clock that is
wrong by more than a second says does not count towards the orders of a second, so that it locks nobody out.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from domain.frozen import dataclass
from domain.values import ZERO, Money

TERMS_KEPT_MAX = 10_000
"""How many different orders are remembered to find duplicates of, the newest ones."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=10)
_TICKS = 100
_TERMS_KEPT = timedelta(hours=1)
_count = itemgetter(1)


class Asked(NamedTuple):
    """A request as the limits over time count it.

    ``notional`` is what it adds to what the trader asked for that day, ``terms`` are the order's in words; None where
    duplicates are not looked for.
    """

    at: datetime
    notional: Money
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """``ticks`` counts requests by hundredths of a second since 1970, over the last second before the newest one.

    ``notional`` is what was asked for on ``day``, a date in UTC, in dollars. ``terms`` says when orders on these terms
    were last placed, within an hour before the newest.
    """

    ticks: tuple[tuple[int, int], ...] = ()
    day: date | None = None
    notional: Money = Money(ZERO)
    terms: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))

    def seconds_to_wait(self, at: datetime, per_second: int) -> int:
        """In how many whole seconds one more request makes no more than ``per_second`` in any second; 0: now."""
        if sum(map(_count, self.ticks)) < per_second:
            return 0
        now = _tick(at)
        ticks = [(tick, count) for tick, count in self.ticks if abs(tick - now) <= _TICKS]
        left = sum(count for _, count in ticks)
        freed_at = now
        for tick, count in ticks:
            if left < per_second:
                break
            left -= count
            freed_at = tick + _TICKS + 1
        return -((now - freed_at) // _TICKS)

    def notional_on(self, at: datetime) -> Money:
        """What was asked for on the day of this moment."""
        return self.notional if self.day is not None and at.date() <= self.day else Money(ZERO)

    def was_asked(self, terms: str, at: datetime, window: timedelta) -> bool:
        """Whether an order on these terms was placed so shortly before."""
        before = self.terms.get(terms)
        return before is not None and at - before < window

    def after(self, asked: Asked) -> "Activity":
        """The activity after one more request."""
        at, notional, terms = asked
        day = at.date()
        if self.day is not None and day <= self.day:
            day, notional = self.day, Money(self.notional + notional)
        known = self.terms if terms is None else _remembered(self.terms, terms, at)
        return Activity(_counted(self.ticks, _tick(at)), day, notional, known)


NO_ACTIVITY = Activity()


def _tick(at: datetime) -> int:
    return (at - _EPOCH) // _TICK


def _counted(ticks: tuple[tuple[int, int], ...], now: int) -> tuple[tuple[int, int], ...]:
    if ticks and ticks[-1][0] > now:  # by a clock that is behind
        counts = {tick: count for tick, count in ticks if abs(tick - now) <= _TICKS}
        counts[now] = counts.get(now, 0) + 1
        return tuple(sorted(counts.items()))
    kept = ticks[bisect_left(ticks, (now - _TICKS,)) :]
    return (*kept[:-1], (now, kept[-1][1] + 1)) if kept and kept[-1][0] == now else (*kept, (now, 1))


def _remembered(known: Mapping[str, datetime], terms: str, at: datetime) -> Mapping[str, datetime]:
    kept = dict(known)
    kept.pop(terms, None)
    kept[terms] = at
    # Oldest first, as far as clocks agree.
    while kept[oldest := next(iter(kept))] < at - _TERMS_KEPT or len(kept) > TERMS_KEPT_MAX:
        del kept[oldest]
    return MappingProxyType(kept)
