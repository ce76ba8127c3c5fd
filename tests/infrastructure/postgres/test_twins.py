"""A twin is its original in everything that a dump of the schema tells."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from infrastructure.postgres.twins import complete_twin, create_twin
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


async def test_a_twin_that_is_to_be_filled_gets_its_indexes_when_it_is_full(database_url: str) -> None:
    execute(
        database_url,
        "ALTER TABLE orders FORCE ROW LEVEL SECURITY; CREATE UNIQUE INDEX once ON orders (created_position)",
    )
    before = schema(database_url)
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await create_twin(connection, "orders", "building", to_be_filled=True)
        assert {name for name, _ in await secured(connection)} == {"orders_pkey"}
        assert {is_forced for _, is_forced in await secured(connection)} == {False}
        await connection.execute(
            "CREATE INDEX orders_open ON building.orders (trader_id, created_position) WHERE is_open"
        )
        for _ in range(2):
            await complete_twin(connection, "orders", "building")
    as_if_moved(database_url, "orders")
    assert schema(database_url) == before


async def secured(connection: AsyncConnection[Any]) -> list[tuple[str, bool]]:
    """The indexes of the twin, each with whether row level security is forced."""
    cursor = await connection.execute(
        "SELECT indexrelid::regclass::text, relforcerowsecurity FROM pg_index JOIN pg_class ON oid = indrelid"
        " WHERE indrelid = 'building.orders'::regclass"
    )
    return [(name.removeprefix("building."), is_forced) for name, is_forced in await cursor.fetchall()]


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
