"""What the venue refuses over HTTP, and in which words."""

from typing import Any

import httpx2
import pytest

from tests.infrastructure.exchanges.paper.conftest import client_of
from tests.venue_server import VenueAddress

Json = dict[str, Any]

ORDER = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
LIMIT = ORDER | {"type": "limit", "limit_price": "185"}
PAIR = ORDER | {
    "side": "sell",
    "type": "limit",
    "order_class": "oco",
    "take_profit": {"limit_price": "195"},
    "stop_loss": {"stop_price": "185"},
}


def test_the_venue_says_that_it_is_up_to_anyone(shared_venue: VenueAddress) -> None:
    with client_of(shared_venue, headers={}) as http:
        response = http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "headers",
    [{}, {"APCA-API-KEY-ID": "k"}, {"APCA-API-SECRET-KEY": "s"}, {"APCA-API-KEY-ID": "", "APCA-API-SECRET-KEY": ""}],
)
def test_a_request_without_keys_is_not_authorized(shared_venue: VenueAddress, headers: dict[str, str]) -> None:
    with client_of(shared_venue, headers) as http:
        for path in ("/v2/account", "/v2/orders", "/v2/stocks/trades/latest"):
            response = http.get(path)
            assert response.status_code == 401
            assert response.json() == {"code": 40110000, "message": "request is not authorized"}


def test_an_oauth_token_will_do_as_well(shared_venue: VenueAddress) -> None:
    with client_of(shared_venue, headers={"Authorization": "Bearer anything"}) as http:
        assert http.get("/v2/account").status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        (ORDER | {"symbol": "NONE"}, 422, 42210000, 'asset "NONE" not found'),
        (ORDER | {"symbol": "TWTR"}, 422, 42210000, 'asset "TWTR" is not tradable'),
        (ORDER | {"symbol": "BRK.A", "qty": "1.5"}, 422, 42210000, 'asset "BRK.A" is not fractionable'),
        (ORDER | {"qty": "1.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        (PAIR | {"qty": "1.5"}, 422, 42210000, "fractional orders must be simple orders"),
        (ORDER | {"symbol": "ETH/USD", "qty": "0.0009"}, 422, 42210000, "invalid qty 0.0009: must be >= 0.001"),
        (
            ORDER | {"symbol": "ETH/USD", "qty": "0.00105"},
            422,
            42210000,
            "invalid qty 0.00105: must be a multiple of 0.0001",
        ),
        (
            LIMIT | {"symbol": "ETH/USD", "limit_price": "3000.05"},
            422,
            42210000,
            "invalid limit_price 3000.05. price must be a multiple of 0.1",
        ),
        (ORDER | {"qty": None}, 422, 40010001, "qty is required"),
        (ORDER | {"qty": "0"}, 422, 40010001, "qty must be > 0"),
        (ORDER | {"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        (ORDER | {"qty": "NaN"}, 422, 40010001, "qty must be > 0"),
        (ORDER | {"qty": "sNaN"}, 422, 40010001, "qty must be > 0"),
        (ORDER | {"qty": "Infinity"}, 422, 40010001, "qty must be > 0"),
        (ORDER | {"qty": "1e999999"}, 422, 40010001, "qty must be <= 1000000000000"),
        (ORDER | {"qty": "9" * 5000}, 422, 40010001, "qty must be <= 1000000000000"),
        (ORDER | {"qty": "1e-999999999"}, 422, 40010001, "qty must have no more than 9 decimals"),
        (ORDER | {"qty": "ten"}, 422, 40010001, "Invalid decimal string - at `$.qty`"),
        (ORDER | {"qty": True}, 422, 40010001, "Expected `decimal | null`, got `bool` - at `$.qty`"),
        (ORDER | {"qty": {"a": 1}}, 422, 40010001, "Expected `decimal | null`, got `object` - at `$.qty`"),
        (ORDER | {"qty": "999999999999"}, 403, 40310000, "insufficient buying power"),
        (ORDER | {"limit_price": "1"}, 422, 40010001, "market orders require no stop or limit price"),
        (ORDER | {"type": "limit"}, 422, 40010001, "limit orders require a limit price and no stop price"),
        (ORDER | {"type": "stop"}, 422, 40010001, "stop orders require a stop price and no limit price"),
        (LIMIT | {"type": "stop_limit"}, 422, 40010001, "stop limit orders require both stop and limit price"),
        (LIMIT | {"limit_price": "0"}, 422, 40010001, "limit price must be > 0"),
        (LIMIT | {"limit_price": "1e10"}, 422, 40010001, "limit price must be <= 1000000000"),
        (LIMIT | {"limit_price": "1e-999999999"}, 422, 40010001, "limit price must have no more than 9 decimals"),
        (
            LIMIT | {"limit_price": "185.001"},
            422,
            42210000,
            "invalid limit_price 185.001. sub-penny increment does not",
        ),
        (ORDER | {"side": "hold"}, 422, 40010001, "Invalid enum value 'hold' - at `$.side`"),
        (ORDER | {"type": "trailing_stop"}, 422, 40010001, "Invalid enum value 'trailing_stop' - at `$.type`"),
        (ORDER | {"time_in_force": "opg"}, 422, 40010001, "time_in_force opg is not supported"),
        (ORDER | {"time_in_force": "cls"}, 422, 40010001, "time_in_force cls is not supported"),
        (ORDER | {"time_in_force": "gtx"}, 422, 40010001, "Invalid enum value 'gtx' - at `$.time_in_force`"),
        (ORDER | {"client_order_id": "x" * 129}, 422, 40010001, "client_order_id must be no more than 128 characters"),
        (ORDER | {"client_order_id": 5}, 422, 40010001, "Expected `str | null`, got `int` - at `$.client_order_id`"),
        (ORDER | {"colour": "red"}, 422, 40010001, "Object contains unknown field `colour`"),
        (ORDER | {"notional": "100"}, 422, 40010001, "notional is not supported"),
        (LIMIT | {"legs": []}, 422, 40010001, "legs is not supported"),
        (ORDER | {"take_profit": {"limit_price": 1}}, 422, 40010001, "take_profit requires the order_class oco"),
        (ORDER | {"stop_loss": {"stop_price": 1}}, 422, 40010001, "stop_loss requires the order_class oco"),
        (ORDER | {"stop_loss": {"stop": 1}}, 422, 40010001, "Object contains unknown field `stop` - at `$.stop_loss`"),
        (
            ORDER | {"order_class": "bracket"},
            422,
            40010001,
            "order_class bracket is not supported, only simple and oco",
        ),
        (ORDER | {"order_class": "oto"}, 422, 40010001, "order_class oto is not supported, only simple and oco"),
        (ORDER | {"order_class": "mleg"}, 422, 40010001, "order_class mleg is not supported, only simple and oco"),
        (LIMIT | {"order_class": "oco"}, 422, 40010001, "oco orders require stop_loss.stop_price"),
        (PAIR | {"type": "market"}, 422, 40010001, "oco orders must be limit orders"),
        (PAIR | {"time_in_force": "ioc"}, 422, 40010001, "oco orders require a time_in_force of day or gtc"),
        (PAIR | {"take_profit": None}, 422, 40010001, "oco orders require take_profit.limit_price"),
        (PAIR | {"limit_price": "195.01"}, 422, 40010001, "limit_price and take_profit.limit_price are not the same"),
        (PAIR | {"limit_price": "sNaN"}, 422, 40010001, "limit price must be > 0"),
        (PAIR | {"take_profit": {"limit_price": "NaN"}}, 422, 40010001, "limit price must be > 0"),
        (PAIR | {"stop_loss": {"stop_price": "NaN"}}, 422, 40010001, "stop price must be > 0"),
        (
            PAIR | {"stop_loss": {"stop_price": "195"}},
            422,
            40010001,
            "take_profit.limit_price must be > stop_loss.stop",
        ),
        (PAIR | {"side": "buy"}, 422, 40010001, "take_profit.limit_price must be < stop_loss.stop_price"),
        (PAIR | {"stop_price": "185"}, 422, 40010001, "limit orders require a limit price and no stop price"),
        (
            PAIR | {"stop_loss": {"stop_price": "185", "limit_price": "184"}},
            422,
            40010001,
            "stop_loss.limit_price is not supported: the leg is a stop order",
        ),
        (PAIR | {"stop_loss": {"stop_price": "185.001"}}, 422, 42210000, "invalid stop_price 185.001."),
        ({"symbol": "AAPL"}, 422, 40010001, "Object missing required field `side`"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    shared_http: httpx2.Client,
    fields: Json,
    status: int,
    code: int,
    message: str,
) -> None:
    response = shared_http.post("/v2/orders", json=fields)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["message"].startswith(message)


def test_a_refusal_for_want_of_money_says_how_much(shared_http: httpx2.Client) -> None:
    response = shared_http.post("/v2/orders", json=LIMIT | {"qty": "999999999999", "limit_price": "2"})
    assert response.json() == {
        "code": 40310000,
        "message": "insufficient buying power",
        "buying_power": "1000000000000",
        "cost_basis": "1999999999998",
    }


def test_a_client_order_id_is_used_once(http: httpx2.Client) -> None:
    assert http.post("/v2/orders", json=ORDER | {"client_order_id": "mine"}).status_code == 200
    response = http.post("/v2/orders", json=ORDER | {"client_order_id": "mine"})
    assert response.status_code == 422
    assert response.json() == {"code": 40010001, "message": "client_order_id must be unique"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"qty": NaN}', b"\xff\xfe", b'{"symbol":"\xff"}', b'{"legs":' + b"[" * 60_000],
)
def test_what_is_not_json_is_refused(shared_http: httpx2.Client, body: bytes) -> None:
    for method, path in (("POST", "/v2/orders"), ("PATCH", "/v2/orders/x")):
        response = shared_http.request(method, path, content=body)
        assert response.status_code in {400, 422}
        assert set(response.json()) == {"code", "message"}
    assert shared_http.post("/v2/orders", content=b"{").json() == {
        "code": 40010000,
        "message": "request body format is invalid",
    }


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1"])
def test_json_that_is_no_object_is_refused(shared_http: httpx2.Client, body: bytes) -> None:
    assert shared_http.post("/v2/orders", content=body).status_code == 422


def test_a_body_that_is_too_large_is_refused(shared_http: httpx2.Client) -> None:
    response = shared_http.post("/v2/orders", content=b" " * 70_000)
    assert (response.status_code, response.json()["code"]) == (413, 41310000)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"qty": "0"}, "qty must be > 0"),
        ({"trail": "1"}, "trail is not supported"),
        ({"time_in_force": "opg"}, "time_in_force opg is not supported"),
        ({"stop_price": "-1"}, "stop price must be > 0"),
        ({"price": "1"}, "Object contains unknown field `price`"),
        ({"client_order_id": "x" * 129}, "client_order_id must be no more than 128 characters"),
    ],
)
def test_a_replacement_that_makes_no_sense_is_refused(shared_http: httpx2.Client, fields: Json, message: str) -> None:
    response = shared_http.patch("/v2/orders/any", json=fields)
    assert response.status_code == 422
    assert response.json() == {"code": 40010001, "message": message}


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v2/orders/none", 404, "order not found for none"),
        ("DELETE", "/v2/orders/none", 404, "order not found for none"),
        ("GET", "/v2/orders:by_client_order_id?client_order_id=none", 404, "order not found for none"),
        ("GET", "/v2/orders:by_client_order_id", 422, "client_order_id is required"),
        ("GET", "/v2/assets/NONE", 404, "asset not found for NONE"),
        ("GET", "/v2/positions/NONE", 404, "asset not found for NONE"),
        ("GET", "/v2/positions/GOOG", 404, "position does not exist"),
        ("GET", "/v2/stocks/trades/latest", 422, "symbols is required"),
        ("GET", "/v2/orders?limit=0", 422, "Expected `int` >= 1 - at `$.limit`"),
        ("GET", "/v2/orders?limit=501", 422, "Expected `int` <= 500 - at `$.limit`"),
        ("GET", "/v2/orders?limit=many", 422, "Expected `int`, got `str` - at `$.limit`"),
        ("GET", "/v2/orders?status=odd", 422, "Invalid enum value 'odd' - at `$.status`"),
        ("GET", "/v2/orders?after=noon", 422, "after must be a time in RFC 3339"),
        ("GET", "/v2/orders?until=9999999-01-01", 422, "until must be a time in RFC 3339"),
        ("GET", "/v2/account/activities?page_size=0", 422, "Expected `int` >= 1 - at `$.page_size`"),
        ("GET", "/v2/account/activities?until=noon", 422, "until must be a time in RFC 3339"),
        ("GET", "/v2/nothing", 404, "endpoint not found"),
        ("PUT", "/v2/orders", 405, "method not allowed"),
    ],
)
def test_a_request_that_leads_nowhere_is_told_so(
    shared_http: httpx2.Client,
    method: str,
    path: str,
    status: int,
    message: str,
) -> None:
    response = shared_http.request(method, path)
    assert (response.status_code, response.json()["message"]) == (status, message)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("busts", {"execution_id": "none"}, 404, "execution not found for none"),
        ("busts", {}, 422, "Object missing required field `execution_id`"),
        ("busts", {"execution_id": "none", "qty": "1"}, 422, "Object contains unknown field `qty`"),
        ("corrections", {"execution_id": "none", "qty": "1"}, 404, "execution not found for none"),
        ("corrections", {"execution_id": "none", "qty": "0"}, 422, "qty must be > 0"),
        ("corrections", {"execution_id": "none", "price": "NaN"}, 422, "price must be > 0"),
    ],
)
def test_a_bust_that_makes_no_sense_is_refused(
    shared_http: httpx2.Client, path: str, body: Json, status: int, message: str
) -> None:
    response = shared_http.post(f"/control/{path}", json=body)
    assert (response.status_code, response.json()["message"]) == (status, message)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22"])
def test_times_at_the_edge_of_the_calendar_are_times(shared_http: httpx2.Client, time: str) -> None:
    for path in ("/v2/orders", "/v2/account/activities"):
        assert shared_http.get(path, params={"after": time, "until": time}).status_code == 200


@pytest.mark.parametrize(
    ("symbol", "body", "status"),
    [
        ("NONE", {"price": "1"}, 404),
        ("AAPL", {"price": "0"}, 422),
        ("AAPL", {"price": "NaN"}, 422),
        ("AAPL", {"price": "1.001"}, 422),
        ("AAPL", {}, 422),
        ("AAPL", {"price": "1", "size": "1"}, 422),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(
    shared_http: httpx2.Client,
    symbol: str,
    body: Json,
    status: int,
) -> None:
    response = shared_http.put(f"/control/prices/{symbol}", json=body)
    assert response.status_code == status
    assert set(response.json()) == {"code", "message"}
