import pytest

from application.ports import StoreUnavailableError
from infrastructure.postgres.activity import activity
from tests.infrastructure.postgres.pools import pool_of


async def test_where_nothing_has_happened_nothing_is_counted(database_url: str) -> None:
    async with pool_of(database_url) as pool:
        found = await activity(pool)
    assert (found.open_orders, found.unresolved_orders, list(found.unresolved)) == (0, 0, [])
    assert [count for _, count in found.per_second] == [0] * 60
    assert [(each.action, each.orders, each.percentiles_ms) for each in found.latencies] == [
        ("ACCEPTED", 0, None),
        ("FILLED", 0, None),
    ]


async def test_without_a_database_nothing_is_known(database_url: str) -> None:
    async with pool_of(database_url) as pool:
        await pool.close()
        with pytest.raises(StoreUnavailableError):
            await activity(pool)
