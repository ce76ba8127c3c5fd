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
        "order_class": st.sampled_from(["oco", "simple", "bracket"]) | VALUES,
        "take_profit": st.fixed_dictionaries({"limit_price": NUMBERS | VALUES}) | VALUES,
        "stop_loss": st.fixed_dictionaries({"stop_price": NUMBERS | VALUES}) | VALUES,
    },
)
PAIRS = st.fixed_dictionaries(
    {
        "symbol": st.just("AAPL"),
        "side": st.sampled_from(["buy", "sell"]),
        "type": st.just("limit"),
        "time_in_force": st.sampled_from(["day", "gtc"]),
        "qty": NUMBERS,
        "order_class": st.just("oco"),
        "take_profit": st.fixed_dictionaries({"limit_price": NUMBERS}),
        "stop_loss": st.fixed_dictionaries({"stop_price": NUMBERS | VALUES}, optional={"limit_price": NUMBERS}),
    },
    optional={"limit_price": NUMBERS},
)
REVISIONS = st.fixed_dictionaries({"execution_id": VALUES}, optional={"qty": NUMBERS | VALUES, "price": NUMBERS})
BODIES = st.binary() | (ORDERS | PAIRS | REVISIONS | VALUES).map(msgspec.json.encode)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        [
            "status",
            "limit",
            "after",
            "until",
            "direction",
            "symbols",
            "side",
            "page_size",
            "page_token",
            "nested",
            "order_id",
        ]
    ),
    st.sampled_from(["open", "all", "5", "desc", "asc", "AAPL", "2026-01-01", "9999-12-31T23:59:59-14:00", "true"])
    | st.text(),
)
LIMITS = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def assert_answered(response: httpx2.Response) -> None:
    assert response.status_code < 500, response.text
    content: Any = response.json()
    if response.status_code >= 400:
        assert {"code", "message"} <= set(content)


@LIMITS
@given(
    st.sampled_from(
        [
            ("POST", "/v2/orders"),
            ("PATCH", "/v2/orders/some"),
            ("PUT", "/control/prices/AAPL"),
            ("POST", "/control/busts"),
            ("POST", "/control/corrections"),
        ]
    ),
    BODIES,
)
def test_every_body_is_answered(http: httpx2.Client, request_line: tuple[str, str], body: bytes) -> None:
    assert_answered(http.request(*request_line, content=body))


@LIMITS
@given(st.sampled_from(["/v2/orders", "/v2/account/activities", "/v2/stocks/trades/latest"]), PARAMETERS)
def test_every_query_is_answered(http: httpx2.Client, path: str, parameters: dict[str, str]) -> None:
    assert_answered(http.get(path, params=parameters))
