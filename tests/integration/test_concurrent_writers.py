"""Several real processes append to one log, and whoever follows it misses nothing and sees nothing twice."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.events import RecordedEvent
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from tests.infrastructure.samples import writes

REPOSITORY = Path(__file__).parents[2]
WRITERS = 3
ROUNDS = 40


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(database_url, patience_seconds=60) as store:
        yield store


async def writer(url: str, name: str, rounds: int, *options: str) -> Process:
    arguments = [sys.executable, "-m", "tests.integration.writer", url, name, str(rounds), *options]
    return await create_subprocess_exec(*arguments, cwd=REPOSITORY, stdout=PIPE)


async def conflicts(process: Process) -> int:
    output, _ = await process.communicate()
    assert process.returncode == 0
    return int(output)


async def seen(follower: Follower, until: int) -> list[RecordedEvent]:
    """What a consumer gets, up to this position."""
    events: list[RecordedEvent] = []
    async for batch in follower.follow(0, 7):
        events += batch
        if events[-1].position >= until:
            break
    return events


async def interfere(url: str, *, commit: bool) -> None:
    """Hold the head of the log for a while with an event that is written at once, and committed late or never."""
    async with await AsyncConnection.connect(url) as connection:
        await slow_event(connection)
        await asyncio.sleep(0.4)
        await (connection.commit() if commit else connection.rollback())


async def slow_event(connection: AsyncConnection[TupleRow]) -> None:
    cursor = await connection.execute(
        "SELECT position + 1, hash, greatest(recorded_at, clock_timestamp()) FROM log_head FOR UPDATE"
    )
    row = await cursor.fetchone()
    assert row is not None
    position, last, now = row
    data, metadata = (
        b'{"attempt":1,"status":"PENDING"}',
        b'{"trader_id":"t","actor":"a","correlation_id":"c","causation_id":"c"}',
    )
    name = f"slow-{position}"
    last = link(last, leaf(position, name, 1, "OrderSent", data, metadata, timestamp(now)))
    await connection.execute(
        "INSERT INTO events VALUES (%s, %s, 1, 'OrderSent', %s, %s, %s, %s)",
        (position, name, data.decode(), metadata.decode(), now, last),
    )
    await connection.execute("UPDATE log_head SET position = %s, hash = %s, recorded_at = %s", (position, last, now))
    await connection.execute("SELECT pg_notify('orderlog_events', %s)", (str(position),))


async def assert_whole(store: PostgresEventStore, events: Sequence[RecordedEvent]) -> None:
    """These are all events of the log, without a gap in positions, versions or time, and the chain holds."""
    assert [event.position for event in events] == list(range(1, await store.position() + 1))
    versions: Counter[str] = Counter()
    for event in events:
        versions[event.stream_id] += 1
        assert event.version == versions[event.stream_id]
    times = [event.recorded_at for event in events]
    assert times == sorted(times)
    last = GENESIS
    for raw in await store.raw(0, len(events)):
        fields = (raw.position, raw.stream_id, raw.version, raw.type, raw.data.encode(), raw.metadata.encode())
        last = link(last, leaf(*fields, timestamp(raw.recorded_at)))
        assert raw.hash == last


async def test_writers_in_many_processes_leave_one_log_that_readers_can_trust(
    store: PostgresEventStore, database_url: str
) -> None:
    async with Follower(store, database_url) as follower:
        processes = [await writer(database_url, f"own-{number}", ROUNDS) for number in range(WRITERS)]
        # Two more commit late and two roll back: their events are in the table long before the others', and only the
        # lock keeps a reader from walking past them.
        await asyncio.gather(*(interfere(database_url, commit=number % 2 == 0) for number in range(4)))
        met = sum([await conflicts(process) for process in processes])
        expected = WRITERS * ROUNDS * 3 + 2
        assert await store.position() == expected
        events = await asyncio.wait_for(seen(follower, expected), 20)
    await assert_whole(store, events)
    counts = Counter(event.stream_id.partition("-")[0] for event in events)
    assert counts == {"own": WRITERS * ROUNDS * 2, "shared": WRITERS * ROUNDS, "slow": 2}
    assert met > 0


async def test_readers_are_not_held_up_by_whoever_holds_the_head_of_the_log(
    store: PostgresEventStore, database_url: str
) -> None:
    await store.append([writes("a", 0)], 0)
    async with Follower(store, database_url, 0.01) as follower, await AsyncConnection.connect(database_url) as slow:
        await slow_event(slow)
        assert len(await store.read(0, 10)) == 1
        assert (await store.load({event.stream_id: 0 for event in await store.read(0, 1)})).position == 1
        assert [event.position for event in await seen(follower, 1)] == [1]
        assert not await follower.wait_for(2, 0.1)
        await slow.commit()
        assert await follower.wait_for(2, 5)


async def test_a_process_that_is_stopped_while_it_holds_the_head_stops_the_others_only_for_a_while(
    store: PostgresEventStore, database_url: str
) -> None:
    stopped = await writer(database_url, "own", 2, "stop")
    await asyncio.to_thread(os.waitid, os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        appended = await asyncio.wait_for(store.append([writes("shared", 0)], 0), 15)
        assert appended.position == 1
    finally:
        stopped.send_signal(signal.SIGCONT)
    # It lost the lock, and when it goes on it finds that the shared stream has moved.
    assert await conflicts(stopped) == 1
    await assert_whole(store, await store.read(0, 100))
    assert await store.position() == 1 + 2 * 3


async def test_two_who_create_the_same_stream_at_once_are_told_apart(
    store: PostgresEventStore, database_url: str
) -> None:
    async with PostgresEventStore(database_url) as other:
        outcomes = await asyncio.gather(
            *(each.append([writes("a", 0), writes(name, 0)], 0) for each, name in ((store, "b"), (other, "c")))
        )
    assert sorted(outcome.recorded[0] is None for outcome in outcomes) == [False, True]
    assert all(outcome.recorded[1] for outcome in outcomes)
    assert await store.position() == 3


def test_the_log_and_its_head_agree(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT position, hash, recorded_at <= now() FROM log_head").fetchall()
    assert row == [(0, GENESIS, True)]
