"""How the read models stand is told by one query, whoever asks."""

from dataclasses import replace
from datetime import UTC

from psycopg import AsyncConnection

from infrastructure.postgres.building import begin
from infrastructure.postgres.projection_status import ProjectionStatus, State, projection_status
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.registry import PROJECTIONS
from tests.cli.logs import a_short_history, project, record
from tests.conftest import execute


async def status(database_url: str) -> dict[str, ProjectionStatus]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        return {each.name: each for each in await projection_status(connection)}


def tamper(database_url: str, statement: str) -> None:
    """Change what nobody may change."""
    execute(database_url, f"SET session_replication_role = replica; {statement}")


async def test_of_an_empty_log_nothing_is_missing(database_url: str) -> None:
    found = await status(database_url)
    assert list(found) == [projection.name for projection in PROJECTIONS]
    for each in found.values():
        assert (each.state, each.position, each.lag_events, each.lag_seconds) == (State.LIVE, 0, 0, 0.0)
        assert (each.version, each.last_error, each.build, each.has_previous) == (
            each.program_version,
            None,
            None,
            False,
        )


async def test_a_lag_is_in_events_and_in_the_age_of_the_first_that_was_not_read(database_url: str) -> None:
    recorded = await record(database_url, a_short_history().log)
    project(database_url, recorded)
    execute(database_url, "UPDATE checkpoints SET position = 3 WHERE name = 'orders'")
    tamper(database_url, "UPDATE events SET recorded_at = recorded_at - interval '90 s' WHERE position <= 4")
    found = await status(database_url)
    assert (found["orders"].position, found["orders"].head_position) == (3, len(recorded))
    assert found["orders"].lag_events == len(recorded) - 3
    assert found["orders"].lag_seconds >= 90
    assert (found["fills"].lag_events, found["fills"].lag_seconds) == (0, 0.0)


async def test_where_the_next_event_is_no_longer_there_the_one_behind_it_tells_the_lag(database_url: str) -> None:
    await record(database_url, a_short_history().log)
    tamper(database_url, "DELETE FROM events WHERE position <= 2")
    tamper(database_url, "UPDATE events SET recorded_at = recorded_at - interval '90 s' WHERE position = 3")
    assert (await status(database_url))["orders"].lag_seconds >= 90


async def test_a_rate_fades_while_nothing_is_projected(database_url: str) -> None:
    execute(database_url, "UPDATE checkpoints SET rate = 100, updated_at = clock_timestamp() - interval '10 s'")
    assert 30 < (await status(database_url))["orders"].rate < 100 / 2.7
    execute(database_url, "UPDATE checkpoints SET rate = 100, updated_at = clock_timestamp() - interval '1 year'")
    assert (await status(database_url))["orders"].rate < 1e-9


async def test_who_stands_before_what_it_cannot_apply_is_stopped(database_url: str) -> None:
    execute(
        database_url,
        """
        INSERT INTO projection_stops VALUES ('orders', 1, 'OrderPlaced', 'why', clock_timestamp(), clock_timestamp()),
            ('fills', 7, 'OrderFilled', 'why not', clock_timestamp(), clock_timestamp());
        UPDATE checkpoints SET position = 9 WHERE name = 'fills';
        """,
    )
    found = await status(database_url)
    assert (found["orders"].state, found["fills"].state) == (State.STOPPED, State.LIVE)
    error = found["orders"].last_error
    assert error is not None
    assert (error.position, error.event_type, error.reason) == (1, "OrderPlaced", "why")
    assert error.since.tzinfo is error.tried_at.tzinfo is UTC
    assert found["fills"].last_error is not None


async def test_a_version_that_differs_is_older_or_newer_and_a_checkpoint_may_be_missing(database_url: str) -> None:
    execute(
        database_url,
        """
        UPDATE checkpoints SET version = 0 WHERE name = 'orders';
        UPDATE checkpoints SET version = 99 WHERE name = 'fills';
        DELETE FROM checkpoints WHERE name = 'accounts';
        """,
    )
    found = await status(database_url)
    assert [found[name].state for name in ("orders", "fills", "accounts")] == [
        State.NEEDS_REBUILD,
        State.NEWER,
        State.MISSING,
    ]
    assert (found["accounts"].version, found["accounts"].updated_at, found["accounts"].rate) == (None, None, 0.0)


async def test_what_is_built_and_what_was_replaced_is_told(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        await begin(connection, replace(ORDERS, version=2), shards=3)
        await begin(connection, FILLS)
    execute(database_url, "UPDATE building.progress SET position = 10 + shard WHERE name = 'orders'")
    execute(database_url, "UPDATE building.progress SET began_at = NULL WHERE name = 'fills'")
    execute(database_url, "CREATE TABLE previous.accounts ()")
    found = await status(database_url)
    build = found["orders"].build
    assert build is not None
    assert (build.version, build.position, build.shards, build.began_at is None) == (2, 10, 3, False)
    assert (found["fills"].build is not None, found["fills"].build and found["fills"].build.began_at) == (True, None)
    assert [name for name, each in found.items() if each.has_previous] == ["accounts"]
