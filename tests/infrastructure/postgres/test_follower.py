"""Whoever follows misses nothing, sees nothing twice, and does not wait for the slow."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import psycopg
import pytest

from application.ports import Appended, EventStore, StoreUnavailableError
from domain.events import RecordedEvent
from infrastructure.clock import SystemClock
from infrastructure.codec import UnreadableEventError
from infrastructure.memory import InMemoryEventStore
from infrastructure.postgres import follower as module
from infrastructure.postgres.appending import CHANNEL
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from tests.conftest import tamper
from tests.infrastructure.postgres.wire import Wire
from tests.infrastructure.samples import writes

LONG = 3600.0
"""Seconds between polls when a test wants to see notifications only."""

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(database_url) as store:
        yield store


async def record(store: EventStore, count: int = 1) -> int:
    """Append so many events, each in a commit of its own; returns the end of the log."""
    position = await store.position()
    for _ in range(count):
        position = (await store.append([writes(f"s{position}", 0)], position)).position
    return position


class CountedStore(InMemoryEventStore):
    """A store that counts how often it is read, and answers when it may."""

    reads = 0
    answers: asyncio.Event | None = None

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        self.reads += 1
        events = await super().read(after, limit)
        if self.answers is not None:
            await self.answers.wait()
        return events


def recorded_in(appended: Appended) -> list[RecordedEvent]:
    return [event for events in appended.recorded if events for event in events]


async def take(events: AsyncIterator[Sequence[RecordedEvent]], until: int) -> list[int]:
    """The positions that come, up to this one."""
    taken: list[int] = []
    while not taken or taken[-1] < until:
        taken += [event.position for event in await anext(events)]
    return taken


async def heard(url: str) -> list[int]:
    """The server processes that listen, once there is one."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while not (rows := await (await connection.execute(LISTENERS)).fetchall()):
            await asyncio.sleep(0.01)
        return [row[0] for row in rows]


async def test_what_is_there_comes_first_and_then_what_is_new(store: PostgresEventStore, database_url: str) -> None:
    await record(store, 5)
    async with Follower(store, database_url, LONG) as follower:
        assert follower.position == 5
        events = follower.follow(1, 2)
        assert [event.position for event in await anext(events)] == [2, 3]
        assert [event.position for event in await anext(events)] == [4, 5]
        await heard(database_url)
        await record(store, 3)
        assert await take(events, 8) == [6, 7, 8]
        assert follower.position == 8


async def test_events_are_the_same_objects_for_everyone_near_the_end(
    store: PostgresEventStore, database_url: str
) -> None:
    async with Follower(store, database_url) as follower:
        one, two = follower.follow(0), follower.follow(0)
        await record(store)
        (first,), (second,) = await anext(one), await anext(two)
        assert first is second


async def test_a_slow_consumer_holds_nobody_up_and_misses_nothing(
    store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RECENT_MAX", 3)
    async with Follower(store, None, 0.01) as follower:
        slow, quick = follower.follow(0, 2), follower.follow(0, 2)
        await record(store, 1)
        assert await take(slow, 1) == [1]
        await record(store, 20)
        assert await take(quick, 21) == list(range(1, 22))
        assert await take(slow, 21) == list(range(2, 22))


async def test_much_at_once_is_read_without_a_pause(store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_LIMIT", 2)
    async with Follower(store, None, LONG) as follower:
        await asyncio.sleep(0.1)
        await record(store, 5)
        follower.wake()
        assert await follower.wait_for(5, 5)


async def test_what_this_process_records_is_not_read_again() -> None:
    store = CountedStore(SystemClock())
    async with Follower(store, None, LONG) as follower:
        await asyncio.sleep(0)  # it has looked for the first time
        for number in range(3):
            appended = await store.append([writes(f"s{number}", 0)], number)
            follower.take(recorded_in(appended))
        assert await take(follower.follow(0), 3) == [1, 2, 3]
        assert store.reads == 1


async def test_what_others_recorded_before_is_read_first() -> None:
    store = CountedStore(SystemClock())
    async with Follower(store, None, LONG) as follower:
        await asyncio.sleep(0)
        await record(store, 2)
        appended = await store.append([writes("ours", 0)], 2)
        follower.take(recorded_in(appended))
        assert await take(follower.follow(0), 3) == [1, 2, 3]
        assert store.reads == 2


async def test_what_is_taken_while_it_is_being_read_comes_once() -> None:
    store = CountedStore(SystemClock())
    async with Follower(store, None, LONG) as follower:
        await asyncio.sleep(0)
        store.answers = asyncio.Event()
        first = recorded_in(await store.append([writes("first", 0)], 0))
        follower.wake()
        while store.reads < 2:
            await asyncio.sleep(0)
        follower.take(first)
        follower.take(recorded_in(await store.append([writes("second", 0)], 1)))
        store.answers.set()
        await asyncio.sleep(0.01)
        assert follower.position == 2
        assert await take(follower.follow(0), 2) == [1, 2]


async def test_without_notifications_polling_is_enough(store: PostgresEventStore) -> None:
    async with Follower(store, None, 0.01) as follower:
        await record(store)
        assert await take(follower.follow(0), 1) == [1]


async def test_it_looks_at_once_when_it_is_told_to() -> None:
    store = InMemoryEventStore(SystemClock())
    async with Follower(store, None, LONG) as follower:
        assert await follower.wait_for(0, 0)
        await asyncio.sleep(0)
        await record(store)
        follower.wake()
        assert await follower.wait_for(1, 5)


async def test_waiting_for_a_position_ends_when_time_runs_out(store: PostgresEventStore) -> None:
    async with Follower(store, None, 0.01) as follower:
        assert not await follower.wait_for(1, 0.05)
        waiting = asyncio.create_task(follower.wait_for(2, 5))
        await record(store, 2)
        assert await waiting


async def test_a_commit_is_heard_of_without_polling(store: PostgresEventStore, database_url: str) -> None:
    async with Follower(store, database_url, LONG) as follower:
        await heard(database_url)
        for position in range(1, 4):
            await record(store)
            assert await follower.wait_for(position, 5)


async def test_a_notification_of_what_was_seen_already_is_nothing(store: PostgresEventStore, database_url: str) -> None:
    async with Follower(store, database_url, LONG) as follower:
        await heard(database_url)
        await record(store)
        assert await follower.wait_for(1, 5)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(f"NOTIFY {CHANNEL}, '1'")
        await record(store)
        assert await follower.wait_for(2, 5)


async def test_what_is_heard_of_right_after_a_read_waits_for_what_comes_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PACE_SECONDS", LONG)
    store = CountedStore(SystemClock())
    async with Follower(store, None, LONG) as follower:
        while not store.reads:
            await asyncio.sleep(0)
        for position in range(1, 4):
            await record(store)
            follower._hear_of(position)
        await asyncio.sleep(0.05)
        assert (follower.position, store.reads) == (0, 1)
        follower._look()
        assert await follower.wait_for(3, 5)
        assert store.reads == 2
        follower._look()
        await asyncio.sleep(0)
        assert store.reads == 2


async def test_a_killed_listener_listens_again(store: PostgresEventStore, database_url: str) -> None:
    async with Follower(store, database_url, LONG) as follower:
        (process,) = await heard(database_url)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))
        await record(store)
        assert await follower.wait_for(1, 5)
        assert await heard(database_url) != [process]


async def test_a_database_that_is_away_for_a_while_costs_nothing_but_time(database_url: str) -> None:
    async with (
        PostgresEventStore(database_url) as store,
        Wire(database_url).listening() as wire,
        PostgresEventStore(wire.url, patience_seconds=0.01) as far_store,
        Follower(far_store, wire.url, 0.05) as follower,
    ):
        await record(store, 3)
        behind, near = follower.follow(0, 1), follower.follow(3)
        assert await follower.wait_for(3, 5)
        follower._recent.clear()  # so that the one who is behind has to ask the store
        wire.mended.clear()
        wire.hang_up()
        from_store, from_memory = asyncio.create_task(take(behind, 3)), asyncio.create_task(take(near, 5))
        with pytest.raises(StoreUnavailableError):
            await far_store.position()
        await record(store, 2)
        await asyncio.sleep(0.1)
        wire.mended.set()
        assert await from_store == [1, 2, 3]
        assert await from_memory == [4, 5]


async def test_followers_end_when_the_follower_is_closed(store: PostgresEventStore) -> None:
    async with Follower(store, None) as follower:
        waiting = asyncio.create_task(take(follower.follow(0), 1))
        late = asyncio.create_task(follower.wait_for(1, 60))
        await asyncio.sleep(0)
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert not await late
    assert [events async for events in follower.follow(0)] == []


async def test_an_event_that_cannot_be_read_is_told_to_every_consumer(
    store: PostgresEventStore, database_url: str
) -> None:
    async with Follower(store, None, LONG) as follower:
        consumers = [asyncio.create_task(take(follower.follow(0), 1)) for _ in range(2)]
        await asyncio.sleep(0.1)
        await record(store)
        tamper(database_url, "UPDATE events SET type = 'OrderTeleported'")
        follower.wake()
        for consumer in consumers:
            with pytest.raises(UnreadableEventError):
                await consumer
        assert not await follower.wait_for(1, 60)


async def test_an_event_that_two_readers_cannot_read_is_told_once(store: PostgresEventStore, database_url: str) -> None:
    await record(store)
    async with Follower(store, None, LONG) as follower:
        tamper(database_url, "UPDATE events SET type = 'OrderTeleported'")
        for _ in range(2):
            with pytest.raises(UnreadableEventError):
                await take(follower.follow(0), 1)
        assert isinstance(await follower.stuck(), UnreadableEventError)


async def test_a_follower_cannot_start_while_the_database_is_away(tmp_path: object) -> None:
    url = f"postgresql://nobody@/nothing?host={tmp_path}"
    async with PostgresEventStore(url, patience_seconds=0.01) as store:
        with pytest.raises(StoreUnavailableError):
            async with Follower(store, url):
                pass
