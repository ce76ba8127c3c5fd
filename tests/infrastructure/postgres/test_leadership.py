"""One leads, the others wait, and whoever loses the connection knows that it leads no longer."""

import asyncio

import psycopg
import pytest

from infrastructure.postgres import leadership as module
from infrastructure.postgres.leadership import Leadership
from tests.infrastructure.postgres.wire import Wire

HOLDER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRY_SECONDS", 0.02)
    monkeypatch.setattr(module, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.2)


async def lead(leadership: Leadership, led: asyncio.Event, done: asyncio.Event) -> bool:
    """Lead until done or lost; returns whether it was lost."""
    async with leadership.hold() as lost:
        led.set()
        ends = [asyncio.create_task(each.wait()) for each in (lost, done)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        return lost.is_set()


async def test_one_leads_and_the_next_takes_over_when_it_is_done(database_url: str) -> None:
    led, done = [asyncio.Event(), asyncio.Event()], [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(lead(Leadership(database_url, "work"), led[0], done[0]))
    await led[0].wait()
    second = asyncio.create_task(lead(Leadership(database_url, "work"), led[1], done[1]))
    await asyncio.sleep(0.2)
    assert not led[1].is_set()
    done[0].set()
    assert not await first
    await led[1].wait()
    done[1].set()
    assert not await second


async def test_different_things_are_led_apart(database_url: str) -> None:
    async with Leadership(database_url, "one").hold(), Leadership(database_url, "other").hold() as lost:
        assert not lost.is_set()


async def test_a_leader_whose_connection_is_killed_learns_of_it_and_another_one_leads(database_url: str) -> None:
    async with Leadership(database_url, "work").hold() as lost:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({HOLDER}) AS holder")  # noqa: S608 - a constant
        await asyncio.wait_for(lost.wait(), 5)
        async with Leadership(database_url, "work").hold() as lost_too:
            assert not lost_too.is_set()


async def test_a_leader_whose_connection_falls_silent_learns_of_it(database_url: str) -> None:
    async with Wire(database_url).listening() as wire, Leadership(wire.url, "work").hold() as lost:
        wire.silent = True
        await asyncio.wait_for(lost.wait(), 5)


async def test_a_leader_that_hangs_with_its_connection_open_loses_the_lead(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HANG_SECONDS_MAX", 0.2)
    monkeypatch.setattr(module, "_CHECK_SECONDS", 60.0)  # it asks for nothing: for the server it hangs
    async with Leadership(database_url, "work").hold() as lost, Leadership(database_url, "work").hold():
        await asyncio.wait_for(lost.wait(), 5)


async def test_whoever_waits_for_the_lead_waits_through_an_absence_of_the_database(database_url: str) -> None:
    led, done = asyncio.Event(), asyncio.Event()
    async with Wire(database_url).listening() as wire:
        async with Leadership(database_url, "work").hold():
            waiting = asyncio.create_task(lead(Leadership(wire.url, "work"), led, done))
            await asyncio.sleep(0.2)
            wire.mended.clear()
            wire.hang_up()
            await asyncio.sleep(0.2)
        assert not led.is_set()
        wire.mended.set()
        await asyncio.wait_for(led.wait(), 5)
        done.set()
        assert not await waiting


async def test_whoever_gives_up_waiting_leaves_no_connection(database_url: str) -> None:
    async with Leadership(database_url, "work").hold():
        waiting = asyncio.create_task(lead(Leadership(database_url, "work"), asyncio.Event(), asyncio.Event()))
        await asyncio.sleep(0.2)
        waiting.cancel()
        await asyncio.wait([waiting])
        async with await psycopg.AsyncConnection.connect(database_url, application_name="counting") as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'orderlog'"
            )
            assert await cursor.fetchone() == (1,)


async def test_what_the_block_raises_comes_out_as_it_is(database_url: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Leadership(database_url, "work").hold():
            raise ZeroDivisionError
