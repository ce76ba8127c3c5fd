from datetime import UTC, datetime, timedelta

import pytest

from application.ports import StoreUnavailableError
from domain.values import TraderId
from infrastructure.postgres import tickets
from infrastructure.postgres.tickets import StreamTickets
from tests.infrastructure.postgres.pools import pool_of

ALICE, BOB = TraderId("alice"), TraderId("bob")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = NOW + timedelta(seconds=60)


async def test_a_ticket_is_taken_once_by_whichever_process_is_first(database_url: str) -> None:
    async with pool_of(database_url) as one, pool_of(database_url) as two:
        await StreamTickets(one).issue("sesame", ALICE, NOW, SOON)
        await StreamTickets(one).issue("other", BOB, NOW, SOON)
        assert await StreamTickets(two).redeem("sesame", NOW) == ALICE
        assert await StreamTickets(one).redeem("sesame", NOW) is None
        assert await StreamTickets(one).redeem("other", NOW) == BOB


async def test_a_ticket_that_was_given_out_twice_by_a_lost_answer_is_one(database_url: str) -> None:
    async with pool_of(database_url) as pool:
        for _ in range(2):
            await StreamTickets(pool).issue("sesame", ALICE, NOW, SOON)
        assert await StreamTickets(pool).redeem("sesame", NOW) == ALICE


async def test_a_ticket_that_is_too_old_is_worth_nothing_and_goes_with_the_next(database_url: str) -> None:
    async with pool_of(database_url) as pool:
        await StreamTickets(pool).issue("old", ALICE, NOW, SOON)
        assert await StreamTickets(pool).redeem("old", SOON) is None
        await StreamTickets(pool).issue("new", BOB, SOON, SOON + timedelta(seconds=60))
        async with pool.connection() as connection:
            assert await (await connection.execute("SELECT trader_id FROM stream_tickets")).fetchall() == [("bob",)]


async def test_the_database_does_not_know_a_ticket(database_url: str) -> None:
    async with pool_of(database_url) as pool:
        await StreamTickets(pool).issue("sesame", ALICE, NOW, SOON)
        async with pool.connection() as connection:
            (row,) = await (await connection.execute("SELECT * FROM stream_tickets")).fetchall()
    assert "sesame" not in str(row)


async def test_without_a_database_there_are_no_tickets(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "_PATIENCE_SECONDS", 0.0)
    async with pool_of(database_url) as pool:
        await pool.close()
        with pytest.raises(StoreUnavailableError):
            await StreamTickets(pool).redeem("sesame", NOW)
