from decimal import Decimal
from typing import Any

import psycopg
import pytest

from domain.values import TraderId
from infrastructure.postgres import verification
from infrastructure.postgres.comparing import Difference, Verified, compared_rows
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.verification import verify
from projections.accounts import ACCOUNTS, AccountRow
from projections.projection import Projection
from tests.cli.logs import a_short_history, project, record
from tests.domain.orders import ORDER_ID


async def verified(database_url: str) -> dict[str, Verified]:
    async with PostgresEventStore(database_url) as store:
        return {table.projection: table for table in await verify(database_url, store)}


def change(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
async def projected(database_url: str) -> str:
    project(database_url, await record(database_url, a_short_history().log))
    return database_url


async def test_an_empty_log_leads_to_empty_read_models(database_url: str) -> None:
    tables = await verified(database_url)
    assert all(table.difference is None and table.rows == 0 and table.position == 0 for table in tables.values())


async def test_read_models_that_followed_the_log_equal_a_fresh_fold(projected: str) -> None:
    tables = await verified(projected)
    end = len(a_short_history().log)
    assert [table.difference for table in tables.values()] == [None] * len(tables)
    assert {table.position for table in tables.values()} == {end}
    assert (tables["orders"].rows, tables["fills"].rows, tables["accounts"].rows) == (1, 1, 2)


async def test_whoever_waits_is_told_how_many_events_have_been_folded(projected: str) -> None:
    told: list[int] = []
    async with PostgresEventStore(projected) as store:
        await verify(projected, store, advanced=told.append)
    assert sum(told) == len(a_short_history().log)


async def test_a_read_model_that_is_behind_is_compared_where_it_stands(database_url: str) -> None:
    recorded = await record(database_url, a_short_history().log)
    project(database_url, recorded[:3])
    tables = await verified(database_url)
    assert [table.difference for table in tables.values()] == [None] * len(tables)
    assert tables["orders"].position == 3


async def test_a_changed_row_is_named_with_the_fields_that_differ(projected: str) -> None:
    change(projected, "UPDATE accounts SET cash = cash + 1 WHERE trader_id = 'alice'")
    difference = (await verified(projected))["accounts"].difference
    assert difference == Difference(
        "accounts", {"trader_id": "alice"}, {"cash": Decimal(4000)}, {"cash": Decimal(4001)}
    )
    assert difference.described() == ("accounts trader_id=alice: the log leads to cash=4000, the table has cash=4001")


async def test_only_the_first_row_that_differs_is_named(projected: str) -> None:
    change(projected, "UPDATE accounts SET cash = 7")
    difference = (await verified(projected))["accounts"].difference
    assert difference is not None
    assert difference.key == {"trader_id": "alice"}


async def test_a_row_from_nowhere_is_named(projected: str) -> None:
    change(projected, "INSERT INTO accounts SELECT 'mallory', currency, 1, 0, 0, 1 FROM accounts LIMIT 1")
    difference = (await verified(projected))["accounts"].difference
    assert difference is not None
    assert (difference.key, difference.expected) == ({"trader_id": "mallory"}, None)
    assert "the log leads to no row" in difference.described()


async def test_a_missing_row_is_named(projected: str) -> None:
    change(projected, "DELETE FROM orders")
    difference = (await verified(projected))["orders"].difference
    assert difference is not None
    assert (difference.key, difference.found) == ({"id": ORDER_ID}, None)
    assert difference.described().endswith("the table has no row")


async def test_a_row_that_is_missing_before_others_is_named(projected: str) -> None:
    change(projected, "DELETE FROM accounts WHERE trader_id = 'alice'; UPDATE accounts SET cash = 7")
    table = (await verified(projected))["accounts"]
    assert table.difference is not None
    assert (table.difference.key, table.difference.found) == ({"trader_id": "alice"}, None)
    assert (table.found.rows, table.expected.rows) == (1, 2)


async def test_read_models_that_stand_at_different_positions_are_compared_where_each_one_stands(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_EVENTS_AT_ONCE", 2)
    recorded = await record(database_url, a_short_history().log)
    project(database_url, recorded)
    change(database_url, "TRUNCATE fills; UPDATE checkpoints SET position = 1 WHERE name = 'fills'")
    tables = await verified(database_url)
    assert [table.difference for table in tables.values()] == [None] * len(tables)
    assert (tables["fills"].position, tables["orders"].position) == (1, len(recorded))


async def test_what_is_equal_has_the_same_summary(projected: str) -> None:
    assert all(table.found == table.expected for table in (await verified(projected)).values())
    change(projected, "UPDATE fills SET price_at_fill = price_at_fill + 0.5")
    fills = (await verified(projected))["fills"]
    assert fills.found.totals["price_at_fill"] - fills.expected.totals["price_at_fill"] == Decimal("0.5")
    assert fills.found.checksum != fills.expected.checksum


async def test_of_no_rows_none_differs(projected: str) -> None:
    rows = {(name,): AccountRow.new(TraderId(name)) for name in ("nobody", "mallory")}
    async with await psycopg.AsyncConnection.connect(projected) as connection:
        assert await compared_rows(connection, ACCOUNTS, {}) is None
        difference = await compared_rows(connection, ACCOUNTS, rows)
    assert difference is not None
    assert (difference.key, difference.found) == ({"trader_id": "mallory"}, None)


async def test_the_fold_and_the_table_are_held_a_batch_at_a_time(
    projected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_EVENTS_AT_ONCE", 2)
    held: list[int] = []
    fold = Projection.fold

    def folding(projection: Projection[Any], rows: Any, batch: Any, past: Any) -> Any:
        held.append(max(len(rows), len(batch)))
        return fold(projection, rows, batch, past)

    monkeypatch.setattr(Projection, "fold", folding)
    assert {table.difference for table in (await verified(projected)).values()} == {None}
    assert len(held) > len(a_short_history().log) / 2
    assert max(held) <= 2
