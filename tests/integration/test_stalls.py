"""What is open elsewhere never stalls a reader of the log: positions follow commits, and no reader waits for anybody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.projection_status import projection_status
from infrastructure.postgres.projector import Projector
from projections.registry import PROJECTIONS
from tests.cli.logs import a_short_history, record
from tests.conftest import fresh_database
from tests.infrastructure.postgres.pools import pool_of
from tests.infrastructure.postgres.test_verification import verified
from tests.integration.test_concurrent_writers import slow_event

LOG = a_short_history().log


@asynccontextmanager
async def idle_in_transaction(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Somebody has written something, and then went for lunch."""
    async with await AsyncConnection.connect(database_url) as connection:
        await connection.execute("CREATE TABLE lunch (at timestamptz)")
        await connection.execute("SELECT pg_current_xact_id()")
        yield connection
        await connection.rollback()


async def assert_followed(database_url: str) -> None:
    """What is recorded now is projected while everything is as it is."""
    async with (
        PostgresEventStore(database_url) as store,
        Follower(store, database_url) as follower,
        pool_of(database_url) as pool,
        await AsyncConnection.connect(database_url, autocommit=True) as watcher,
    ):
        work = asyncio.create_task(Projector(pool, follower).run())
        end = len(await record(database_url, LOG))
        async with asyncio.timeout(20):
            while {(each.position, each.lag_seconds) for each in await projection_status(watcher)} != {(end, 0.0)}:
                await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def assert_right(database_url: str) -> None:
    tables = await verified(database_url)
    assert [table.difference for table in tables.values()] == [None] * len(PROJECTIONS)


async def test_an_append_that_was_rolled_back_stalls_nobody(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        await slow_event(connection)
        await connection.rollback()
        await assert_followed(database_url)
    await assert_right(database_url)


async def test_a_transaction_that_is_idle_stalls_nobody(database_url: str) -> None:
    async with idle_in_transaction(database_url):
        await assert_followed(database_url)
    await assert_right(database_url)


async def test_a_transaction_that_is_idle_in_another_database_stalls_nobody(database_url: str, postgres: str) -> None:
    with fresh_database(postgres, template="template0") as other:
        async with idle_in_transaction(other):
            await assert_followed(database_url)
    await assert_right(database_url)


async def test_a_snapshot_that_is_held_for_long_stalls_nobody(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await connection.execute("SELECT count(*) FROM events")
        await assert_followed(database_url)
        cursor = await connection.execute("SELECT count(*) FROM events")
        assert await cursor.fetchone() == (0,)
    await assert_right(database_url)


async def test_whoever_holds_the_head_of_the_log_is_seen_as_a_lag_of_nothing_and_then_passed(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        await slow_event(connection)
        async with await AsyncConnection.connect(database_url, autocommit=True) as watcher:
            assert {each.lag_events for each in await projection_status(watcher)} == {0}
        # It is ended by the server when others wait, or by itself; here it gives up.
        await connection.rollback()
    await assert_followed(database_url)
    await assert_right(database_url)
