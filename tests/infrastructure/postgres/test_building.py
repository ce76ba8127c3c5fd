"""Read tables that are built in a schema of their own, whatever the batches, the shards and the interruptions."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from application.ports import StoreUnavailableError
from domain.events import TOPICS, RecordedEvent, TradeBooked
from domain.values import OrderId
from infrastructure.folds import Fold
from infrastructure.postgres.building import BUILDING, Builder, BuildError, begin
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.rows import reader
from infrastructure.postgres.shards import WHOLE, Shard
from infrastructure.postgres.skips import NO_SKIPS, Skips
from projections.accounts import ACCOUNTS
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.positions import POSITIONS
from projections.projection import Key, Projection
from projections.registry import PROJECTIONS
from tests.cli.logs import record
from tests.domain.orders import bust
from tests.infrastructure.postgres.pools import pool_of
from tests.infrastructure.postgres.test_projector import busy, eventful


async def begun(database_url: str, projections: Sequence[Projection[Any]], shards: int = 1) -> datetime:
    async with await AsyncConnection.connect(database_url) as connection:
        for projection in projections:
            await begin(connection, projection, shards=shards)
        cursor = await connection.execute("SELECT DISTINCT began_at FROM building.progress")
        ((began_at,),) = await cursor.fetchall()
        return began_at


@asynccontextmanager
async def builder(
    database_url: str,
    began_at: datetime,
    projections: Sequence[Projection[Any]] = PROJECTIONS,
    shard: Shard = WHOLE,
    skips: Skips = NO_SKIPS,
) -> AsyncIterator[Builder]:
    async with PostgresEventStore(database_url) as store, pool_of(database_url) as pool:
        yield Builder(pool, store, projections, began_at, skips=skips, shard=shard)


def rows(database_url: str, projection: Projection[Any], schema: str = BUILDING) -> dict[Key, Any]:
    columns = sql.SQL(", ").join(map(sql.Identifier, projection.row._fields))
    statement = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(schema, projection.name))
    with psycopg.connect(database_url) as connection:
        found = map(reader(projection.row), connection.execute(statement))
        return {tuple(getattr(row, name) for name in projection.key): row for row in found}


def progress(database_url: str) -> dict[tuple[str, int], int]:
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT name, shard, position FROM building.progress").fetchall()
    return {(name, shard): position for name, shard, position in found}


def assert_built(database_url: str, log: Sequence[RecordedEvent]) -> None:
    for projection in PROJECTIONS:
        assert rows(database_url, projection) == projection.fold({}, log), projection.name


def nothing(_: int) -> None:
    """Nobody waits."""


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_what_is_built_is_the_fold_of_the_log_whatever_the_batches(database_url: str, size: int) -> None:
    log = await record(database_url, eventful().log)
    told: list[int] = []
    async with builder(database_url, await begun(database_url, PROJECTIONS)) as building:
        await building.build(0, len(log), size, told.append)
    assert_built(database_url, log)
    assert sum(told) == len(log)
    assert max(told) <= size


async def test_building_goes_no_further_than_it_is_told(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)
    async with builder(database_url, await begun(database_url, PROJECTIONS)) as building:
        await building.build(0, 9, 4, nothing)
        await building.build(9, 9, 4, nothing)
    assert_built(database_url, log[:9])
    assert set(progress(database_url).values()) == {9}


async def test_who_goes_on_repeats_nothing(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)
    began_at = await begun(database_url, PROJECTIONS)
    for until in (9, 11, len(log)):
        async with builder(database_url, began_at) as building:
            await building.build(0, until, 4, nothing)
    assert_built(database_url, log)


async def test_shards_are_built_apart_and_make_up_the_whole(database_url: str) -> None:
    log = await record(database_url, busy(orders=12).log)
    began_at = await begun(database_url, PROJECTIONS, shards=3)
    for number in (2, 0, 1):
        async with builder(database_url, began_at, shard=Shard(number, 3)) as building:
            await building.build(0, len(log), 10, nothing)
    assert_built(database_url, log)
    assert len(progress(database_url)) == 3 * len(PROJECTIONS)


@pytest.mark.parametrize("shards", [1, 2, 5])
async def test_every_event_is_in_exactly_one_shard_and_a_stream_in_one_alone(database_url: str, shards: int) -> None:
    log = await record(database_url, busy(orders=12).log)
    async with PostgresEventStore(database_url) as store:
        parts = [await store.of_types(0, len(log), list(TOPICS), Shard(number, shards)) for number in range(shards)]
    assert sorted(recorded for part in parts for recorded in part) == list(log)
    streams = [{recorded.stream_id for recorded in part} for part in parts]
    assert sum(map(len, streams)) == len({recorded.stream_id for recorded in log})
    assert all(streams)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_all_events_of_a_row_are_in_the_stream_that_it_names(projection: Projection[Any]) -> None:
    log = eventful().log
    rows = projection.fold({}, log)
    begin, field = projection.stream
    for recorded in log:
        if type(recorded.event) in projection.events:
            assert recorded.stream_id == f"{begin}{getattr(rows[projection.key_of(recorded)], field)}"


async def test_the_log_is_read_in_batches_of_which_two_are_held(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await record(database_url, busy(orders=20).log)
    asked: list[int] = []
    loaded: list[int] = []
    read, fold = PostgresEventStore.of_types, Projection.fold

    async def watched(store: PostgresEventStore, after: int, until: int, *which: Any) -> Sequence[RecordedEvent]:
        asked.append(until - after)
        return await read(store, after, until, *which)

    def folding(projection: Projection[Any], known: Any, batch: Any, past: Any) -> Any:
        loaded.append(len(known) + len(batch))
        return fold(projection, known, batch, past)

    monkeypatch.setattr(PostgresEventStore, "of_types", watched)
    monkeypatch.setattr(Projection, "fold", folding)
    async with builder(database_url, await begun(database_url, PROJECTIONS)) as building:
        await building.build(0, len(log), 5, nothing)
    assert set(asked[:-1]) == {5}
    assert max(loaded) <= 2 * 5


async def test_what_is_skipped_is_not_applied(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)
    fill = next(recorded for recorded in log if type(recorded.event) in FILLS.events)
    async with builder(
        database_url, await begun(database_url, [FILLS]), [FILLS], skips={"fills": [fill.position]}
    ) as it:
        await it.build(0, len(log), 4, nothing)
    assert rows(database_url, FILLS) == FILLS.fold({}, [recorded for recorded in log if recorded is not fill])


async def test_what_is_skipped_is_not_told_again_either(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).order(bust("f-2"), OrderId("order 2")).log)
    trade = next(recorded for recorded in log if isinstance(recorded.event, TradeBooked))
    skips = {"positions": [trade.position]}
    async with builder(database_url, await begun(database_url, [POSITIONS]), [POSITIONS], skips=skips) as it:
        await it.build(0, len(log), 4, nothing)
    left = [recorded for recorded in log if recorded is not trade]
    assert rows(database_url, POSITIONS) == POSITIONS.fold({}, left) != POSITIONS.fold({}, log)


async def test_an_event_that_cannot_be_applied_is_named(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)

    def evolve(row: Any, recorded: RecordedEvent) -> Any:
        if recorded.position == 6:
            raise RuntimeError("poison")
        return ORDERS.evolve(row, recorded)

    poisoned = replace(ORDERS, evolve=evolve)
    async with builder(database_url, await begun(database_url, [ORDERS]), [poisoned]) as building:
        with pytest.raises(BuildError, match=r"^orders cannot apply OrderAccepted at position \d+: poison$|position 6"):
            await building.build(0, len(log), 100, nothing)
    assert set(progress(database_url).values()) == {0}


async def test_while_the_store_is_away_no_event_is_blamed(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)

    def evolve(_row: Any, _recorded: RecordedEvent) -> Any:
        raise StoreUnavailableError("away")

    cut_off = replace(ORDERS, evolve=evolve)
    async with builder(database_url, await begun(database_url, [ORDERS]), [cut_off]) as building:
        with Fold(cut_off, ()) as fold, pytest.raises(StoreUnavailableError, match="away"):
            await building.build(0, len(log), 100, nothing, [fold])
    assert set(progress(database_url).values()) == {0}


async def test_who_began_anew_is_not_interfered_with(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)
    began_at = await begun(database_url, [ACCOUNTS])
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE building.progress SET began_at = began_at + interval '1 s'")
    async with builder(database_url, began_at, [ACCOUNTS]) as building:
        with pytest.raises(BuildError, match="somebody else has begun to build anew"):
            await building.build(0, len(log), 4, nothing)


async def test_nothing_between_is_left_out(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)
    async with builder(database_url, await begun(database_url, [ACCOUNTS]), [ACCOUNTS]) as building:
        with pytest.raises(BuildError, match="accounts was built up to 0, and the log begins after that"):
            await building.build(4, len(log), 4, nothing)


async def test_any_schema_with_progress_can_be_built_in(database_url: str) -> None:
    log = await record(database_url, busy(orders=2).log)
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("CREATE SCHEMA scratch")
        await connection.execute("CREATE TABLE scratch.progress (LIKE building.progress INCLUDING ALL)")
        await begin(connection, ORDERS, "scratch")
        cursor = await connection.execute("SELECT began_at FROM scratch.progress")
        ((began_at,),) = await cursor.fetchall()
    async with PostgresEventStore(database_url) as store, pool_of(database_url) as pool:
        building = Builder(pool, store, [ORDERS], began_at, skips=NO_SKIPS, schema="scratch")
        await building.build(0, 7, 100, nothing)
    assert rows(database_url, ORDERS, "scratch") == ORDERS.fold({}, log[:7])
