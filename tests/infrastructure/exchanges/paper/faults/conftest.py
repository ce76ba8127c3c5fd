"""One venue for the tests of a file, whose faults are cleared after each of them."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

Json = dict[str, Any]
Arm = Callable[..., None]


@pytest.fixture
def http(shared_http: httpx2.Client) -> Iterator[httpx2.Client]:
    """A client with keys; whatever the test armed is disarmed in the end."""
    yield shared_http
    assert shared_http.delete("/control/faults").status_code == 204


@pytest.fixture
def arm(http: httpx2.Client) -> Arm:
    """Puts rules in force while the venue runs."""

    def put(*rules: Json) -> None:
        response = http.put("/control/faults", json=rules)
        assert response.status_code == 200, response.text

    return put


@pytest.fixture
def fired(http: httpx2.Client) -> Callable[[], list[int]]:
    """Tells how often each rule has fired."""
    return lambda: [rule["fired"] for rule in http.get("/control/faults").json()]


@pytest.fixture
def place(http: httpx2.Client) -> Callable[..., httpx2.Response]:
    """Places a limit order that rests, or whatever the fields make of it."""

    def post(**fields: object) -> httpx2.Response:
        order = {"symbol": "AAPL", "side": "buy", "type": "limit", "limit_price": "150", "time_in_force": "day"}
        return http.post("/v2/orders", json={**order, "qty": "1", **fields})

    return post
