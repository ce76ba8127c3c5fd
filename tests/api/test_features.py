from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import replace

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient

from api.asgi import build_app
from api.features import posthog_origin
from api.schemas import RolloutView
from domain.rollout import is_in_ramp
from infrastructure.composition import Engine, open_engine
from infrastructure.settings import Settings
from tests.api.clients import Client, pointers_of, problem_of
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


async def test_features_are_for_traders_and_operators(auditor: Client) -> None:
    problem_of(await auditor.get(FEATURES), 403, "FORBIDDEN")


@pytest_asyncio.fixture(loop_scope="module")
async def _as_before(ops: Client) -> AsyncIterator[None]:
    """The engine is everybody's: whatever is switched off here is on again afterwards."""
    yield
    await ops.request("PUT", FEATURES, json={"enabled": True, "ramp_percent": 100, "reason": "over"})


@pytest.mark.usefixtures("_as_before")
async def test_an_operator_ramps_and_every_process_takes_orders_from_that_share_at_once(
    settings: Settings, alice: Client, ops: Client
) -> None:
    share = next(percent for percent in range(1, 101) if is_in_ramp(alice.trader_id, percent))
    first = await alice.place({"Idempotency-Key": "before"})
    async with open_engine(settings) as other:
        app = build_app(lambda: nullcontext(other))
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app=app), base_url="http://x") as http,
        ):
            elsewhere = Client(http, alice.trader_id, ("trader",))
            for percent, status in ((share - 1, 503), (share, 201), (0, 503), (100, 201)):
                body = {"ramp_percent": percent, "reason": f"to {percent}"}
                changed = await ops.request("PUT", FEATURES, json=body)
                RolloutView.model_validate_json(changed.content)
                told = changed.json()
                assert (told["ramp_percent"], told["set"], told["changed_by"], told["reason"]) == (
                    percent,
                    {"enabled": None, "ramp_percent": percent},
                    f"ops:{ops.trader_id}",
                    f"to {percent}",
                )
                # No process has to hear of it first: what was decided before is decided again.
                for client in (elsewhere, alice):
                    assert (await client.place()).status_code == status
                    seen = (await client.get(FEATURES)).json()
                    assert seen["order_execution"] == {"enabled": True, "in_ramp": status == 201}
                    assert seen["rollout"] is None
                # What was taken is taken, and says so to whoever asks again.
                again = await elsewhere.place({"Idempotency-Key": "before"})
                assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")


@pytest.mark.usefixtures("_as_before")
async def test_what_is_switched_off_refuses_new_orders_and_nothing_else(alice: Client, ops: Client) -> None:
    order_id = (await alice.place()).json()["id"]
    told = (await ops.request("PUT", FEATURES, json={"enabled": False, "reason": "a drill"})).json()
    assert not told["enabled"]
    refused = await alice.place()
    problem_of(refused, 503, "ORDER_EXECUTION_DISABLED")
    assert (await alice.get(f"/api/v1/orders/{order_id}")).status_code == 200
    assert (await alice.replace(order_id, price="99")).status_code == 200
    assert (await alice.post(f"/api/v1/orders/{order_id}/cancel")).status_code == 200
    seen = (await ops.get(FEATURES)).json()["rollout"]
    assert (seen["enabled"], seen["reason"], seen["environment"]) == (
        False,
        "a drill",
        {"enabled": True, "ramp_percent": 100},
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "x"}, "/ramp_percent"),
        ({"ramp_percent": 25}, "/reason"),
        ({"ramp_percent": 101, "reason": "x"}, "/ramp_percent"),
        ({"ramp_percent": True, "reason": "x"}, "/ramp_percent"),
        ({"enabled": 1, "reason": "x"}, "/enabled"),
    ],
)
async def test_what_cannot_be_set_is_named(ops: Client, body: dict[str, object], pointer: str) -> None:
    answer = await ops.request("PUT", FEATURES, json=body)
    problem_of(answer, 400, "INVALID_REQUEST")
    assert pointers_of(answer) == [pointer]


async def test_only_operators_roll_out(alice: Client, auditor: Client) -> None:
    for client in (alice, auditor):
        answer = await client.request("PUT", FEATURES, json={"ramp_percent": 5, "reason": "x"})
        problem_of(answer, 403, "FORBIDDEN")
