"""The log grows from one partition into the next, and a stream has each version once whichever they are in."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from application.ports import Transaction
from infrastructure.postgres import partitions
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.migrating import downgrade, upgrade
from infrastructure.postgres.partitions import extend_ahead
from tests.infrastructure.postgres.partitioned import let_first_partition_end_at, partitions_of
from tests.infrastructure.postgres.pools import pool_of
from tests.infrastructure.samples import sent, stream, writes

SIZE = 10


@pytest.fixture
def small(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log in partitions of ten events."""
    let_first_partition_end_at(database_url, SIZE)
    monkeypatch.setattr(partitions, "SIZE", SIZE)
    return database_url


@pytest.fixture
async def store(small: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(small) as opened:
        yield opened


@pytest.fixture
async def other(small: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(small) as opened:
        yield opened


def read_at(name: str, version: int, position: int, count: int = 1) -> Transaction:
    """A transaction that goes on behind a version of the stream, which it takes to stand at the position."""
    new = [sent(name, version + number) for number in range(1, count + 1)]
    return Transaction({stream(name): version}, new, read_since=position)


async def test_a_new_log_is_one_partition_for_ten_million_events(database_url: str) -> None:
    assert partitions_of(database_url) == [("events_from_1", 1, 10_000_000)]


async def test_an_append_makes_the_partitions_that_it_needs(store: PostgresEventStore, small: str) -> None:
    assert (await store.append([writes("a", 0, 8)], 0)).position == 8
    assert len(partitions_of(small)) == 1
    assert (await store.append([writes("b", 0, 15)], 8)).position == 23
    assert partitions_of(small) == [("events_from_1", 1, 10), ("events_from_11", 11, 20), ("events_from_21", 21, 30)]
    assert [event.position for event in await store.read(0, 100)] == list(range(1, 24))
    loaded = await store.load({stream("b"): 1})
    assert [event.version for event in loaded.streams[stream("b")]] == list(range(2, 16))


async def test_a_partition_whose_maker_fell_is_made_again(store: PostgresEventStore, small: str) -> None:
    await store.append([writes("a", 0, 8)], 0)
    # Without a stream that is at this version nothing is recorded, and the transaction ends with what it made.
    assert (await store.append([writes("a", 3, 5)], 0)).recorded == [None]
    assert len(partitions_of(small)) == 1
    assert (await store.append([writes("a", 8, 5)], 8)).position == 13
    assert len(partitions_of(small)) == 2


async def test_two_appends_that_need_the_same_partition_make_it_once(
    store: PostgresEventStore, other: PostgresEventStore, small: str
) -> None:
    await store.append([writes("a", 0, 9)], 0)
    await asyncio.gather(*(each.append([writes(name, 0, 5)], 9) for each, name in ((store, "b"), (other, "c"))))
    assert await store.position() == 19
    assert len(partitions_of(small)) == 2


async def test_the_next_partition_is_there_before_it_is_needed(store: PostgresEventStore, small: str) -> None:
    async with pool_of(small) as pool:
        await asyncio.gather(extend_ahead(pool), extend_ahead(pool))
        assert [last for _, _, last in partitions_of(small)] == [10, 20]
        await store.append([writes("a", 0, 11)], 0)
        await extend_ahead(pool)
        assert [last for _, _, last in partitions_of(small)] == [10, 20, 30]


async def test_a_version_that_is_there_is_found_in_the_same_partition(store: PostgresEventStore) -> None:
    await store.append([writes("a", 0, 3)], 0)
    appended = await store.append([read_at("a", 2, 3), writes("b", 0)], 3)
    assert [recorded is not None for recorded in appended.recorded] == [False, True]


async def test_a_version_that_is_there_is_found_in_an_earlier_partition(store: PostgresEventStore) -> None:
    await store.append([writes("a", 0, 3), writes("b", 0, 12)], 0)
    appended = await store.append([read_at("a", 2, 2), writes("c", 0)], 15)
    assert [recorded is not None for recorded in appended.recorded] == [False, True]
    # The same when it is not said where the version stands, or the stream is taken for new.
    assert (await store.append([writes("a", 2)], 16)).recorded == [None]
    assert (await store.append([writes("a", 0)], 16)).recorded == [None]
    assert (await store.append([writes("a", 3)], 16)).position == 17


async def test_a_version_is_found_by_an_append_that_runs_over_into_the_next_partition(
    store: PostgresEventStore,
) -> None:
    await store.append([writes("a", 0, 3), writes("b", 0, 6)], 0)
    appended = await store.append([writes("c", 0), read_at("a", 2, 9)], 9)
    assert [recorded is not None for recorded in appended.recorded] == [True, False]


async def test_what_was_read_in_the_current_partition_is_taken_at_its_word(
    store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append([writes("a", 0, 13)], 0)
    await store.append([read_at("a", 13, 13)], 13)  # from here on the partition is known

    def look_up(*_: object) -> None:
        raise AssertionError("nothing was to be looked up")

    monkeypatch.setattr("infrastructure.postgres.appending._Work._look_up", look_up)
    assert (await store.append([read_at("a", 14, 14)], 14)).position == 15
    with pytest.raises(AssertionError):
        await store.append([read_at("a", 15, 10)], 15)


# ── The migration ────────────────────────────────────────────────────────────────────────────────────────────────────

INSERT = """
INSERT INTO events SELECT n, 'stream-' || mod(n, 7), (n - 1) / 7 + 1, 'T', '{}', '{"trader_id": "t"}', now(), '\\x00'
FROM generate_series(%s::bigint, %s) AS n
"""
ALL = "SELECT array_agg(events ORDER BY position)::text FROM events"


async def test_a_log_with_events_becomes_partitions_and_one_table_again(empty_database_url: str) -> None:
    upgrade(empty_database_url, "0008")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(INSERT, (1, 100))
        connection.execute("UPDATE log_head SET position = 100")
        before = connection.execute(ALL).fetchone()
        upgrade(empty_database_url, "0009")
        assert connection.execute(ALL).fetchone() == before
    let_first_partition_end_at(empty_database_url, 100)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("SELECT extend_events(250, 100)")
        connection.execute(INSERT, (101, 230))
        before = connection.execute(ALL).fetchone()
        downgrade(empty_database_url, "0008")
        assert connection.execute(ALL).fetchone() == before


@pytest.mark.parametrize(("position", "last"), [(8_999_999, 10_000_000), (9_000_000, 20_000_000)])
async def test_the_first_partition_leaves_room_for_what_is_recorded_meanwhile(
    empty_database_url: str, position: int, last: int
) -> None:
    upgrade(empty_database_url, "0008")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("UPDATE log_head SET position = %s", (position,))
    upgrade(empty_database_url, "0009")
    assert partitions_of(empty_database_url) == [("events_from_1", 1, last)]


async def test_a_log_whose_beginning_is_archived_is_not_made_one_table(empty_database_url: str) -> None:
    upgrade(empty_database_url, "0009")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("SELECT extend_events(10000001, 10)")
        connection.execute("ALTER TABLE events DETACH PARTITION events_from_1")
    with pytest.raises(Exception, match="restore what was archived first"):
        downgrade(empty_database_url, "0008")
