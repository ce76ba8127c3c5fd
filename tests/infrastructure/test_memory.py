"""What only the store in memory has to see to by itself."""

from datetime import UTC, datetime, timedelta

from infrastructure.memory import InMemoryEventStore
from tests.infrastructure.samples import writes

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class BackwardClock:
    """Goes back by a minute each time it is looked at."""

    def __init__(self) -> None:
        self._now = NOON + timedelta(minutes=1)

    def now(self) -> datetime:
        self._now -= timedelta(minutes=1)
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Nobody waits here."""


async def test_times_do_not_fall_when_the_clock_goes_back() -> None:
    store = InMemoryEventStore(BackwardClock())
    await store.append([writes("a", 0)], 0)
    await store.append([writes("b", 0)], 1)
    assert [event.recorded_at for event in await store.read(0, 10)] == [NOON, NOON]
