"""What a client can get wrong, and the exact status and code that it learns it by."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient
from starlette.applications import Starlette
from starlette.types import Message

from tests.api.clients import Client, World, pointers_of, problem_of, token_of
from tests.api.serving import Served
from tests.plain_http import PLAIN

ORDER = {"symbol": "AAPL", "quantity": "1", "order_type": "LIMIT", "price": "100"}


def body_with(**literals: str) -> bytes:
    """An order in which some fields are these JSON literals."""
    fields = {name: json.dumps(value) for name, value in ORDER.items()} | literals
    return "{{{}}}".format(",".join(f'"{name}":{literal}' for name, literal in fields.items())).encode()


@pytest.mark.parametrize(
    "literal",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e-400",
        "1e99999999999999999999",
        "-1",
        "0",
        "0.0",
        "-0",
        "1234567890123456789012345678901234567890",
        "0.1234567891",
        "0.1000000000000000055511151231257827",
        "1000000000",
        "9" * 5000,
        '"NaN"',
        '"1e400"',
        '"-1"',
        '"0"',
        '"' + "9" * 40 + '"',
        '""',
        '" 1"',
        '"1_000"',
        '"\u0661"',
        '"1,5"',
        '"0x10"',
        '"abc"',
        "null",
        "true",
        "[]",
        "{}",
        "[1]",
    ],
)
async def test_what_is_no_quantity_is_an_invalid_quantity(alice: Client, literal: str) -> None:
    response = await alice.request("POST", "/api/v1/orders", content=body_with(quantity=literal))
    problem = problem_of(response, 400, "INVALID_QUANTITY")
    assert problem["errors"] == [
        {"pointer": "/quantity", "code": "INVALID_QUANTITY", "message": problem["detail"]},
    ]


@pytest.mark.parametrize("field", ["price", "stop_price", "stop_loss", "take_profit"])
@pytest.mark.parametrize("literal", ["NaN", "1e400", "-1", "0", '"' + "9" * 40 + '"', '"abc"', "false", "[]"])
async def test_what_is_no_price_is_an_invalid_price(alice: Client, field: str, literal: str) -> None:
    response = await alice.request("POST", "/api/v1/orders", content=body_with(**{field: literal}))
    problem_of(response, 400, "INVALID_PRICE")
    assert pointers_of(response) == [f"/{field}"]


@pytest.mark.parametrize(
    "literal", ['"aapl"', '""', '"A B"', '"AAPL;"', '"ZZZZ"', "1", "null", '"\\u0000"', '"\\ud800"', "NaN"]
)
async def test_what_is_no_symbol_is_an_invalid_symbol(alice: Client, literal: str) -> None:
    response = await alice.request("POST", "/api/v1/orders", content=body_with(symbol=literal))
    problem_of(response, 400, "INVALID_SYMBOL")
    assert pointers_of(response) == ["/symbol"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"side": '"buy"'}, "/side"),
        ({"side": "null"}, "/side"),
        ({"side": "1"}, "/side"),
        ({"order_type": '"ICEBERG"'}, "/order_type"),
        ({"order_type": "[]"}, "/order_type"),
        ({"time_in_force": '"GTD"'}, "/time_in_force"),
        ({"client_order_id": '""'}, "/client_order_id"),
        ({"client_order_id": '"a b"'}, "/client_order_id"),
        ({"client_order_id": '"' + "x" * 129 + '"'}, "/client_order_id"),
        ({"client_order_id": "7"}, "/client_order_id"),
        ({"leverage": "100"}, "/leverage"),
        ({"a/b~c": "1"}, "/a~1b~0c"),
        ({"\\ud800": "1"}, ""),
        ({"\\u0000": "1"}, "/\0"),
    ],
)
async def test_unknown_fields_and_wrong_types_are_pointed_at(
    alice: Client, fields: dict[str, str], pointer: str
) -> None:
    response = await alice.request("POST", "/api/v1/orders", content=body_with(**fields))
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == [pointer]


async def test_everything_that_is_wrong_is_said_at_once_and_the_first_is_the_answer(alice: Client) -> None:
    response = await alice.post("/api/v1/orders", {"quantity": "-1", "order_type": "LIMIT", "colour": "red"})
    problem = problem_of(response, 400, "INVALID_REQUEST")
    assert problem["detail"] == "symbol is needed"
    assert problem["errors"] == [
        {"pointer": "/symbol", "code": "INVALID_REQUEST", "message": "symbol is needed"},
        {"pointer": "/quantity", "code": "INVALID_QUANTITY", "message": "Quantity must be greater than 0"},
        {"pointer": "/colour", "code": "INVALID_REQUEST", "message": "colour is not known here"},
    ]


async def test_not_more_errors_are_listed_than_anyone_reads(alice: Client) -> None:
    response = await alice.post("/api/v1/orders", {f"field_{number}": 1 for number in range(500)})
    problem_of(response, 400, "INVALID_REQUEST")
    assert len(pointers_of(response)) == 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"quantity=1",
        b'{"symbol": "AAPL",}',
        b"\xff\xfe",
        '{"symbol": "AAPL"}'.encode("utf-16"),
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"symbol": "AAPL", "symbol": "MSFT"}',
    ],
)
async def test_malformed_json_is_refused(alice: Client, body: bytes) -> None:
    problem = problem_of(await alice.request("POST", "/api/v1/orders", content=body), 400, "INVALID_REQUEST")
    assert problem["detail"].startswith("The body is not valid JSON: ")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"order"', b"1", b"NaN"])
async def test_a_body_that_is_no_object_is_refused(alice: Client, body: bytes) -> None:
    response = await alice.request("POST", "/api/v1/orders", content=body)
    problem = problem_of(response, 400, "INVALID_REQUEST")
    assert problem["detail"] == "The body must be a JSON object"
    assert pointers_of(response) == [""]


async def test_a_body_that_is_not_json_by_its_type_is_not_read(alice: Client) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonl", ""):
        response = await alice.post("/api/v1/orders", ORDER, headers={"Content-Type": media_type})
        problem_of(response, 415, "UNSUPPORTED_MEDIA_TYPE")
    for media_type in ("application/json; charset=utf-8", "Application/JSON"):
        assert (await alice.post("/api/v1/orders", ORDER, headers={"Content-Type": media_type})).status_code == 201


async def test_a_huge_body_is_refused_by_what_it_says_of_itself(alice: Client) -> None:
    problem_of(await alice.request("POST", "/api/v1/orders", content=b" " * 70_000), 413, "PAYLOAD_TOO_LARGE")
    padded = json.dumps(ORDER).encode() + b" " * 60_000
    assert (await alice.request("POST", "/api/v1/orders", content=padded)).status_code == 201


async def test_a_client_that_sends_megabytes_is_answered_all_the_same(served: Served, alice: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(500):
            yield b" " * 10_000

    async with AsyncClient(base_url=served.url, **PLAIN) as http:
        client = Client(http, alice.trader_id, ("trader",))
        for content in (b" " * 5_000_000, chunks()):
            response = await client.request("POST", "/api/v1/orders", content=content)
            problem_of(response, 413, "PAYLOAD_TOO_LARGE")
        assert (await client.get("/api/v1/account")).status_code == 200


async def test_a_huge_body_that_hides_its_size_is_refused_while_it_is_read(app: Starlette) -> None:
    chunks = 0
    answered: list[Message] = []

    async def receive() -> Message:
        nonlocal chunks
        chunks += 1
        return {"type": "http.request", "body": b" " * 10_000, "more_body": True}

    async def send(message: Message) -> None:
        answered.append(message)

    headers = [(b"authorization", f"Bearer {token_of('mallory')}".encode()), (b"content-length", b"1" * 400)]
    await app(_scope("POST", "/api/v1/orders", headers), receive, send)
    assert answered[0]["status"] == 413
    assert chunks == 7


async def test_nobody_is_answered_who_left_in_the_middle_of_a_request(app: Starlette) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await app(
        _scope("POST", "/api/v1/orders", [(b"authorization", f"Bearer {token_of('mallory')}".encode())]), receive, send
    )
    assert not messages


def _scope(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/v1/orders", "GET, HEAD, POST"),
        ("/api/v1/orders/stream", "GET"),
        ("/api/v1/orders/00000000-0000-4000-8000-000000000000", "GET, HEAD"),
        ("/api/v1/orders/00000000-0000-4000-8000-000000000000/cancel", "POST"),
        ("/api/v1/account", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/livez", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(alice: Client, path: str, allow: str) -> None:
    for method in ("DELETE", "PUT", "PATCH", "TRACE", "OPTIONS", "BREW"):
        response = await alice.request(method, path)
        problem_of(response, 405, "METHOD_NOT_ALLOWED")
        assert response.headers["allow"] == allow


async def test_an_unknown_path_is_not_there_for_anybody(alice: Client, world: World) -> None:
    for path in (
        "/api",
        "/api/v1/orders/",
        "/api/v2/orders",
        "/api/v1/orders/a/b",
        "/%00",
        "/ws/orders/events",
    ):
        response = await alice.get(path, follow_redirects=False)
        problem_of(response, 404, "NOT_FOUND")
        assert response.headers["cache-control"] == "no-store"
        problem_of(await world.http.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "order_id",
    ["1", "not-a-uuid", "00000000-0000-4000-8000-00000000000g", "%00", "00000000000040008000000000000000", "%F0"],
)
async def test_an_order_id_that_is_no_uuid_belongs_to_no_order(alice: Client, order_id: str) -> None:
    for path in (order_id, f"{order_id}/events", f"{order_id}/fills"):
        problem_of(await alice.get(f"/api/v1/orders/{path}"), 404, "NOT_FOUND")
    problem_of(await alice.post(f"/api/v1/orders/{order_id}/cancel"), 404, "NOT_FOUND")


async def test_an_order_that_never_was_is_not_found(alice: Client) -> None:
    order_id = "00000000-0000-4000-8000-000000000000"
    for path in (order_id, f"{order_id}/events", f"{order_id}/fills"):
        problem_of(await alice.get(f"/api/v1/orders/{path}"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/api/v1/orders", "limit", "0"),
        ("/api/v1/orders", "limit", "101"),
        ("/api/v1/orders", "limit", "1000000000"),
        ("/api/v1/orders", "limit", "-1"),
        ("/api/v1/orders", "limit", "ten"),
        ("/api/v1/orders", "limit", "1.0"),
        ("/api/v1/orders", "limit", ""),
        ("/api/v1/orders", "limit", "9" * 40),
        ("/api/v1/orders", "offset", "-1"),
        ("/api/v1/orders", "offset", "10000000000"),
        ("/api/v1/orders", "status", "OPEN"),
        ("/api/v1/orders", "symbol", "aapl"),
        ("/api/v1/orders", "symbol", "%00"),
        ("/api/v1/orders", "cursor", ""),
        ("/api/v1/orders", "cursor", "abc"),
        ("/api/v1/orders", "cursor", "x" * 201),
        ("/api/v1/orders", "min_position", "-1"),
        ("/api/v1/orders", "min_position", "9999999999999999999"),
        ("/api/v1/orders", "colour", "red"),
        ("/api/v1/orders/00000000-0000-4000-8000-000000000000", "version", "0"),
        ("/api/v1/orders/00000000-0000-4000-8000-000000000000", "as_of", "yesterday"),
        ("/api/v1/orders/00000000-0000-4000-8000-000000000000", "as_of", "1700000000"),
        ("/api/v1/account", "as_of", "2026-01-01"),
        ("/api/v1/account", "as_of", "2026-01-01T00:00:00"),
        ("/api/v1/account", "as_of", "2026-13-01T00:00:00Z"),
        ("/api/v1/positions", "as_of", "2026-01-01T00:00:00.0000001Z"),
        ("/api/v1/execution-log", "limit", "0"),
        ("/api/v1/execution-log", "after", "-1"),
        ("/api/v1/execution-log", "order_id", "1"),
        ("/api/v1/instruments", "symbol", "AAPL"),
        ("/api/v1/orders/stream", "after", "-1"),
        ("/livez", "verbose", "1"),
    ],
)
async def test_a_query_value_out_of_range_is_pointed_at(alice: Client, path: str, name: str, value: str) -> None:
    response = await alice.get(f"{path}?{name}={value}")
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == [f"/{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1000000000"),
        ("after", "-1"),
        ("after", "9223372036854775808"),
        ("type", "OrderEaten"),
        ("trader_id", "%20"),
        ("order_id", "x"),
        ("until", "now"),
    ],
)
async def test_an_auditors_query_value_out_of_range_is_pointed_at(auditor: Client, name: str, value: str) -> None:
    for accept in ("application/json", "application/x-ndjson", "text/event-stream"):
        response = await auditor.get(f"/api/v1/events?{name}={value}", headers={"Accept": accept})
        problem_of(response, 400, "INVALID_REQUEST")
        assert pointers_of(response) == [f"/{name}"]


async def test_after_the_end_of_the_log_there_is_nothing(auditor: Client, alice: Client) -> None:
    assert (await auditor.get("/api/v1/events?after=9000000000")).json() == {"events": [], "position": 9_000_000_000}
    assert (await alice.get("/api/v1/execution-log?after=9000000000")).json()["entries"] == []
    assert (await alice.get("/api/v1/orders?offset=2000000000")).json()["orders"] == []


@pytest.mark.parametrize("query", ["limit=1&limit=2", "status=%FF", "&".join(f"a{number}=1" for number in range(60))])
async def test_a_query_that_can_be_read_in_two_ways_or_none_is_refused(alice: Client, query: str) -> None:
    problem_of(await alice.get(f"/api/v1/orders?{query}"), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("header", ["x", "-1", "9999999999999999999", "1.5"])
async def test_a_last_event_id_that_is_no_position_is_refused(alice: Client, auditor: Client, header: str) -> None:
    headers = {"Last-Event-ID": header, "Accept": "text/event-stream"}
    for response in (
        await alice.get("/api/v1/orders/stream", headers=headers),
        await auditor.get("/api/v1/events", headers=headers),
    ):
        problem_of(response, 400, "INVALID_REQUEST")
        assert pointers_of(response) == ["/Last-Event-ID"]
