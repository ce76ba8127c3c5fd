"""Operators, and the page they look at, see how the read models stand."""

import psycopg
import pytest

from api import projections
from api.projections import ProjectionsPage
from infrastructure.settings import Settings
from projections.registry import PROJECTIONS
from tests.api.clients import Client, World
from tests.conftest import execute


async def test_operators_see_how_the_read_models_stand(
    ops: Client, alice: Client, world: World, settings: Settings
) -> None:
    assert (await alice.place()).status_code == 201
    await world.projected()
    # However long ago the last event was: what two of them in a minute make is rounded to nothing.
    execute(str(settings.database_url), "UPDATE checkpoints SET rate = 1000, updated_at = now() WHERE name = 'orders'")
    response = await ops.get("/api/v1/projections")
    page = response.json()
    ProjectionsPage.model_validate_json(response.content)
    assert [each["name"] for each in page["projections"]] == [projection.name for projection in PROJECTIONS]
    orders = page["projections"][0]
    assert (orders["state"], orders["lag_events"], orders["lag_seconds"]) == ("live", 0, 0.0)
    assert orders["position"] == orders["head_position"] == page["position"]
    assert 0 < orders["rate"] <= 1000
    assert (orders["last_error"], orders["build"], orders["has_previous"]) == (None, None, False)
    assert (await alice.get("/api/v1/projections")).status_code == 403


async def test_what_stops_one_and_what_is_built_is_told(ops: Client, settings: Settings) -> None:
    database_url = str(settings.database_url)  # of whoever rebuilds: the engine itself may not write there
    execute(database_url, "INSERT INTO projection_stops VALUES ('fills', 1, 'OrderFilled', 'why', now(), now())")
    execute(database_url, "INSERT INTO building.progress VALUES ('orders', 0, 1, 2, 3, false, now())")
    response = await ops.get("/api/v1/projections")
    execute(database_url, "DELETE FROM projection_stops; DELETE FROM building.progress")
    ProjectionsPage.model_validate_json(response.content)
    orders, fills, *_ = response.json()["projections"]
    assert (orders["build"]["version"], orders["build"]["position"], orders["build"]["workers"]) == (2, 3, 1)
    assert (fills["last_error"]["position"], fills["last_error"]["event_type"]) == (1, "OrderFilled")


async def test_a_database_that_is_away_is_a_problem_like_any(ops: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: object) -> None:
        raise psycopg.OperationalError("it is away")

    monkeypatch.setattr(projections, "projection_status", away)
    response = await ops.get("/api/v1/projections")
    assert (response.status_code, response.json()["code"]) == (503, "STORE_UNAVAILABLE")
