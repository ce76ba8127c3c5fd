"""How often somebody may ask: token buckets, which all processes share through Redis where there is one.

A process takes from a bucket in portions, a hundredth of it at a time. So a request costs a dictionary and a
subtraction, and one whose portion is used up costs one round trip, which it shares with all that wait for theirs. No
process lets anything pass that is not taken from the bucket, so together they never pass more than it holds; what a
process has taken and does not use within the bucket's window is lost.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

REST_SECONDS: Final = 5.0
"""How long a Redis that failed is left alone. Meanwhile each process has buckets of its own."""

_ANSWER_SECONDS: Final = 0.25
_PORTIONS: Final = 100
_KNOWN_MAX: Final = 100_000
_WAIT_SECONDS_MIN: Final = 0.001

# Redis' own clock, so that those of the processes may differ. What is full again is as good as forgotten.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local answers = {}
for i, key in ipairs(KEYS) do
  local limit, window, wanted = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local known = redis.call('HMGET', key, 'left', 'at')
  local left = limit
  if known[1] then
    left = math.min(limit, tonumber(known[1]) + math.max(0, now - tonumber(known[2])) * limit / window)
  end
  local taken = math.min(wanted, math.floor(left))
  left = left - taken
  redis.call('HSET', key, 'left', string.format('%.6f', left), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil((limit - left) * window / limit * 1000) + 1)
  answers[2 * i - 1] = taken
  answers[2 * i] = string.format('%.6f', left)
end
return answers
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Quota:
    """A bucket of ``limit`` requests, which fills from empty to full in ``window_seconds``.

    One is made for each kind, and is equal to itself alone: it is looked up with every request.
    """

    name: str
    limit: int
    window_seconds: int

    @property
    def portion(self) -> int:
        """How much a process takes at a time."""
        return max(1, self.limit // _PORTIONS)

    def seconds_until(self, missing: float) -> float:
        """How long it takes until so much has come back."""
        return missing * self.window_seconds / self.limit


Account = tuple[Quota, str]
"""A quota, and whose."""


class Taken(NamedTuple):
    """What was taken from a bucket, and what was left in it."""

    granted: int
    left: float


class OverQuotaError(Exception):
    """There is nothing left; something comes back in ``retry_after_seconds``."""

    def __init__(self, quota: Quota, retry_after_seconds: float) -> None:
        super().__init__(f"{quota.limit} in {quota.window_seconds} s")
        self.quota = quota
        self.retry_after_seconds = retry_after_seconds


class Buckets(Protocol):
    """Where portions come from."""

    async def take(self, accounts: Sequence[Account]) -> Sequence[Taken]:
        """Take a portion of each, or what is left."""


class _Portion:
    """What this process may still pass, until when, and what was left in the bucket."""

    __slots__ = ("empty_until", "good_until", "here", "left")

    def __init__(self, here: int, left: int, good_until: float, empty_until: float) -> None:
        self.here = here
        self.left = left
        self.good_until = good_until
        self.empty_until = empty_until

    def lacks(self, now: float) -> bool:
        """Whether nothing of it is here."""
        return self.here <= 0 or now >= self.good_until


class Quotas:
    """Passes requests as long as there is quota for them.

    Args:
        buckets: where portions come from.
        clock: seconds that only rise.
    """

    def __init__(self, buckets: Buckets, clock: Callable[[], float] = monotonic) -> None:
        self._buckets = buckets
        self._clock = clock
        self._portions: dict[Account, _Portion] = {}
        self._wanted: dict[Account, None] = {}
        self._turn = asyncio.Lock()

    async def spend(self, accounts: Sequence[Account]) -> int:
        """Spend one of each; returns how much of the last one is left.

        Raises:
            OverQuotaError: one of them is used up. Then nothing is spent.
        """
        now = self._clock()
        portions = self._portions
        spent = []
        for account in accounts:
            portion = portions.get(account)
            if portion is None or portion.here <= 0 or now >= portion.good_until:
                await self._fetch(accounts)
                spent = [portions[each] for each in accounts]
                break
            spent.append(portion)
        for portion in spent:
            portion.here -= 1
        return spent[-1].here + spent[-1].left

    async def _fetch(self, accounts: Sequence[Account]) -> None:
        """Have a portion of each here.

        Raises:
            OverQuotaError: nothing is left of one.
        """
        if missing := self._missing(accounts):
            self._wanted.update(dict.fromkeys(missing))
            async with self._turn:
                # Who had their turn before may have brought it along.
                if missing := self._missing(accounts):
                    self._wanted.update(dict.fromkeys(missing))
                    await self._take()
                    self._missing(accounts)

    def check(self, account: Account) -> None:
        """Spend nothing.

        Raises:
            OverQuotaError: it is known to be used up.
        """
        portion = self._portions.get(account)
        if portion is not None and (seconds := portion.empty_until - self._clock()) > 0:
            raise OverQuotaError(account[0], seconds)

    def _missing(self, accounts: Sequence[Account]) -> Sequence[Account]:
        """Those of which nothing is here.

        Raises:
            OverQuotaError: one of them is known to be used up.
        """
        now = self._clock()
        missing = []
        for account in accounts:
            portion = self._portions.get(account)
            if portion is None or portion.lacks(now):
                if portion is not None and now < portion.empty_until:
                    raise OverQuotaError(account[0], portion.empty_until - now)
                missing.append(account)
        return missing

    async def _take(self) -> None:
        """Take what is wanted and not here by now."""
        now = self._clock()
        known = self._portions
        accounts = [each for each in self._wanted if each not in known or known[each].lacks(now)]
        self._wanted.clear()
        answers = await self._buckets.take(accounts)
        now = self._clock()
        for account, taken in zip(accounts, answers, strict=True):
            quota = account[0]
            wait = 0.0 if taken.granted else max(_WAIT_SECONDS_MIN, quota.seconds_until(1 - taken.left))
            if len(self._portions) >= _KNOWN_MAX:
                self._portions.pop(next(iter(self._portions)))
            self._portions[account] = _Portion(taken.granted, int(taken.left), now + quota.window_seconds, now + wait)


class OwnBuckets:
    """Buckets of this process alone.

    Args:
        clock: seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: dict[Account, tuple[float, float]] = {}

    async def take(self, accounts: Sequence[Account]) -> Sequence[Taken]:
        """See ``Buckets``."""
        return [self._take(account) for account in accounts]

    def _take(self, account: Account) -> Taken:
        quota, now = account[0], self._clock()
        left, at = self._known.pop(account, (quota.limit, now))
        left = min(quota.limit, left + (now - at) * quota.limit / quota.window_seconds)
        granted = min(quota.portion, math.floor(left))
        if len(self._known) >= _KNOWN_MAX:
            self._known.pop(next(iter(self._known)))
        self._known[account] = (left - granted, now)
        return Taken(granted, left - granted)


class SharedBuckets:
    """Buckets that all processes share, in Redis or Valkey; while it is down, those of this process stand in.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        clock: seconds that only rise.
    """

    def __init__(self, url: str, clock: Callable[[], float] = monotonic) -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_connect_timeout=_ANSWER_SECONDS, socket_timeout=_ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._script = self._redis.register_script(_TAKE)
        self._clock = clock
        self._own = OwnBuckets(clock)
        self._rest_until = float("-inf")
        self._is_down = False

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._redis.aclose()

    async def take(self, accounts: Sequence[Account]) -> Sequence[Taken]:
        """See ``Buckets``."""
        if self._clock() < self._rest_until:
            return await self._own.take(accounts)
        names = [f"orderlog:quota:{quota.name}:{whose}" for quota, whose in accounts]
        wanted = [number for quota, _ in accounts for number in (quota.limit, quota.window_seconds, quota.portion)]
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answers = await self._script(keys=names, args=wanted)
        except (RedisError, OSError) as error:  # a timeout is an OSError
            self._rest_until = self._clock() + REST_SECONDS
            if not self._is_down:
                self._is_down = True
                log.warning("quotas_not_shared", problem=f"{type(error).__name__} {error}".strip())
            return await self._own.take(accounts)
        if self._is_down:
            self._is_down = False
            log.info("quotas_shared_again")
        return [Taken(int(granted), float(left)) for granted, left in zip(answers[::2], answers[1::2], strict=True)]
