"""A read model gets another shape while the program before goes on with the old one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import AsyncConnection

from application.ports import NewEvent, Transaction
from domain.commands import Deposit
from domain.events import RecordedEvent
from domain.values import Money, TraderId
from infrastructure.postgres.building import BuildError
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.projection_status import ProjectionStatus, State, projection_status
from infrastructure.postgres.read_models import ReadModels
from infrastructure.postgres.rebuilding import plan, rebuild
from infrastructure.postgres.reshaping import reshape, unshape
from infrastructure.postgres.verification import verify
from projections.accounts import ACCOUNTS, AccountRow
from projections.projection import Projection
from projections.registry import PROJECTIONS
from tests.cli.logs import a_short_history, project, record
from tests.conftest import execute
from tests.infrastructure.postgres.pools import pool_of
from tests.infrastructure.postgres.test_building import rows
from tests.infrastructure.postgres.test_migrating import schema
from tests.infrastructure.postgres.test_projector import projecting

ADD = "ALTER TABLE {table} ADD COLUMN deposits bigint NOT NULL; CREATE INDEX accounts_deposits ON {table} (deposits)"
DROP = "ALTER TABLE {table} DROP COLUMN deposits"
RENAME = "ALTER TABLE {table} RENAME COLUMN deposits TO times"
RENAME_BACK = "ALTER TABLE {table} RENAME COLUMN times TO deposits"
OLD = ACCOUNTS.version
NEW = OLD + 1


class CountingRow(NamedTuple):
    """An account that counts its deposits."""

    trader_id: TraderId
    currency: str
    cash: Money
    reserved: Money
    open_orders: int
    position: int
    deposits: int


def evolve(row: CountingRow | None, recorded: RecordedEvent) -> CountingRow:
    account = ACCOUNTS.evolve(None if row is None else AccountRow(*row[:6]), recorded)
    deposits = 0 if row is None else row.deposits
    return CountingRow(*account, deposits=deposits + (type(recorded.event).__name__ == "FundsDeposited"))


COUNTING: Projection[Any] = replace(ACCOUNTS, version=NEW, row=CountingRow, evolve=evolve)
NEW_PROGRAM = [COUNTING if each is ACCOUNTS else each for each in PROJECTIONS]


def migrate(database_url: str, version: int = NEW, ddl: str = ADD) -> None:
    with psycopg.connect(database_url) as connection:
        reshape(connection, "accounts", version, ddl)


def migrate_back(database_url: str, version: int = OLD, ddl: str = DROP) -> None:
    with psycopg.connect(database_url) as connection:
        unshape(connection, "accounts", version, ddl)


async def rebuilt(database_url: str, projections: Sequence[Projection[Any]]) -> None:
    async with PostgresEventStore(database_url) as store:
        await rebuild(database_url, store, projections)


async def status(database_url: str, projections: Sequence[Projection[Any]]) -> dict[str, ProjectionStatus]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        return {each.name: each for each in await projection_status(connection, projections)}


async def until(database_url: str, projections: Sequence[Projection[Any]], *names: str) -> None:
    """Wait until these have read the whole log."""
    async with asyncio.timeout(20):
        while any(each.lag_events for name, each in (await status(database_url, projections)).items() if name in names):
            await asyncio.sleep(0.01)


async def said(caplog: pytest.LogCaptureFixture, sentence: str) -> None:
    async with asyncio.timeout(20):
        while sentence not in caplog.text:
            await asyncio.sleep(0.01)


async def deposit(store: PostgresEventStore, times: int) -> None:
    """Alice brings in cash once more."""
    history = a_short_history()
    known = len(history.log)
    for each in history.cash(Deposit(Money(Decimal(1)))).log[known:]:
        version = each.version + times
        new = NewEvent(each.stream_id, version, each.event, each.metadata)
        await store.append([Transaction({each.stream_id: version - 1}, [new])], 0)


@pytest.fixture
async def projected(database_url: str) -> str:
    project(database_url, await record(database_url, a_short_history().log))
    return database_url


async def test_old_and_new_version_live_side_by_side_until_the_new_one_is_swapped_in(
    projected: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = [projection.name for projection in PROJECTIONS]
    async with (
        PostgresEventStore(projected) as store,
        Follower(store, projected) as feed,
        projecting(projected, feed),
        projecting(projected, feed, NEW_PROGRAM),
        pool_of(projected) as pool,
    ):
        old_reader = ReadModels(pool)
        migrate(projected)
        # The old program goes on as if nothing had happened, and all but one of the new program's read models go on too.
        await deposit(store, 0)
        await until(projected, PROJECTIONS, *names)
        assert (await old_reader.account_of(TraderId("alice"))).account.cash == 4001
        assert {each.state for each in (await status(projected, PROJECTIONS)).values()} == {State.LIVE}
        new = await status(projected, NEW_PROGRAM)
        assert (new["accounts"].state, new["orders"].state) == (State.NEEDS_REBUILD, State.LIVE)
        assert new["accounts"].build is not None
        assert (new["accounts"].build.version, new["accounts"].build.began_at) == (NEW, None)
        await said(caplog, f"written by version {OLD}, this program has version {NEW}")

        await rebuild(projected, store, [COUNTING])
        await deposit(store, 1)
        await until(projected, NEW_PROGRAM, *names)
        # From here on the new program's projector goes on, the old one's has stopped, and its readers notice nothing.
        assert (await status(projected, NEW_PROGRAM))["accounts"].state is State.LIVE
        assert (await status(projected, PROJECTIONS))["accounts"].state is State.NEWER
        assert (await old_reader.account_of(TraderId("alice"))).account.cash == 4002
        assert rows(projected, COUNTING, "public")[("alice",)].deposits == 3
        await said(caplog, f"written by version {NEW}, this program has version {OLD}")
        assert [each.difference for each in await verify(projected, store, NEW_PROGRAM)] == [None] * len(names)


async def test_an_empty_log_has_nothing_to_rebuild(database_url: str) -> None:
    before = schema(database_url)
    migrate(database_url)
    (accounts,) = (await status(database_url, [COUNTING])).values()
    assert (accounts.state, accounts.build) == (State.LIVE, None)
    assert "CREATE INDEX accounts_deposits ON public.accounts" in schema(database_url)
    migrate_back(database_url)
    assert schema(database_url) == before
    assert (await status(database_url, [ACCOUNTS]))["accounts"].state is State.LIVE


async def test_a_shape_that_nobody_has_prepared_cannot_be_filled(projected: str) -> None:
    with pytest.raises(BuildError, match=f"lacks deposits bigint: a migration has to prepare version {NEW} of it"):
        await rebuilt(projected, [COUNTING])


async def test_a_shape_is_prepared_for_one_version(projected: str) -> None:
    migrate(projected)
    with pytest.raises(
        BuildError, match=f"is prepared for version {NEW} of the projection, and this program has version"
    ):
        await rebuilt(projected, [ACCOUNTS])


async def test_what_is_prepared_survives_that_its_rebuild_begins_anew(projected: str) -> None:
    migrate(projected)
    execute(projected, "INSERT INTO building.accounts VALUES ('mallory', 'USD', 1, 0, 0, 1, 0)")
    execute(projected, "UPDATE building.progress SET began_at = now(), position = 3")
    (accounts,) = await plan(projected, [COUNTING])
    assert (accounts.is_prepared, accounts.abandoned, accounts.position) == (True, 3, 0)
    await rebuilt(projected, [COUNTING])
    assert rows(projected, COUNTING, "public")[("alice",)].deposits == 1


async def test_two_changes_can_be_rebuilt_at_once(projected: str) -> None:
    execute(projected, "CREATE TABLE building.accounts ()")  # left by a rebuild that was interrupted
    migrate(projected)
    migrate(projected, NEW + 1, RENAME)
    build = (await status(projected, [COUNTING]))["accounts"].build
    assert build is not None
    assert build.version == NEW + 1
    assert "times bigint" in schema(projected)
    assert "deposits bigint" not in schema(projected)


async def test_what_was_prepared_can_be_taken_back_step_by_step(projected: str) -> None:
    before = schema(projected)
    migrate(projected)
    once = schema(projected)
    migrate(projected, NEW + 1, RENAME)
    migrate_back(projected, NEW, RENAME_BACK)
    assert schema(projected) == once
    migrate_back(projected)
    assert schema(projected) == before
    assert (await status(projected, [ACCOUNTS]))["accounts"].build is None


async def test_what_was_swapped_in_is_taken_back_and_folded_afresh(projected: str) -> None:
    migrate(projected)
    await rebuilt(projected, [COUNTING])
    migrate_back(projected)
    async with PostgresEventStore(projected) as store, Follower(store, projected) as feed, projecting(projected, feed):
        await until(projected, PROJECTIONS, "accounts")
        assert [each.difference for each in await verify(projected, store)] == [None] * len(PROJECTIONS)
    assert rows(projected, ACCOUNTS, "public")[("alice",)].cash == 4000
