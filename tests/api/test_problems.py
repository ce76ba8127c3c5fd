import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import pytest
from httpx2 import ASGITransport, AsyncClient

from api.asgi import build_app
from api.problems import STATUS_OF, Problem, pointer, problem_of
from api.schemas import ProblemView
from application.ports import OutcomeUnknownError, StoreUnavailableError
from application.sequencer import SequencerBusyError
from domain.refusals import Refusal
from infrastructure.composition import Engine
from tests.api import clients
from tests.api.clients import Client, World


def refusals(root: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    yield root
    for each in root.__subclasses__():
        yield from refusals(each)


def test_every_refusal_has_a_status() -> None:
    assert {refusal.code for refusal in refusals()} <= STATUS_OF.keys()


def test_every_code_is_an_error() -> None:
    assert all(400 <= status < 600 for status in STATUS_OF.values())


def test_a_pointer_escapes_what_pointers_are_made_of() -> None:
    assert pointer() == ""
    assert pointer("a", 0, "b/c~d") == "/a/0/b~1c~0d"


@pytest.mark.parametrize(
    "error",
    [StoreUnavailableError("10.0.0.7 is gone"), OutcomeUnknownError("10.0.0.7 is silent"), SequencerBusyError()],
)
def test_what_may_work_in_a_moment_says_when_to_come_back(error: Exception) -> None:
    problem = problem_of(error, lambda: "id")
    assert problem.status == 503
    assert problem.headers == {"retry-after": "1"}
    assert "10.0.0.7" not in problem.detail


def test_a_problem_is_its_own_problem() -> None:
    problem = Problem("NOT_FOUND", "There is no such thing")
    assert problem_of(problem, lambda: "id") is problem


async def test_an_error_of_ours_is_logged_under_an_id_and_says_nothing_else(
    alice: Client, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(type(world.engine.store), "load", broken)
    response = await alice.get("/api/v1/orders/00000000-0000-4000-8000-000000000000")
    problem = clients.problem_of(response, 500, "INTERNAL_ERROR")
    assert "secret" not in response.text
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert (record.getMessage(), record.error_id) == ("internal error", problem["error_id"])  # type: ignore[attr-defined]
    assert "ZeroDivisionError: a secret detail" in caplog.text
    ProblemView.model_validate_json(response.content)


async def test_a_store_that_is_away_is_a_503(alice: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("no route to host")

    monkeypatch.setattr(type(world.engine.store), "append", away)
    response = await alice.place()
    clients.problem_of(response, 503, "STORE_UNAVAILABLE")
    assert response.headers["retry-after"] == "1"


async def test_a_sequencer_that_is_busy_is_a_503(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.sequencer.QUEUE_LIMIT", 0)
    response = await alice.place()
    clients.problem_of(response, 503, "BUSY")
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("switch", [{"execution_enabled": False}, {"execution_ramp_percent": 0}])
async def test_new_orders_can_be_switched_off_while_everything_else_goes_on(
    engine: Engine, alice: Client, switch: dict[str, object]
) -> None:
    order_id = (await alice.place()).json()["id"]
    off = replace(engine, settings=engine.settings.model_copy(update=switch))
    app = build_app(lambda: nullcontext(off))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app=app), base_url="http://x") as http,
    ):
        client = Client(http, alice.trader_id, ("trader",))
        problem = clients.problem_of(await client.place(), 503, "ORDER_EXECUTION_DISABLED")
        assert problem["detail"] == "New orders are switched off at the moment; cancels and queries go on"
        assert (await client.get(f"/api/v1/orders/{order_id}")).status_code == 200
        assert (await client.post(f"/api/v1/orders/{order_id}/cancel")).status_code == 200
