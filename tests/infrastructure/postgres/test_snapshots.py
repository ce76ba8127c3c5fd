"""Snapshots make loading quick and change nothing."""

from collections.abc import AsyncIterator
from decimal import Decimal

import psycopg
import pytest

from application.ports import NewEvent, Transaction
from application.sequencer import Sequencer
from application.snapshots import Snapshot, advanced, empty
from domain.aggregates import State
from domain.events import FundsDeposited, StreamId, account_stream
from domain.values import Currency, Money, TraderId
from infrastructure import state_codec
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.patience import Pool
from infrastructure.postgres.snapshots import EVERY, folded, keep_snapshots, save
from tests.application.test_sequencer import STREAM, Deposits, cash
from tests.infrastructure.postgres.pools import pool_of
from tests.infrastructure.samples import METADATA, sent

ALICE = account_stream(TraderId("alice"))
BOB = account_stream(TraderId("bob"))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(database_url) as opened:
        yield opened


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with pool_of(database_url) as opened:
        yield opened


async def deposit(store: PostgresEventStore, stream_id: StreamId, count: int, after: int = 0) -> None:
    """So many deposits of a cent, behind a version of the account."""
    cent = FundsDeposited(amount=Money(Decimal("0.010")), currency=Currency.USD)
    events = [NewEvent(stream_id, version, cent, METADATA) for version in range(after + 1, after + count + 1)]
    (recorded,) = (await store.append([Transaction({stream_id: after}, events)], 0)).recorded
    assert recorded


async def loaded(store: PostgresEventStore, stream_id: StreamId) -> tuple[Snapshot[State], int]:
    """The stream from a snapshot as far as there is one, and how many events were needed besides."""
    found = await store.load({stream_id: 0}, from_snapshots=True)
    events = found.streams[stream_id]
    return advanced(found.snapshots.get(stream_id) or empty(stream_id), events), len(events)


async def in_full(store: PostgresEventStore, stream_id: StreamId) -> Snapshot[State]:
    return advanced(empty(stream_id), (await store.load({stream_id: 0})).streams[stream_id])


def kept(database_url: str) -> list[tuple[str, int]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT stream_id, version FROM snapshots ORDER BY stream_id").fetchall()


async def test_a_long_stream_is_loaded_from_its_snapshot_and_is_the_same(
    store: PostgresEventStore, pool: Pool, database_url: str
) -> None:
    await deposit(store, ALICE, EVERY + 7)
    await deposit(store, BOB, EVERY - 1)
    whole = await in_full(store, ALICE)
    await keep_snapshots(pool)
    assert kept(database_url) == [(ALICE, EVERY + 7)]
    assert await loaded(store, ALICE) == (whole, 0)
    await deposit(store, ALICE, 3, EVERY + 7)
    assert await loaded(store, ALICE) == (await in_full(store, ALICE), 3)
    assert (await loaded(store, BOB))[1] == EVERY - 1


async def test_who_knows_a_stream_gets_the_events_behind_what_it_knows(store: PostgresEventStore, pool: Pool) -> None:
    await deposit(store, ALICE, EVERY)
    await keep_snapshots(pool)
    await deposit(store, ALICE, 5, EVERY)
    found = await store.load({ALICE: EVERY + 2}, from_snapshots=True)
    assert found.snapshots == {}
    assert [event.version for event in found.streams[ALICE]] == [EVERY + 3, EVERY + 4, EVERY + 5]


async def test_a_stream_gets_a_new_snapshot_when_it_has_grown_enough(
    store: PostgresEventStore, pool: Pool, database_url: str
) -> None:
    await deposit(store, ALICE, EVERY)
    await keep_snapshots(pool)
    await deposit(store, ALICE, EVERY - 1, EVERY)
    await keep_snapshots(pool)
    assert kept(database_url) == [(ALICE, EVERY)]
    await deposit(store, ALICE, 1, 2 * EVERY - 1)
    await keep_snapshots(pool)
    assert kept(database_url) == [(ALICE, 2 * EVERY)]


async def test_more_streams_than_are_looked_for_at_once_all_get_theirs(
    store: PostgresEventStore, pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.postgres.snapshots._STREAMS_AT_ONCE", 1)
    monkeypatch.setattr("infrastructure.postgres.snapshots._EVENTS_AT_ONCE", 50)
    for stream_id in (ALICE, BOB):
        await deposit(store, stream_id, EVERY)
    await keep_snapshots(pool)
    assert kept(database_url) == [(ALICE, EVERY), (BOB, EVERY)]


async def test_an_older_snapshot_does_not_replace_a_newer_one(
    store: PostgresEventStore, pool: Pool, database_url: str
) -> None:
    await deposit(store, ALICE, 2)
    async with pool.connection() as connection:
        first = await folded(connection, ALICE)
        await deposit(store, ALICE, 1, 2)
        await save(connection, {ALICE: await folded(connection, ALICE), BOB: empty(BOB)})
        await save(connection, {ALICE: first})
    assert kept(database_url) == [(ALICE, 3)]


async def test_a_snapshot_of_another_shape_is_not_read_and_stays_for_who_can(
    store: PostgresEventStore, pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deposit(store, ALICE, EVERY)
    await keep_snapshots(pool)
    state_codec._shape.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(state_codec, "FOLD_VERSION", 2)
        assert await loaded(store, ALICE) == (await in_full(store, ALICE), EVERY)
        await keep_snapshots(pool)
        assert (await loaded(store, ALICE))[1] == 0
    state_codec._shape.cache_clear()
    assert kept(database_url) == [(ALICE, EVERY)] * 2
    assert (await loaded(store, ALICE))[1] == 0


async def test_the_sequencer_decides_on_a_snapshot_as_on_the_events(
    store: PostgresEventStore, pool: Pool, database_url: str
) -> None:
    await deposit(store, STREAM, EVERY + 1)
    await keep_snapshots(pool)
    async with Sequencer(store) as sequencer:
        assert cash(await sequencer.execute(Deposits(1))) == Decimal(EVERY + 1) / 100 + 1
    # Without any snapshot it is the same.
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM snapshots")
    async with Sequencer(store) as sequencer:
        assert cash(await sequencer.execute(Deposits(1))) == Decimal(EVERY + 1) / 100 + 2


async def test_the_index_that_finds_long_streams_has_the_same_number(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT pg_get_indexdef('events_milestones'::regclass)").fetchone()
    assert row is not None
    assert f"(version % {EVERY}) = 0" in row[0]


async def test_an_event_of_another_kind_is_a_broken_history_also_behind_a_snapshot(
    store: PostgresEventStore, pool: Pool
) -> None:
    await deposit(store, ALICE, EVERY)
    await keep_snapshots(pool)
    await store.append([Transaction({ALICE: EVERY}, [sent(ALICE, EVERY + 1)])], 0)
    with pytest.raises(Exception, match="in an account's stream"):
        await loaded(store, ALICE)


async def test_the_engine_keeps_snapshots_in_its_own_role(store: PostgresEventStore, database_url: str) -> None:
    await deposit(store, ALICE, EVERY)
    async with pool_of(database_url) as pool, pool.connection() as connection:
        await connection.execute("SET ROLE orderlog_app")
        await save(connection, {ALICE: await folded(connection, ALICE)})
        await connection.execute("SELECT extend_events(10000001, 10)")
        await connection.execute("RESET ROLE")
    assert kept(database_url) == [(ALICE, EVERY)]
