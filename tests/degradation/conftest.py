"""A real application on a PostgreSQL and a Valkey of its own, which tests may stop, kill and start again."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test

from infrastructure.embedded.home import Home, open_home
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.valkey import Valkey
from infrastructure.postgres.migrating import upgrade
from tests.api.conftest import list_instruments
from tests.degradation.desk import Desk, desk_at, eventually
from tests.faults.processes import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for each module, because the application is opened once for all its tests."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A home with a name short enough for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="orderlog-degraded-"))
    home = open_home(directory / "home")
    home.make_sockets()
    yield home
    shutil.rmtree(home.sockets, ignore_errors=True)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def database(home: Home) -> Iterator[Server]:
    """A PostgreSQL under the tests' hands."""
    server = Server(Postgres(fsync=False), home)
    server.start()
    yield server
    server.go_on()
    server.end()


@pytest.fixture(scope="module")
def bus(home: Home) -> Iterator[Server]:
    """A Valkey under the tests' hands."""
    server = Server(Valkey(), home)
    server.start()
    yield server
    server.go_on()
    server.end()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(database: Server, bus: Server, home: Home) -> AsyncIterator[Desk]:
    """The application with both, and a worker that only projects."""
    database_url = await eventually(lambda: database.address)
    redis_url = await eventually(lambda: bus.address)
    await asyncio.to_thread(upgrade, database_url)
    await list_instruments(database_url)
    async with desk_at(database_url, home, redis_url) as desk:
        yield desk
