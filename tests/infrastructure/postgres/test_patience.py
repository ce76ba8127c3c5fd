import psycopg
import pytest

from infrastructure.postgres.outage import DatabaseAwayError, Outage
from infrastructure.postgres.patience import patiently, watched_pool_of


class Oracle:
    """Answers after as many failures as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def ask(self) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return 42


async def test_a_database_that_comes_back_in_time_answers() -> None:
    assert await patiently(Oracle(psycopg.OperationalError(), psycopg.InterfaceError()).ask, 5) == 42


async def test_patience_ends() -> None:
    with pytest.raises(psycopg.OperationalError):
        await patiently(Oracle(psycopg.OperationalError()).ask, 0)


async def test_patience_does_not_last_into_an_outage() -> None:
    with pytest.raises(DatabaseAwayError):
        await patiently(Oracle(DatabaseAwayError()).ask, 60)
    assert await patiently(Oracle(DatabaseAwayError()).ask) == 42


async def test_a_watched_pool_gives_nothing_out_during_an_outage(database_url: str) -> None:
    outage = Outage()
    async with watched_pool_of(database_url, 1, outage, 5.0) as pool:
        outage.begin(psycopg.OperationalError())
        with pytest.raises(DatabaseAwayError):
            async with pool.connection():
                pass
        outage.end()
        async with pool.connection() as connection:
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_a_watched_pool_gives_up_who_does_not_answer_and_is_patient_with_whom_it_is_told(
    database_url: str,
) -> None:
    async with watched_pool_of(database_url, 1, Outage(), 0.2) as pool:
        async with pool.connection(answer_seconds=60) as connection:
            await connection.execute("SELECT pg_sleep(0.4)")
        with pytest.raises(psycopg.OperationalError):
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(60)")


async def test_what_is_wrong_with_the_question_is_no_matter_of_patience() -> None:
    with pytest.raises(psycopg.ProgrammingError):
        await patiently(Oracle(psycopg.ProgrammingError()).ask)
