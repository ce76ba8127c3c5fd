"""A twin is its original in everything that a dump of the schema tells."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import AsyncConnection

from infrastructure.postgres.twins import create_twin
from projections.registry import PROJECTIONS
from tests.conftest import execute
from tests.infrastructure.postgres.test_migrating import schema

ROLE = "twin_reader"


@contextmanager
def a_role(postgres: str) -> Iterator[None]:
    execute(postgres, f"CREATE ROLE {ROLE}")
    yield
    execute(postgres, f"DROP ROLE {ROLE}")


async def twin(database_url: str, table: str) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        await create_twin(connection, table, "building")


def as_if_moved(database_url: str, table: str) -> str:
    """The schema when the twin has taken the place of the original."""
    execute(database_url, f"DROP TABLE {table}; ALTER TABLE building.{table} SET SCHEMA public")
    return schema(database_url, privileges=True)


@pytest.mark.parametrize("table", [projection.name for projection in PROJECTIONS])
async def test_a_twin_is_like_its_original_down_to_the_names_of_its_indexes(database_url: str, table: str) -> None:
    before = schema(database_url)
    await twin(database_url, table)
    assert schema(database_url) != before
    as_if_moved(database_url, table)
    assert schema(database_url) == before


async def test_a_twin_has_its_original_s_privileges_and_policies(database_url: str, postgres: str) -> None:
    with a_role(postgres):
        execute(
            database_url,
            f"""
            GRANT SELECT, INSERT ON fills TO {ROLE};
            GRANT UPDATE ON fills TO {ROLE} WITH GRANT OPTION;
            GRANT SELECT ON fills TO PUBLIC;
            ALTER TABLE fills ENABLE ROW LEVEL SECURITY;
            ALTER TABLE fills FORCE ROW LEVEL SECURITY;
            CREATE POLICY own ON fills FOR SELECT TO {ROLE} USING (trader_id = current_setting('orderlog.trader', true));
            CREATE POLICY all_of_it ON fills AS RESTRICTIVE USING (true) WITH CHECK (quantity_filled >= 0);
            """,
        )
        before = schema(database_url, privileges=True)
        assert "CREATE POLICY own" in before
        assert "GRANT" in before
        await twin(database_url, "fills")
        assert as_if_moved(database_url, "fills") == before
        execute(database_url, f"DROP POLICY own ON fills; REVOKE ALL ON fills FROM {ROLE}")


async def test_what_is_not_there_has_no_twin(database_url: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        await twin(database_url, "nothing")
