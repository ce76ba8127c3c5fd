"""Taking a read model past an event that it cannot apply: recorded with the step itself, and only where it stands."""

import asyncio

import psycopg
import pytest

from domain.events import Metadata, ProjectionEventSkipped, RecordedEvent, projection_stream
from domain.values import TraderId
from infrastructure.postgres import skipping
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.skipping import CannotSkipError, skip
from projections.accounts import ACCOUNTS
from projections.registry import PROJECTIONS
from tests.conftest import execute
from tests.infrastructure.postgres.test_projector import (
    ToldFeed,
    assert_right,
    busy,
    caught_up,
    checkpoints,
    poisoned,
    projecting,
    rows,
    until,
)
from tests.infrastructure.postgres.test_verification import verified

OLIVIA = Metadata(TraderId(""), "ops:olivia", "request", "request")


def stopped(database_url: str, position: int = 7) -> None:
    """Accounts stand before the event at the position, and it is written down that it stops them."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE checkpoints SET position = %s WHERE name = 'accounts'", (position - 1,))
        connection.execute(
            "INSERT INTO projection_stops VALUES ('accounts', %s, 'TradeBooked', 'why', now(), now()) "
            "ON CONFLICT (name) DO UPDATE SET position = excluded.position",
            (position,),
        )


async def logged(database_url: str) -> list[RecordedEvent]:
    async with PostgresEventStore(database_url) as store:
        return list(await store.read(0, 100))


async def test_a_poisoned_event_is_skipped_and_the_others_never_noticed(database_url: str) -> None:
    log = busy(orders=4).log
    with psycopg.connect(database_url, autocommit=True) as connection:
        lane = [poisoned(ACCOUNTS, position=15, times=10**6) if each is ACCOUNTS else each for each in PROJECTIONS]
        stop = "SELECT position, event_type, reason FROM projection_stops WHERE name = 'accounts'"
        async with projecting(database_url, ToldFeed(log), lane):
            await until(lambda: connection.execute(stop).fetchone() is not None)
            assert connection.execute(stop).fetchone() == (15, type(log[14].event).__name__, "RuntimeError: poison")
            assert checkpoints(connection)["accounts"] == 14
            # In a thread: the projector, in this one, may hold the checkpoint just now.
            await asyncio.to_thread(skip, database_url, ACCOUNTS, 15, "it is poison", OLIVIA)
            await caught_up(connection, len(log))
        assert rows(connection, ACCOUNTS) == ACCOUNTS.fold({}, [each for each in log if each.position != 15])
        (recorded,) = await logged(database_url)
        assert recorded.stream_id == projection_stream("accounts")
        assert recorded.metadata == OLIVIA
        assert recorded.event == ProjectionEventSkipped(
            projection="accounts", position=15, event_type=type(log[14].event).__name__, reason="it is poison"
        )


async def test_a_projector_that_begins_at_the_beginning_passes_over_it_too(database_url: str) -> None:
    log = busy(orders=4).log
    stopped(database_url, position=15)
    skip(database_url, ACCOUNTS, 15, "it is poison", OLIVIA)
    execute(database_url, "UPDATE checkpoints SET position = 0")
    with psycopg.connect(database_url, autocommit=True) as connection:
        async with projecting(database_url, ToldFeed(log)):
            await caught_up(connection, len(log))
        assert rows(connection, ACCOUNTS) == ACCOUNTS.fold({}, [each for each in log if each.position != 15])
        with pytest.raises(AssertionError, match="accounts"):
            assert_right(connection, log)


async def test_several_are_skipped_one_after_the_other(database_url: str) -> None:
    for position in (7, 8):
        stopped(database_url, position=position)
        skip(database_url, ACCOUNTS, position, "it is poison", OLIVIA)
    assert [recorded.version for recorded in await logged(database_url)] == [1, 2]
    with psycopg.connect(database_url) as connection:
        assert checkpoints(connection)["accounts"] == 8


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("SELECT 1", "accounts stands at 6, stopped before the TradeBooked at 7: the event at 8 cannot be skipped"),
        ("UPDATE projection_stops SET position = 3", "accounts stands at 6 and is not stopped: the event at 8 cannot"),
        ("UPDATE checkpoints SET position = 8", "accounts has gone past position 8 already: it stands at 8"),
        ("UPDATE checkpoints SET version = 9", "accounts was written by version 9 of the projection, and this program"),
        ("DELETE FROM checkpoints", "There is no checkpoint of accounts"),
    ],
)
async def test_what_does_not_stop_it_is_not_skipped(database_url: str, change: str, sentence: str) -> None:
    stopped(database_url)
    execute(database_url, change)
    with pytest.raises(CannotSkipError, match=sentence):
        skip(database_url, ACCOUNTS, 8, "by mistake", OLIVIA)
    assert await logged(database_url) == []


@pytest.mark.parametrize("moves", ["the checkpoint", "the stream"])
async def test_who_moves_meanwhile_is_left_alone(
    database_url: str, moves: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(database_url)
    append = skipping.append

    def late(*arguments: object) -> object:
        monkeypatch.setattr(skipping, "append", append)
        if moves == "the checkpoint":
            execute(database_url, "UPDATE checkpoints SET position = 7 WHERE name = 'accounts'")
        else:
            skip(database_url, ACCOUNTS, 7, "first", OLIVIA)
            stopped(database_url)
        return append(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(skipping, "append", late)
    with pytest.raises(CannotSkipError, match="has moved meanwhile, or somebody else has skipped the event"):
        skip(database_url, ACCOUNTS, 7, "second", OLIVIA)
    assert len(await logged(database_url)) == (0 if moves == "the checkpoint" else 1)


async def test_verification_knows_what_is_skipped(database_url: str) -> None:
    from tests.cli.logs import a_short_history, project, record  # noqa: PLC0415 - one test records

    log = await record(database_url, a_short_history().log)
    at = max(each.position for each in log if type(each.event) in ACCOUNTS.events)
    project(database_url, [each for each in log if each.position < at])
    stopped(database_url, position=at)
    skip(database_url, ACCOUNTS, at, "it is poison", OLIVIA)
    assert (await verified(database_url))["accounts"].difference is None
