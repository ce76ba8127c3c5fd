import psycopg
import pytest

from infrastructure.postgres.inspection import checkpoints, log_head
from tests.cli.logs import a_short_history, record
from tests.conftest import tamper


def test_an_empty_log_ends_at_0_and_agrees_with_itself(database_url: str) -> None:
    head = log_head(database_url)
    assert (head.position, head.recorded_at, head.agrees) == (0, None, True)


async def test_a_log_ends_at_its_last_event(database_url: str) -> None:
    recorded = await record(database_url, a_short_history().log)
    head = log_head(database_url)
    assert (head.position, head.recorded_at, head.agrees) == (len(recorded), recorded[-1].recorded_at, True)


async def test_a_log_that_lost_its_last_event_does_not_agree(database_url: str) -> None:
    await record(database_url, a_short_history().log)
    tamper(database_url, "DELETE FROM events WHERE position = (SELECT max(position) FROM events)")
    assert not log_head(database_url).agrees


async def test_a_log_whose_last_hash_is_another_does_not_agree(database_url: str) -> None:
    await record(database_url, a_short_history().log)
    tamper(database_url, "UPDATE log_head SET hash = '\\x00'")
    assert not log_head(database_url).agrees


def test_a_database_without_its_head_is_no_log(database_url: str) -> None:
    tamper(database_url, "DELETE FROM log_head")
    with pytest.raises(psycopg.DataError, match="log_head has lost its only row"):
        log_head(database_url)


def test_every_reader_of_the_log_has_a_checkpoint(database_url: str) -> None:
    assert checkpoints(database_url)["orders"] == 0
