"""The real application on a real database; the venue is whoever reports fills."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test
from starlette.applications import Starlette

from api.asgi import build_app
from infrastructure.composition import Engine, open_engine
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.heartbeats import beat
from infrastructure.postgres.instruments import save_instruments
from infrastructure.postgres.patience import Pool
from infrastructure.postgres.projector import Projector
from infrastructure.settings import Settings, load_settings
from tests.api.clients import INSTRUMENTS, SECRET, Client, World
from tests.api.serving import Served, serving
from tests.conftest import fresh_database

_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for each module, because the application is opened once for all its tests."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture(scope="module")
def settings(postgres: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with fresh_database(postgres, template=migrated_template) as url:
        yield settings_of(url, tmp_path_factory.mktemp("home"))


def settings_of(database_url: str, home: Path, **more: str) -> Settings:
    variables = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "ORDERLOG_HOME": str(home),
        "ORDERLOG_JWT_SECRET": SECRET,
    }
    return load_settings(variables | more)


async def list_instruments(database_url: str) -> None:
    async with Pool(conninfo(database_url), kwargs={"autocommit": True}, open=False) as pool:
        await save_instruments(pool, INSTRUMENTS)


@asynccontextmanager
async def working_engine(settings: Settings) -> AsyncIterator[Engine]:
    """An engine that knows some instruments, and a worker that only projects."""
    await list_instruments(str(settings.database_url))
    async with open_engine(settings) as engine:
        await beat(engine.pool, "exchange", "answers", is_ok=True)
        projecting = asyncio.create_task(Projector(engine.pool, engine.follower).run())
        yield engine
        projecting.cancel()
        await asyncio.gather(projecting, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    async with working_engine(settings) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def app(engine: Engine) -> AsyncIterator[Starlette]:
    app = build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2, backlog_max=50)
    async with app.router.lifespan_context(app):
        yield app


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(engine: Engine) -> AsyncIterator[Served]:
    async with serving(build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2, backlog_max=50)) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def world(app: Starlette, engine: Engine) -> AsyncIterator[World]:
    async with World(app, engine) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def alice(world: World) -> Client:
    """A trader of the test's own with 100,000 dollars."""
    client = world.client(f"alice-{next(_NUMBERS)}")
    await world.fund(client, "100000")
    return client


@pytest_asyncio.fixture(loop_scope="module")
async def bob(world: World) -> Client:
    """Another trader."""
    return world.client(f"bob-{next(_NUMBERS)}")


@pytest_asyncio.fixture(loop_scope="module")
async def auditor(world: World) -> Client:
    return world.client("carol", roles=("auditor",))


@pytest_asyncio.fixture(loop_scope="module")
async def ops(world: World) -> Client:
    return world.client("olga", roles=("ops",))
