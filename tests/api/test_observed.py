"""Every request has a story, which is in its answer, in the log, and in what is recorded; and every error ends here."""

import json
import logging

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from api.observed import Observed
from infrastructure.logs import Lines
from tests.api import clients
from tests.api.clients import Client, World
from tests.api.serving import Served, closed

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of requests and their errors, as the process writes them."""
    lines: list[str] = []

    class Writing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(Lines("api").format(record))

    for name in ("orderlog.requests", "api.problems"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [Writing()])
        monkeypatch.setattr(logging.getLogger(name), "level", logging.INFO)
    logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined] # of what is enabled
    return lines


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"X-Correlation-Id": "story-1"}, ("story-1", None)),
        ({"X-Correlation-Id": "story-1", "X-Request-Id": "r:1_2.3"}, ("story-1", "r:1_2.3")),
        ({"X-Request-Id": "r-1"}, ("r-1", "r-1")),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, (TRACE, None)),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Correlation-Id": "story-1"}, ("story-1", None)),
        ({"traceparent": f"00-{32 * '0'}-b7ad6b7169203331-01"}, (None, None)),
        ({"traceparent": "00-x-y-01"}, (None, None)),
        ({"X-Correlation-Id": "order-1/3"}, (None, None)),
        ({"X-Correlation-Id": "a b"}, (None, None)),
        ({"X-Correlation-Id": 101 * "a"}, (None, None)),
        ({"X-Request-Id": '"}'}, (None, None)),
    ],
)
async def test_a_client_may_name_the_story_and_the_request_if_the_names_are_sane(
    alice: Client, given: dict[str, str], taken: tuple[str | None, str | None]
) -> None:
    answer = await alice.place(headers=given)
    correlation_id, request_id = answer.headers["x-correlation-id"], answer.headers["x-request-id"]
    assert correlation_id == (taken[0] or request_id)
    assert request_id == taken[1] or (taken[1] is None and len(request_id) == 36)
    events = (await alice.get(f"/api/v1/orders/{answer.json()['id']}/events")).json()["events"]
    assert (events[0]["metadata"]["correlation_id"], events[0]["metadata"]["causation_id"]) == (
        correlation_id,
        request_id,
    )


async def test_every_request_is_one_line_of_the_log_with_its_story_and_without_its_query(
    alice: Client, said: list[str]
) -> None:
    answer = await alice.get("/api/v1/orders?limit=3", headers={"X-Correlation-Id": "story-2"})
    for path in ("/nothing", "/openapi.json", "/livez"):
        await alice.get(path)
    await alice.request("TRACE", "/livez")
    listed, lost, document, traced = map(json.loads, said)
    assert listed.pop("ms") >= 0
    for name in ("timestamp", "pid", "process", "logger", "level"):
        del listed[name]
    assert listed == {
        "event": "request",
        "correlation_id": "story-2",
        "causation_id": answer.headers["x-request-id"],
        "trader_id": alice.trader_id,
        "method": "GET",
        "path": "/api/v1/orders",
        "status": 200,
    }
    assert (lost["path"], lost["status"]) == ("/nothing", 404)
    assert (document["path"], document["status"]) == ("/openapi.json", 200)
    assert (traced["method"], traced["path"], traced["status"]) == ("TRACE", "/livez", 405)


async def test_an_answer_that_is_given_to_everybody_has_the_ids_of_each_request(world: World) -> None:
    answers = [await world.http.get("/openapi.json", headers={"X-Request-Id": str(n)}) for n in range(2)]
    assert [answer.headers.get_list("x-request-id") for answer in answers] == [["0"], ["1"]]


async def test_an_error_belongs_to_the_story_of_its_request_its_trader_and_its_order(
    alice: Client, world: World, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("password=hunter2")

    order_id = (await alice.place()).json()["id"]
    monkeypatch.setattr(type(world.engine.store), "load", broken)
    answer = await alice.get(f"/api/v1/orders/{order_id}", headers={"X-Correlation-Id": "story-3"})
    problem = clients.problem_of(answer, 500, "INTERNAL_ERROR")
    assert "hunter2" not in answer.text
    (line,) = [line for line in map(json.loads, said) if line["level"] == "error"]
    assert (line["error_id"], line["correlation_id"]) == (problem["error_id"], "story-3")
    assert (line["trader_id"], line["order_id"]) == (alice.trader_id, order_id)
    assert "ZeroDivisionError" in line["exception"]
    assert not any("hunter2" in line for line in said)


async def broken_early(*_: object) -> None:
    raise RuntimeError("a secret")


async def broken_late(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    raise RuntimeError("a secret")


async def test_what_escapes_from_the_application_is_a_problem_all_the_same_and_logged_once(
    app: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        await Observed(broken_early)(scope | {"app": app}, receive, send)

    async with AsyncClient(transport=ASGITransport(app=within), base_url="http://x") as http:
        answer = await http.get("/")
    problem = clients.problem_of(answer, 500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.error_id == problem["error_id"]  # type: ignore[attr-defined]


async def test_an_answer_that_breaks_off_is_reported_and_not_begun_anew(
    app: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "headers": [], "method": "GET", "path": "/", "app": app}
    await Observed(broken_late)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == ["internal error"]


async def test_an_error_of_a_socket_is_reported_once_and_says_nothing(
    served: Served, alice: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("api.streams._beginning", broken)
    async with served.socket(f"?token={alice.token}") as connection:
        assert await closed(connection) == (1011, "Something went wrong on our side")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == ["a socket failed"]
