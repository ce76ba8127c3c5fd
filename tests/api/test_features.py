from contextlib import nullcontext
from dataclasses import replace

import pytest
from httpx2 import ASGITransport, AsyncClient

from api.asgi import build_app
from api.features import posthog_origin
from infrastructure.composition import Engine
from tests.api.clients import Client, problem_of
from tests.api.conftest import settings_of

FEATURES = "/api/v1/features"


async def features_with(engine: Engine, client: Client, **changes: object) -> dict[str, dict[str, object]]:
    """What the trader is told by an engine with other settings."""
    other = replace(engine, settings=engine.settings.model_copy(update=changes))
    app = build_app(lambda: nullcontext(other))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app=app), base_url="http://x") as http,
    ):
        found: dict[str, dict[str, object]] = (await Client(http, client.trader_id, ("trader",)).get(FEATURES)).json()
        return found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, {"enabled": True, "in_ramp": True}),
        ({"execution_enabled": False}, {"enabled": False, "in_ramp": True}),
        ({"execution_ramp_percent": 0}, {"enabled": True, "in_ramp": False}),
    ],
)
async def test_a_trader_is_told_whether_their_orders_are_taken(
    engine: Engine, alice: Client, changes: dict[str, object], told: dict[str, bool]
) -> None:
    assert (await features_with(engine, alice, **changes))["order_execution"] == told


async def test_the_page_hears_of_posthog_only_where_a_project_is_set(engine: Engine, alice: Client) -> None:
    nothing = {"posthog_key": None, "posthog_host": None}
    assert (await features_with(engine, alice))["analytics"] == nothing
    told = await features_with(engine, alice, posthog_api_key="phc", posthog_host="https://events.example/some/path")
    assert told["analytics"] == {"posthog_key": "phc", "posthog_host": "https://events.example"}


def test_the_project_is_where_posthog_is_unless_it_is_set(engine: Engine) -> None:
    settings = settings_of("postgresql://localhost/x", engine.settings.home, POSTHOG_API_KEY="phc")
    assert posthog_origin(settings) == "https://us.i.posthog.com"


async def test_features_are_for_traders(auditor: Client) -> None:
    problem_of(await auditor.get(FEATURES), 403, "FORBIDDEN")
