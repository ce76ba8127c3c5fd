"""Two versions of the program on one log, as during a deployment: the old one stops in good order, the new one goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from application.ports import UnreadableEventError
from infrastructure.codec import Codec
from infrastructure.postgres import projector
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.projector import Projector
from infrastructure.postgres.read_models import ReadModels
from infrastructure.postgres.verification import verify
from projections.registry import PROJECTIONS
from tests.infrastructure.postgres.pools import pool_of
from tests.infrastructure.stored_events import old_log
from tests.infrastructure.versions import AUDITED, DEPOSITED, STREAM, newer_store, record

OLDER = Codec(upcasters={})
"""The program before there were upcasters, for what is stored in a version that it does not know."""

NAMES = [projection.name for projection in PROJECTIONS]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "PAUSE_SECONDS", 0.01)


@asynccontextmanager
async def projecting(store: PostgresEventStore, database_url: str) -> AsyncIterator[ReadModels]:
    """A program's read side."""
    async with pool_of(database_url) as pool, Follower(store, None, 0.01) as follower:
        work = asyncio.create_task(Projector(pool, follower).run())
        try:
            yield ReadModels(pool)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def taken(follower: Follower, after: int = 0) -> list[int]:
    """The positions that come, until what comes next cannot be read."""
    positions: list[int] = []
    try:
        async for events in follower.follow(after, 2):
            positions += [event.position for event in events]
    except UnreadableEventError:
        return positions
    raise AssertionError("everything could be read")


async def test_what_is_before_an_event_that_is_not_known_is_read(database_url: str) -> None:
    async with newer_store(database_url) as newer, PostgresEventStore(database_url, codec=OLDER) as older:
        await record(newer, DEPOSITED, AUDITED)
        with pytest.raises(
            UnreadableEventError, match=r"FundsDeposited at position 1, .*: the event is of version 3, "
        ):
            await older.read(0, 10)
    async with PostgresEventStore(database_url) as store:
        with pytest.raises(UnreadableEventError, match=r"AccountAudited at position 2, .* knows no such event"):
            await store.read(1, 10)
    async with newer_store(database_url) as newer:
        assert [event.event for event in await newer.read(0, 10)] == [DEPOSITED, AUDITED]


@pytest.mark.parametrize("unknown", [DEPOSITED, AUDITED], ids=["a newer version", "a new type"])
async def test_an_old_program_reads_up_to_what_it_does_not_know_and_a_new_one_goes_on(
    database_url: str, caplog: pytest.LogCaptureFixture, unknown: object
) -> None:
    caplog.set_level(logging.ERROR)
    async with PostgresEventStore(database_url) as old, newer_store(database_url) as new:
        await record(old, DEPOSITED, DEPOSITED)
        async with projecting(old, database_url) as read_models:
            assert await read_models.wait_for(NAMES, 2, 20)
            await record(new, unknown, DEPOSITED, version=2)  # type: ignore[arg-type] # of one union with the others
            await until(lambda: "the log cannot be read" in caplog.text)
            assert f"{type(unknown).__name__} at position 3, version 3 of stream {STREAM}: " in caplog.text
            assert [await read_models.checkpoint(name) for name in NAMES] == [2] * len(NAMES)
            async with projecting(new, database_url):
                assert await read_models.wait_for(NAMES, 4, 20)
        assert all(table.difference is None for table in await verify(database_url, new))
        ((cash,),) = await _rows(database_url, "SELECT cash FROM accounts")
    assert cash == (40 if unknown is DEPOSITED else 30)


async def _rows(database_url: str, statement: str) -> Sequence[tuple[object, ...]]:
    async with pool_of(database_url) as pool, pool.connection() as connection:
        return await (await connection.execute(statement.encode())).fetchall()


async def test_a_new_program_reads_what_the_old_one_goes_on_writing(database_url: str) -> None:
    """Old processes write on in their own version until they are replaced: the log changes back and forth."""
    older_deposits = [raw for raw in old_log() if raw.type == "FundsDeposited"]
    async with PostgresEventStore(database_url) as old, newer_store(database_url) as new:
        await record(old, DEPOSITED)
        await record(new, DEPOSITED, version=1)
        await record(old, DEPOSITED, version=2)
        versions = [raw.data[:19] for raw in await new.raw(0, 10)]
        assert versions == ['{"class_version":2,', '{"class_version":3,', '{"class_version":2,']
        assert [event.event for event in await new.read(0, 10)] == [DEPOSITED] * 3
    assert older_deposits
    assert not any("class_version" in raw.data for raw in older_deposits)


async def test_every_consumer_gets_all_that_can_be_read_and_is_then_told_what_cannot(database_url: str) -> None:
    async with PostgresEventStore(database_url) as old, newer_store(database_url) as new:
        await record(old, *[DEPOSITED] * 5)
        async with Follower(old, None, 0.01) as follower:
            early = asyncio.create_task(taken(follower))
            await record(new, AUDITED, version=5)
            stuck = await follower.stuck()
            assert "AccountAudited at position 6" in str(stuck)
            assert await early == [1, 2, 3, 4, 5]
            assert await taken(follower) == [1, 2, 3, 4, 5]
            assert await taken(follower, 5) == []
            assert await follower.stuck() is stuck


async def test_a_consumer_that_is_behind_stands_before_what_the_follower_never_read(database_url: str) -> None:
    async with PostgresEventStore(database_url) as old, newer_store(database_url) as new:
        await record(new, DEPOSITED, AUDITED)
        async with Follower(old, None, 0.01) as follower:
            waiting = asyncio.create_task(follower.stuck())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            assert await taken(follower) == []
            assert "FundsDeposited at position 1" in str(await waiting)
