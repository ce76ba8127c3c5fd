import asyncio
from typing import Any

import pytest

from api import health
from api.schemas import HealthView, StatusView
from application.ports import StoreUnavailableError
from infrastructure.postgres.heartbeats import beat
from tests.api.clients import World

ALL_OK = {"database": "ok", "exchange": "ok", "projections": "ok", "bus": "ok"}


async def health_of(world: World) -> tuple[int, dict[str, Any]]:
    response = await world.http.get("/api/v1/health/orders")
    HealthView.model_validate_json(response.content)
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()


async def test_an_engine_that_has_everything_is_well(world: World) -> None:
    await beat(world.engine.pool, "exchange", "answers", is_ok=True)
    await world.projected()
    assert await health_of(world) == (200, {"status": "ok", "dependencies": ALL_OK})


async def test_an_exchange_that_does_not_answer_is_down(world: World) -> None:
    await beat(world.engine.pool, "exchange", "no route to host", is_ok=False)
    assert await health_of(world) == (503, {"status": "down", "dependencies": ALL_OK | {"exchange": "down"}})


async def test_an_exchange_that_nobody_has_heard_of_for_long_is_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await beat(world.engine.pool, "exchange", "answers", is_ok=True)
    monkeypatch.setattr(health, "_SILENCE_SECONDS_MAX", -1.0)
    assert (await health_of(world))[1]["dependencies"]["exchange"] == "down"
    async with world.engine.pool.connection() as connection:
        await connection.execute("DELETE FROM heartbeats")
    assert (await health_of(world))[1]["dependencies"]["exchange"] == "down"


async def test_projections_that_lag_behind_are_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LAG_SECONDS_MAX", -1.0)
    assert (await health_of(world))[1]["dependencies"]["projections"] == "down"


async def test_a_bus_that_is_away_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def is_up(_: object) -> bool:
        return False

    monkeypatch.setattr(type(world.engine.bus), "is_up", is_up)
    assert (await health_of(world))[1]["dependencies"]["bus"] == "down"


async def test_a_database_that_does_not_answer_or_hangs_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: object) -> int:
        raise StoreUnavailableError

    async def hang(_: object) -> int:
        await asyncio.Event().wait()
        return 0

    assert (await world.http.get("/readyz")).json() == {"status": "ok"}
    monkeypatch.setattr(health, "_ANSWER_SECONDS", 0.05)
    for failing in (away, hang):
        monkeypatch.setattr(type(world.engine.store), "position", failing)
        assert (await health_of(world))[1]["dependencies"]["database"] == "down"
        response = await world.http.get("/readyz")
        assert (response.status_code, response.json()) == (503, {"status": "down"})
        # The process lives, whatever it waits for.
        response = await world.http.get("/livez")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        StatusView.model_validate_json(response.content)


async def test_a_process_that_knows_no_instruments_is_not_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.engine.instruments, "_instruments", {})
    assert (await world.http.get("/readyz")).status_code == 503
