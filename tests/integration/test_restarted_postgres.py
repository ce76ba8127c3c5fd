"""PostgreSQL is stopped and started again under an engine's connections, and everything goes on by itself."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.servers import embedded_servers
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.leadership import Leadership
from infrastructure.postgres.migrating import upgrade
from tests.infrastructure.samples import writes


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a name short enough for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="orderlog-restart-"))
    yield directory
    shutil.rmtree(directory)


async def test_appends_followers_and_leaders_survive_a_restart_of_postgres(home: Path) -> None:
    with ExitStack() as running:
        wanted = [Postgres(fsync=False)]
        addresses = await asyncio.to_thread(running.enter_context, embedded_servers(home, wanted))
        url = addresses.database_url
        assert url is not None
        upgrade(url)
        async with (
            PostgresEventStore(url, patience_seconds=60) as store,
            Follower(store, url, 0.1) as follower,
            Leadership(url, "work").hold() as lost,
        ):
            await store.append([writes("a", 0)], 0)
            await asyncio.to_thread(running.close)
            await asyncio.wait_for(lost.wait(), 10)
            pending = asyncio.create_task(store.append([writes("a", 1)], 1))
            reading = asyncio.create_task(store.read(0, 10))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(running.enter_context, embedded_servers(home, wanted))
            assert (await pending).position == 2
            assert await reading
            assert await follower.wait_for(2, 10)
            async with Leadership(url, "work").hold() as lost_again:
                assert not lost_again.is_set()
