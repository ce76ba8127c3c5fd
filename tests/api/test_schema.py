"""The served document describes the server: what it says may be sent is taken, and whatever comes back is in it."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from pydantic import BaseModel
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, CheckFunction, load_all_checks
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.schemas import BaseSchema
from starlette.routing import Route

from api.asgi import build_app
from api.endpoints import Endpoint
from api.openapi import document_of
from api.page import page_routes
from api.problems import STATUS_OF
from api.requests import parse_body
from api.routes import ENDPOINTS
from api.schemas import NoQuery
from infrastructure.settings import Settings
from tests.api.clients import World, token_of
from tests.api.conftest import working_engine

load_all_checks()
(positive_data_acceptance,) = cast("list[CheckFunction]", CHECKS.get_by_names(["positive_data_acceptance"]))
"""Left out: an order as it should be can still be refused, for want of money or of such a symbol, and that is a 400."""

HEADERS = {"Authorization": f"Bearer {token_of('sally', roles=('trader', 'auditor', 'ops'))}"}


@pytest.fixture(scope="module")
def described(settings: Settings) -> Iterator[BaseSchema]:
    """The document, from the application that it describes."""
    app = build_app(lambda: working_engine(settings), heartbeat_seconds=0.05)
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    shutdown_lifespans()


def name_of(value: Endpoint | GenerationMode) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Endpoint) else value.value


def cases() -> Iterator[tuple[Endpoint, GenerationMode]]:
    for endpoint in ENDPOINTS:
        yield endpoint, GenerationMode.POSITIVE
        if endpoint.roles or endpoint.query is not NoQuery:  # else nothing can be wrong
            yield endpoint, GenerationMode.NEGATIVE


# The tool that makes wrong values for patterns asks `random`, which hypothesis does not like.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize(("endpoint", "mode"), list(cases()), ids=name_of)
def test_the_server_does_what_its_document_says(
    described: BaseSchema, endpoint: Endpoint, mode: GenerationMode
) -> None:
    operation = described[endpoint.path][endpoint.method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @examples(max_examples=10, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def do_as_it_says(case: Case[Any]) -> None:
        case.call_and_validate(headers=HEADERS, excluded_checks=[positive_data_acceptance])

    do_as_it_says()


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    app = build_app(nullcontext)  # type: ignore[arg-type] # it is never started
    documented = document_of(ENDPOINTS)["paths"]
    pages = {route.path for route in page_routes()}
    routed = {route.path for route in app.routes if isinstance(route, Route)} - pages
    assert documented.keys() == {path.replace(":path", "") for path in routed} - {"/openapi.json", "/asyncapi.json"}
    operations = {(method.upper(), path) for path, item in documented.items() for method in item}
    assert operations == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


def test_every_error_of_the_table_is_possible_somewhere() -> None:
    described = json.dumps(document_of(ENDPOINTS))
    # These are for requests that no endpoint ever sees, and the document describes no wrong methods.
    unseen = ["METHOD_NOT_ALLOWED", "HEADERS_TOO_LARGE", "REQUEST_TIMEOUT", "TOO_MANY_CONNECTIONS"]
    assert [code for code in STATUS_OF if code not in described] == unseen


async def test_the_document_is_served_to_anybody(world: World) -> None:
    response = await world.http.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == document_of(ENDPOINTS)
    assert response.json()["openapi"] == "3.1.0"


def test_operations_have_names_of_their_own() -> None:
    names = [endpoint.handler.__name__ for endpoint in ENDPOINTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("body", [each.body for each in ENDPOINTS if each.body], ids=lambda body: body.__name__)
def test_every_request_has_an_example_that_is_one(body: type[BaseModel]) -> None:
    schema = document_of(ENDPOINTS)["components"]["schemas"][body.__name__]
    for example in schema["examples"]:
        parse_body(body, example)
