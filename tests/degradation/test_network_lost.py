"""The network to PostgreSQL goes: packets vanish while connections stand, or there are no connections left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any, Self

import psycopg
import pytest
import pytest_asyncio
from psycopg import OperationalError

from infrastructure import composition
from infrastructure.composition import open_engine
from infrastructure.embedded.home import Home
from infrastructure.postgres.migrating import upgrade
from tests.api.conftest import list_instruments, settings_of
from tests.degradation.desk import Desk, all_told, desk_at, eventually, traded
from tests.faults.processes import Server
from tests.relay import Relay, relayed

_ENGINE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orderlog'"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def local_url(database: Server) -> str:
    """Past the wire."""
    url = await eventually(lambda: database.address)
    await asyncio.to_thread(upgrade, url)
    await list_instruments(url)
    return url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def wire(home: Home, local_url: str) -> AsyncIterator[Relay]:
    assert local_url
    async with relayed(str(home.sockets / ".s.PGSQL.5432")) as wire:
        yield wire


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def far_desk(home: Home, wire: Relay) -> AsyncIterator[Desk]:
    """The application at the other end of the wire."""
    url = f"postgresql://postgres@127.0.0.1:{wire.port}/orderlog?sslmode=disable&gssencmode=disable&connect_timeout=2"
    async with desk_at(url, home) as desk:
        yield desk


@pytest.mark.parametrize("is_lost", [False, True], ids=["late", "lost"])
async def test_packets_that_vanish_keep_nobody_waiting_and_those_that_come_late_double_nothing(
    far_desk: Desk, wire: Relay, *, is_lost: bool
) -> None:
    client = await far_desk.trader()
    async with traded(far_desk) as traders:
        await far_desk.is_back(client)
        wire.freeze()
        await all_told(traders)
        assert (await client.get("/api/v1/orders")).status_code == 503
        if is_lost:
            cutting = asyncio.create_task(wire.cut())
            await asyncio.sleep(0)
        wire.thaw()
        if is_lost:
            await cutting
            await wire.mend()
        await far_desk.is_back(client)
    assert (await client.get("/api/v1/orders")).status_code == 200


class Crowd:
    """Somebody else takes every connection that there is, for as long as the context lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._taken = ExitStack()

    def __enter__(self) -> Self:
        self.fill()
        return self

    def __exit__(self, *_: object) -> None:
        self._taken.close()

    def fill(self) -> None:
        with pytest.raises(OperationalError, match="too many clients"):
            self._take()

    def push_out(self, operator: psycopg.Connection[Any]) -> None:
        """Take the engine's connections, too."""
        while operator.execute(_ENGINE).fetchall():
            self.fill()

    def _take(self) -> None:
        while True:
            self._taken.enter_context(psycopg.connect(self._url, autocommit=True, application_name="somebody else"))


async def test_an_engine_that_has_its_connections_goes_on_when_there_are_no_others(
    far_desk: Desk, local_url: str
) -> None:
    client = await far_desk.trader()
    await far_desk.is_back(client)
    with Crowd(local_url):
        for _ in range(20):
            assert (await client.place()).status_code == 201
        assert (await client.get("/api/v1/orders")).status_code == 200


async def test_an_engine_that_has_lost_its_connections_says_so_until_there_are_some_again(
    far_desk: Desk, local_url: str
) -> None:
    client = await far_desk.trader()
    with psycopg.connect(local_url, autocommit=True) as operator:
        async with traded(far_desk) as traders:
            with Crowd(local_url) as crowd:
                await asyncio.to_thread(crowd.push_out, operator)
                await all_told(traders)
            await far_desk.is_back(client)
    assert (await client.get("/api/v1/orders")).status_code == 200


async def test_an_engine_that_starts_without_a_connection_left_waits_for_one_and_then_says_what_is_wrong(
    home: Home, local_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(local_url, home.directory / "late")
    with Crowd(local_url):
        monkeypatch.setattr(composition, "_PATIENCE_SECONDS", 0.2)
        with pytest.raises(OperationalError, match="too many clients already"):
            async with open_engine(settings):
                pass
        monkeypatch.setattr(composition, "_PATIENCE_SECONDS", 20.0)
        opening = asyncio.create_task(_opened(settings))
        await asyncio.sleep(0.3)
        assert not opening.done()
    await opening


async def _opened(settings: composition.Settings) -> None:
    async with open_engine(settings) as engine:
        await engine.store.position()
