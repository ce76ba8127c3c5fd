"""Batches at a pace."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from application.pacing import paced


class Growing:
    """Numbers of which every batch has what has come by then; some come whenever somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept: list[float] = []
        self._come = 1
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def follow(self) -> AsyncIterator[range]:
        done = 0
        while done < 7:
            batch, done = range(done, self._come), self._come
            yield batch

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._come += 3


async def test_what_comes_during_the_pause_is_one_batch_and_the_first_waits_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    growing = Growing(monkeypatch)
    batches = paced(growing.follow(), 1_000.0)
    assert await anext(batches) == range(1)
    assert growing.slept == []
    assert [batch async for batch in batches] == [range(1, 4), range(4, 7)]
    assert all(900 < seconds <= 1_000 for seconds in growing.slept)


async def test_who_takes_longer_than_the_pause_goes_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(monkeypatch)
    assert [list(batch) async for batch in paced(growing.follow(), -1.0)] == [[0], [1, 2, 3], [4, 5, 6]]
    assert growing.slept == [0, 0, 0]
