"""The event store when the database is away, silent, restarted, or does not get its answers through."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import psycopg
import pytest
from psycopg.errors import IdleInTransactionSessionTimeout

from application.ports import OutcomeUnknownError, StoreUnavailableError, Transaction
from infrastructure.batch import Batch, Head, Write, chain
from infrastructure.codec import UnreadableEventError
from infrastructure.postgres import appending
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.outage import Outage
from tests.conftest import execute, tamper
from tests.infrastructure.postgres.wire import Break, Wire
from tests.infrastructure.samples import key, sent, stream, writes

_PLANS = """
SELECT name, statement, custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE '%SELECT %'
"""


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    """A store on a good wire."""
    async with PostgresEventStore(database_url) as store:
        yield store


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with Wire(database_url).listening() as wire:
        yield wire


@pytest.fixture
async def shaky(wire: Wire) -> AsyncIterator[PostgresEventStore]:
    """A store on the wire that breaks."""
    async with PostgresEventStore(wire.url) as store:
        yield store


@pytest.mark.parametrize("breaking", [Break.ANSWER_LOST, Break.NEVER_ARRIVED])
async def test_an_append_around_which_the_connection_breaks_is_recorded_once(
    store: PostgresEventStore, shaky: PostgresEventStore, wire: Wire, breaking: Break
) -> None:
    await shaky.append([writes("a", 0)], 0)
    wire.breaking = breaking
    appended = await shaky.append([writes("a", 1, 2), writes("a", 0), writes("b", 0)], 1)
    assert wire.broken.is_set()
    assert appended.position == 4
    assert [None if events is None else len(events) for events in appended.recorded] == [2, None, 1]
    assert await store.read(1, 10) == [event for events in appended.recorded for event in events or ()]


async def test_a_lost_answer_is_found_below_what_others_recorded_since(
    store: PostgresEventStore, shaky: PostgresEventStore, wire: Wire
) -> None:
    wire.breaking, wire.for_long = Break.ANSWER_LOST, True
    append = asyncio.create_task(shaky.append([writes("a", 0)], 0))
    await wire.broken.wait()
    await _until(lambda: _ends_at(store, 1))
    await store.append([writes("a", 1), writes("b", 0)], 1)
    wire.mended.set()
    appended = await append
    assert appended.position == 1
    assert [list(events or ()) for events in appended.recorded] == [list(await store.read(0, 1))]


async def test_what_never_arrived_is_judged_again_by_what_others_recorded_since(
    store: PostgresEventStore, shaky: PostgresEventStore, wire: Wire
) -> None:
    wire.breaking, wire.for_long = Break.NEVER_ARRIVED, True
    append = asyncio.create_task(shaky.append([writes("a", 0), writes("b", 0)], 0))
    await wire.broken.wait()
    assert (await store.append([writes("a", 0)], 0)).position == 1
    wire.mended.set()
    appended = await append
    assert [events is None for events in appended.recorded] == [True, False]
    assert [event.stream_id for event in await store.read(0, 10)] == ["a", "b"]


async def test_a_server_that_does_not_notice_the_broken_connection_is_waited_out(
    store: PostgresEventStore, shaky: PostgresEventStore, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "_HURRY", appending._HURRY.replace("5s", "1s"))
    wire.breaking = Break.HALF_OPEN
    appended = await shaky.append([writes("a", 0)], 0)
    assert appended.position == 1
    assert await store.position() == 1


@pytest.mark.parametrize(("statement", "limit"), [("_TAKE_HEAD", "2s"), ("_HURRY", "5s")])
async def test_a_writer_that_was_stopped_for_too_long_begins_anew(
    store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch, statement: str, limit: str
) -> None:
    monkeypatch.setattr(appending, statement, getattr(appending, statement).replace(f"'{limit}'", "'100ms'"))
    heads = []

    def slow(head: Head, writes: Sequence[Write], holding: Sequence[bool]) -> Batch:
        heads.append(head)
        time.sleep(0.3 if len(heads) == 1 else 0)
        return chain(head, writes, holding)

    monkeypatch.setattr(appending, "chain", slow)
    assert (await store.append([writes("a", 0)], 0)).position == 1
    assert await store.position() == 1
    assert len(heads) == 2


async def test_a_server_before_version_17_is_not_asked_for_what_it_does_not_know(
    store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "_HURRY_SINCE", 10**9)
    monkeypatch.setattr(appending, "_HURRY", "SET LOCAL no_such_limit = 1")
    assert (await store.append([writes("a", 0)], 0)).position == 1


async def test_whoever_stops_while_holding_the_head_of_the_log_loses_it(
    store: PostgresEventStore, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as stopped:
        stopped.execute(appending._TAKE_HEAD)
        assert (await store.append([writes("a", 0)], 0)).position == 1
        with pytest.raises(IdleInTransactionSessionTimeout):
            stopped.execute("COMMIT")


def _asked(store: PostgresEventStore) -> list[Awaitable[object]]:
    return [
        store.append([writes("a", 0)], 0),
        store.append([Transaction({stream("a"): 0})], 0),
        store.load({stream("a"): 0}, [key("k")]),
        store.read(0, 1),
        store.raw(0, 1),
        store.lines(0, 1),
        store.of_types(0, 1, ["OrderPlaced"]),
        store.position(),
    ]


async def test_a_database_that_is_away_is_reported_and_used_again_when_it_is_back(wire: Wire) -> None:
    async with PostgresEventStore(wire.url, patience_seconds=0.05) as store:
        await store.append([writes("z", 0)], 0)
        wire.mended.clear()
        wire.hang_up()
        for asked in _asked(store):
            with pytest.raises(StoreUnavailableError):
                await asked
        wire.mended.set()
        assert (await store.append([writes("a", 0)], 1)).position == 2
        assert (await store.load({stream("a"): 0})).position == 2


async def test_a_short_absence_of_the_database_goes_unnoticed(wire: Wire) -> None:
    async with PostgresEventStore(wire.url) as store:
        await store.append([writes("z", 0)], 0)
        await store.position()
        wire.mended.clear()
        wire.hang_up()
        asyncio.get_running_loop().call_later(0.3, wire.mended.set)
        await asyncio.gather(*_asked(store))


async def test_a_database_that_falls_silent_is_not_waited_for_for_ever(
    wire: Wire,
) -> None:
    url = f"{wire.url}&connect_timeout=2"
    async with PostgresEventStore(url, patience_seconds=0.05, answer_seconds=0.3) as store:
        await store.append([writes("z", 0)], 0)
        await store.position()
        wire.silent = True
        answers = await asyncio.gather(*_asked(store), return_exceptions=True)
        assert {type(answer) for answer in answers} == {StoreUnavailableError}


@pytest.mark.parametrize("breaking", [Break.ANSWER_LOST, Break.NEVER_ARRIVED])
async def test_what_was_sent_and_cannot_be_looked_up_may_have_been_recorded(wire: Wire, breaking: Break) -> None:
    async with PostgresEventStore(wire.url, patience_seconds=0.05) as store:
        wire.breaking, wire.for_long = breaking, True
        with pytest.raises(OutcomeUnknownError):
            await store.append([writes("a", 0)], 0)
        # Whoever comes next does not know either, and finds out.
        wire.mended.set()
        appended = await store.append([writes("a", 0)], 0)
        assert [events is None for events in appended.recorded] == [breaking is Break.ANSWER_LOST]
        assert await store.position() == 1


async def test_what_the_server_itself_refuses_was_not_recorded(database_url: str) -> None:
    execute(
        database_url,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END$$",
    )
    execute(database_url, "CREATE TRIGGER full_disk BEFORE UPDATE ON log_head EXECUTE FUNCTION full_disk()")
    outage = Outage()
    async with PostgresEventStore(database_url, patience_seconds=0.05, outage=outage) as store_of_engine:
        with pytest.raises(StoreUnavailableError, match="No space left on device") as refused:
            await store_of_engine.append([writes("a", 0)], 0)
        assert not isinstance(refused.value, OutcomeUnknownError)
        assert not outage.is_on
        execute(database_url, "DROP TRIGGER full_disk ON log_head")
        assert (await store_of_engine.append([writes("a", 0)], 0)).position == 1


async def test_during_an_outage_nobody_waits_but_the_one_who_reads_on(wire: Wire) -> None:
    outage = Outage()
    async with PostgresEventStore(wire.url, patience_seconds=0.05, outage=outage) as store:
        await store.append([writes("z", 0)], 0)
        wire.mended.clear()
        wire.hang_up()
        with pytest.raises(StoreUnavailableError):
            await store.append([writes("z", 1)], 1)
        assert outage.is_on
        wire.mended.set()
        # It is back by now, but nobody has asked yet who may.
        for asked in (store.append([writes("z", 1)], 1), store.position()):
            with pytest.raises(StoreUnavailableError, match="did not answer a moment ago"):
                await asked
        assert len(await store.read(0, 10)) == 1
        assert not outage.is_on
        assert (await store.append([writes("z", 1)], 1)).position == 2


async def test_an_event_that_this_program_does_not_know_is_named(store: PostgresEventStore, database_url: str) -> None:
    await store.append([Transaction({stream("a"): 0}, [sent("a", 1)])], 0)
    tamper(database_url, "UPDATE events SET type = 'OrderTeleported'")
    with pytest.raises(UnreadableEventError, match="OrderTeleported at position 1, version 1 of stream a"):
        await store.read(0, 10)
    with pytest.raises(UnreadableEventError):
        await store.load({stream("a"): 0})
    assert [raw.type for raw in await store.raw(0, 10)] == ["OrderTeleported"]


async def test_what_stands_before_an_event_that_is_not_known_is_read(
    store: PostgresEventStore, database_url: str
) -> None:
    await store.append([Transaction({stream("a"): 0}, [sent("a", 1), sent("a", 2), sent("a", 3)])], 0)
    tamper(database_url, "UPDATE events SET type = 'OrderTeleported' WHERE position = 3")
    assert [recorded.position for recorded in await store.read(0, 10)] == [1, 2]


async def test_a_read_that_is_given_up_does_not_spoil_the_next(store: PostgresEventStore) -> None:
    await store.append([writes("a", 0)], 0)
    for _ in range(10):
        reading = asyncio.create_task(store.read(0, 10))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
    assert len(await store.read(0, 10)) == 1


async def test_many_reads_at_once_share_few_connections(store: PostgresEventStore, database_url: str) -> None:
    await asyncio.gather(*(store.position() for _ in range(50)))
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'orderlog'"
        ).fetchone()
    assert row is not None
    assert row[0] <= 4


async def test_what_is_read_all_the_time_is_planned_once_and_by_the_indexes(store: PostgresEventStore) -> None:
    for _ in range(8):
        await store.load({stream("alice"): 0}, [key("one")], from_snapshots=True)
        await store.read(0, 10)
    async with store._connections.connection() as connection:
        plans = await (await connection.execute(_PLANS)).fetchall()
        assert [(custom, generic > 0) for _, _, custom, generic in plans] == [(0, True)] * 5
        ((name, *_),) = [plan for plan in plans if "JOIN keys" in plan[1]]
        cursor = await connection.execute(f"EXPLAIN EXECUTE {name} ('{{a}}', '{{b}}', '{{c}}')")
        assert "Index Scan using keys_pkey" in "".join(line for (line,) in await cursor.fetchall())


async def test_a_read_that_outlives_the_store_still_gives_its_connection_up(database_url: str) -> None:
    async with PostgresEventStore(database_url) as store:
        reading = asyncio.create_task(store.position())
        await asyncio.sleep(0)
    assert await reading == 0


async def _ends_at(store: PostgresEventStore, position: int) -> bool:
    return await store.position() == position


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():
        await asyncio.sleep(0.01)
