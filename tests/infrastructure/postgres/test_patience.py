import psycopg
import pytest

from infrastructure.postgres.patience import patiently


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


async def test_what_is_wrong_with_the_question_is_no_matter_of_patience() -> None:
    with pytest.raises(psycopg.ProgrammingError):
        await patiently(Oracle(psycopg.ProgrammingError()).ask)
