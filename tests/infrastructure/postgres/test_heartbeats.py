from infrastructure.postgres.heartbeats import beat, heartbeats
from tests.infrastructure.postgres.pools import pool_of


async def test_the_last_heartbeat_of_each_part_is_known(database_url: str) -> None:
    async with pool_of(database_url) as pool:
        assert await heartbeats(pool) == {}
        await beat(pool, "exchange", "answers", is_ok=True)
        await beat(pool, "exchange", "timeout", is_ok=False)
        await beat(pool, "worker", "leads", is_ok=True)
        heard = await heartbeats(pool)
    assert {name: (each.is_ok, each.detail) for name, each in heard.items()} == {
        "exchange": (False, "timeout"),
        "worker": (True, "leads"),
    }
    assert all(each.age_seconds >= 0 for each in heard.values())
