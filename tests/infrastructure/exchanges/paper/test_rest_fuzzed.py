"""Whatever is sent to the venue, it answers, and never with an error of its own."""

from typing import Any

import httpx2
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NUMBERS = st.sampled_from(
    ["1", "0", "-1", "0.000000001", "190.01", "1e12", "1e400", "NaN", "-Infinity", "1_0", "", "x"]
)
VALUES = st.recursive(
    NUMBERS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.sampled_from(["AAPL", "BTC/USD", "BTCUSD", "NONE"]) | VALUES,
        "side": st.sampled_from(["buy", "sell"]) | VALUES,
        "type": st.sampled_from(["market", "limit", "stop", "stop_limit"]) | VALUES,
        "time_in_force": st.sampled_from(["day", "gtc", "ioc", "fok", "opg"]) | VALUES,
        "qty": NUMBERS | VALUES,
        "limit_price": NUMBERS | VALUES,
        "stop_price": NUMBERS | VALUES,
        "client_order_id": st.text() | VALUES,
        "legs": VALUES,
    },
)
BODIES = st.binary() | (ORDERS | VALUES).map(msgspec.json.encode)
PARAMETERS = st.dictionaries(
    st.sampled_from(["status", "limit", "after", "until", "direction", "symbols", "side", "page_size", "page_token"]),
    st.sampled_from(["open", "all", "5", "desc", "asc", "AAPL", "2026-01-01", "9999-12-31T23:59:59-14:00"]) | st.text(),
)
LIMITS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_answered(response: httpx2.Response) -> None:
    assert response.status_code < 500, response.text
    content: Any = response.json()
    if response.status_code >= 400:
        assert {"code", "message"} <= set(content)


@LIMITS
@given(st.sampled_from(["POST", "PATCH", "PUT"]), BODIES)
def test_every_body_is_answered(http: httpx2.Client, method: str, body: bytes) -> None:
    path = {"POST": "/v2/orders", "PATCH": "/v2/orders/some", "PUT": "/control/prices/AAPL"}[method]
    assert_answered(http.request(method, path, content=body))


@LIMITS
@given(st.sampled_from(["/v2/orders", "/v2/account/activities", "/v2/stocks/trades/latest"]), PARAMETERS)
def test_every_query_is_answered(http: httpx2.Client, path: str, parameters: dict[str, str]) -> None:
    assert_answered(http.get(path, params=parameters))
