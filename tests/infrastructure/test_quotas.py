import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
import redis
from structlog.testing import capture_logs

from infrastructure import quotas
from infrastructure.quotas import (
    REST_SECONDS,
    Account,
    Buckets,
    OverQuotaError,
    OwnBuckets,
    Quota,
    Quotas,
    SharedBuckets,
    Taken,
)

FEW = Quota("trader", 10, 5)
MANY = Quota("address", 1000, 5)
ALICE, BOB = (FEW, "alice"), (FEW, "bob")


class Seconds:
    """A clock that stands still until somebody moves it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """Buckets, and how often they were asked."""

    def __init__(self, buckets: Buckets) -> None:
        self.buckets = buckets
        self.asked: list[Sequence[Account]] = []

    async def take(self, accounts: Sequence[Account]) -> Sequence[Taken]:
        self.asked.append(accounts)
        await asyncio.sleep(0)
        return await self.buckets.take(accounts)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


async def passed(spender: Quotas, account: Account, tries: int) -> int:
    """How many of so many requests at once pass."""
    results = await asyncio.gather(*(spender.spend([account]) for _ in range(tries)), return_exceptions=True)
    assert all(isinstance(each, int | OverQuotaError) for each in results)
    return sum(isinstance(each, int) for each in results)


async def test_as_many_pass_as_there_are_and_then_as_many_as_come_back(seconds: Seconds) -> None:
    spender = Quotas(OwnBuckets(seconds), seconds)
    assert await passed(spender, ALICE, 20) == 10
    with pytest.raises(OverQuotaError) as refused:
        await spender.spend([ALICE])
    assert refused.value.quota is FEW
    assert refused.value.retry_after_seconds == 0.5  # two come back in a second
    seconds.now += 1.0
    assert await passed(spender, ALICE, 20) == 2
    seconds.now += 1000
    assert await passed(spender, ALICE, 20) == 10
    assert await passed(spender, BOB, 20) == 10


async def test_what_is_left_is_said_of_the_last(seconds: Seconds) -> None:
    spender = Quotas(OwnBuckets(seconds), seconds)
    assert [await spender.spend([(MANY, "there"), ALICE]) for _ in range(3)] == [9, 8, 7]
    assert await spender.spend([(MANY, "there")]) == 996


async def test_where_one_is_used_up_none_is_spent(seconds: Seconds) -> None:
    spender = Quotas(OwnBuckets(seconds), seconds)
    assert await passed(spender, ALICE, 10) == 10
    for _ in range(5):
        with pytest.raises(OverQuotaError):
            await spender.spend([BOB, ALICE])
    assert await spender.spend([BOB]) == 9


async def test_a_portion_serves_many_requests_and_those_that_wait_share_a_round_trip(seconds: Seconds) -> None:
    counted = Counted(OwnBuckets(seconds))
    spender = Quotas(counted, seconds)
    assert await passed(spender, (MANY, "there"), 9) == 9
    assert len(counted.asked) == 1
    await asyncio.gather(*(spender.spend([(MANY, f"there {number}")]) for number in range(50)))
    assert len(counted.asked) <= 3  # one that was under way, and one for all who waited meanwhile
    assert sum(map(len, counted.asked)) == 51


async def test_nobody_is_asked_about_what_is_known_to_be_used_up(seconds: Seconds) -> None:
    counted = Counted(OwnBuckets(seconds))
    spender = Quotas(counted, seconds)
    assert await passed(spender, ALICE, 20) == 10
    asked = len(counted.asked)
    assert await passed(spender, ALICE, 50) == 0
    assert len(counted.asked) == asked
    with pytest.raises(OverQuotaError):
        spender.check(ALICE)
    seconds.now += 0.6
    spender.check(ALICE)
    spender.check(BOB)


async def test_a_portion_that_is_not_used_is_good_for_the_window_only(seconds: Seconds) -> None:
    counted = Counted(OwnBuckets(seconds))
    spender = Quotas(counted, seconds)
    await spender.spend([(MANY, "there")])
    seconds.now += MANY.window_seconds
    await spender.spend([(MANY, "there")])
    assert len(counted.asked) == 2


async def test_only_so_many_are_remembered(seconds: Seconds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_KNOWN_MAX", 2)
    buckets = OwnBuckets(seconds)
    spender = Quotas(buckets, seconds)
    for number in range(5):
        await spender.spend([(FEW, str(number))])
    assert [whose for _, whose in spender._portions] == ["3", "4"]
    assert [whose for _, whose in buckets._known] == ["3", "4"]


# ── Shared ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture
async def shared(valkey_url: str, seconds: Seconds) -> AsyncIterator[list[SharedBuckets]]:
    """The buckets as three processes see them."""
    processes = [SharedBuckets(valkey_url, seconds) for _ in range(3)]
    async with processes[0], processes[1], processes[2]:
        yield processes


async def test_over_all_processes_no_more_pass_than_there_are(shared: list[SharedBuckets], seconds: Seconds) -> None:
    slow = (Quota("trader", 30, 3600), "alice")
    spenders = [Quotas(buckets, seconds) for buckets in shared]
    passes = await asyncio.gather(*(passed(spender, slow, 30) for spender in spenders))
    assert sum(passes) == 30
    with pytest.raises(OverQuotaError) as refused:
        await spenders[0].spend([slow])
    assert 0 < refused.value.retry_after_seconds <= 120


async def test_what_one_process_uses_up_is_used_up_in_another_until_it_comes_back(shared: list[SharedBuckets]) -> None:
    quick = (Quota("trader", 10, 1), "alice")
    one, other = Quotas(shared[0]), Quotas(shared[1])
    assert await passed(one, quick, 20) >= 10
    while await passed(other, quick, 1):  # what has come back meanwhile
        pass
    with pytest.raises(OverQuotaError) as refused:
        other.check(quick)
    await asyncio.sleep(refused.value.retry_after_seconds)
    assert await passed(other, quick, 1) == 1


async def test_what_is_full_again_is_forgotten(shared: list[SharedBuckets], valkey_url: str) -> None:
    await Quotas(shared[0]).spend([(Quota("trader", 100, 3600), "alice"), (Quota("address", 100, 1), "there")])
    with redis.Redis.from_url(valkey_url) as client:
        known: Any = client.pttl("orderlog:quota:trader:alice")
        assert 30_000 < known <= 36_001
        while client.exists("orderlog:quota:address:there"):
            await asyncio.sleep(0.01)


async def test_when_redis_dies_each_process_counts_by_itself_until_it_is_back(
    valkey_url: str, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SharedBuckets("redis://127.0.0.1:1", seconds) as buckets, SharedBuckets(valkey_url) as alive:
        spender = Quotas(buckets, seconds)
        with capture_logs() as said:
            assert await passed(spender, ALICE, 20) == 10
            seconds.now += REST_SECONDS
            assert await passed(spender, ALICE, 20) == 10  # still down, which is not said again
            monkeypatch.setattr(buckets, "_script", alive._script)
            seconds.now += REST_SECONDS
            assert await passed(spender, ALICE, 20) == 10
        assert [line["event"] for line in said] == ["quotas_not_shared", "quotas_shared_again"]


async def test_a_redis_that_hangs_is_left_alone(
    hanging: str, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "_ANSWER_SECONDS", 0.05)
    async with SharedBuckets(hanging, seconds) as buckets:
        counted = Counted(buckets)
        spender = Quotas(counted, seconds)
        with capture_logs() as said:
            assert await passed(spender, ALICE, 5) == 5
        assert [line["event"] for line in said] == ["quotas_not_shared"]
        assert buckets._rest_until == seconds.now + REST_SECONDS


@pytest.fixture
def hanging() -> Iterator[str]:
    """A server that takes connections and never says anything."""
    import socket  # noqa: PLC0415 - only here

    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
