"""What goes wrong with requests, on a server that really listens."""

import socket
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from infrastructure.exchanges.paper.requests import BODY_SIZE_MAX
from tests.infrastructure.exchanges.paper.conftest import KEYS, client_of
from tests.infrastructure.exchanges.paper.faults.conftest import Arm
from tests.venue_server import VenueAddress, running_venue

Json = dict[str, Any]
Place = Callable[..., httpx2.Response]
Fired = Callable[[], list[int]]

BY_CLIENT_ORDER_ID = "/v2/orders:by_client_order_id"
ORDER = {
    "symbol": "AAPL", "side": "buy", "type": "limit", "limit_price": "150", "time_in_force": "day", "qty": "1",
}  # fmt: skip


def find(http: httpx2.Client, client_order_id: str) -> httpx2.Response:
    return http.get(BY_CLIENT_ORDER_ID, params={"client_order_id": client_order_id})


def connection_to(address: VenueAddress) -> socket.socket:
    host, port = address.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)))


REQUESTS = {
    "submit": ("POST", "/v2/orders"),
    "find": ("GET", "/v2/orders/some"),
    "find by name": ("GET", BY_CLIENT_ORDER_ID),
    "find all": ("GET", "/v2/orders"),
    "replace": ("PATCH", "/v2/orders/some"),
    "cancel": ("DELETE", "/v2/orders/some"),
    "cancel all": ("DELETE", "/v2/orders"),
    "fills": ("GET", "/v2/account/activities/FILL"),
    "fills too": ("GET", "/v2/account/activities"),
    "assets": ("GET", "/v2/assets"),
    "assets one": ("GET", "/v2/assets/BTC/USD"),
    "prices": ("GET", "/v2/stocks/trades/latest"),
    "prices of coins": ("GET", "/v1beta3/crypto/us/latest/trades"),
    "account": ("GET", "/v2/account"),
}


@pytest.mark.parametrize("on", ["submit", "find", "replace", "cancel", "fills", "assets", "prices", "any"])
def test_a_rule_befalls_the_requests_it_names(http: httpx2.Client, arm: Arm, on: str) -> None:
    arm({"on": on, "fault": "refuse", "status": 418})
    befallen = {name for name, request in REQUESTS.items() if http.request(*request).status_code == 418}
    assert befallen == {name for name in REQUESTS if on in {"any", name.split()[0]}}


def test_latency_comes_before_the_deed(http: httpx2.Client, arm: Arm) -> None:
    arm({"on": "submit", "fault": "latency", "seconds": 0.8})
    with pytest.raises(httpx2.ReadTimeout):
        http.post("/v2/orders", json=ORDER | {"client_order_id": "slow"}, timeout=httpx2.Timeout(0.1))
    assert find(http, "slow").status_code == 404
    while find(http, "slow").status_code == 404:  # it is on its way, whether anybody waits for it or not
        time.sleep(0.02)


@pytest.mark.parametrize("on", ["submit", "any"])
def test_an_order_is_accepted_and_never_answered(
    http: httpx2.Client, arm: Arm, place: Place, fired: Fired, on: str
) -> None:
    arm({"on": on, "fault": "accept_then_timeout", "seconds": 0.1, "times": 1})
    with pytest.raises(httpx2.RemoteProtocolError):
        place(client_order_id=f"accepted {on}")
    assert find(http, f"accepted {on}").json()["status"] == "new"
    assert fired() == [1]


def test_a_client_may_lose_patience_first(http: httpx2.Client, arm: Arm) -> None:
    arm({"on": "submit", "fault": "accept_then_timeout", "times": 1})
    with pytest.raises(httpx2.ReadTimeout):
        http.post("/v2/orders", json=ORDER | {"client_order_id": "left"}, timeout=httpx2.Timeout(0.1))
    assert find(http, "left").json()["status"] == "new"


@pytest.mark.parametrize(
    ("fault", "answer"), [("accept_then_timeout", b""), ("latency", b"HTTP/1.1 401 Unauthorized\r\n")]
)
def test_a_venue_that_stops_waits_for_no_fault(caplog: pytest.LogCaptureFixture, fault: str, answer: bytes) -> None:
    with running_venue() as address, client_of(address) as http:
        waiting = connection_to(address)
        http.put("/control/faults", json=[{"on": "any", "fault": fault, "seconds": 3_600}])
        waiting.sendall(b"GET /v2/account HTTP/1.1\r\nHost: venue\r\n\r\n")
        while http.get("/control/faults").json()[0]["fired"] == 0:
            time.sleep(0.01)
    with waiting, waiting.makefile("rb") as answered:
        assert answered.readline() == answer
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("match", [{}, {"symbol": "AAPL"}])
def test_a_connection_is_dropped_before_anything_is_done(
    http: httpx2.Client, arm: Arm, place: Place, match: Json
) -> None:
    arm({"on": "submit", "fault": "drop_before_accept", "times": 1, **match})
    with pytest.raises(httpx2.RemoteProtocolError):
        place(client_order_id="dropped")
    assert find(http, "dropped").status_code == 404
    assert place().status_code == 200


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("after_acting", [False, True])
def test_a_server_in_trouble_answers_before_or_after_the_deed(
    http: httpx2.Client, arm: Arm, place: Place, status: int, *, after_acting: bool
) -> None:
    arm({"on": "submit", "fault": "answer", "status": status, "after_acting": after_acting, "times": 1})
    name = f"answer {status} {after_acting}"
    response = place(client_order_id=name)
    assert response.status_code == status
    assert response.json() == {"code": status * 100_000, "message": "the venue is in trouble"}
    assert find(http, name).status_code == (200 if after_acting else 404)


@pytest.mark.parametrize(("status", "given", "told"), [(429, {}, "1"), (429, {"retry_after": 0}, "0"), (503, {}, None)])
def test_a_server_in_trouble_may_say_when_to_come_back(
    http: httpx2.Client, arm: Arm, status: int, given: Json, told: str | None
) -> None:
    arm({"on": "find", "fault": "answer", "status": status, **given})
    assert http.get("/v2/orders").headers.get("Retry-After") == told


def test_an_order_is_refused_at_once(http: httpx2.Client, arm: Arm, place: Place) -> None:
    refusal = {"code": 40310000, "message": "insufficient buying power"}
    arm({"on": "submit", "fault": "refuse", "status": 403, **refusal})
    response = place(client_order_id="refused")
    assert (response.status_code, response.json()) == (403, refusal)
    assert find(http, "refused").status_code == 404


def test_an_order_is_accepted_and_then_rejected(http: httpx2.Client, arm: Arm, place: Place) -> None:
    before = http.get("/v2/account").json()
    arm({"on": "submit", "fault": "reject", "reason": "halted", "times": 1})
    acknowledged = place(client_order_id="rejected").json()
    assert (acknowledged["status"], acknowledged["failed_at"]) == ("pending_new", None)
    order = find(http, "rejected").json()
    assert (order["status"], order["reject_reason"], order["failed_at"]) == (
        "rejected",
        "halted",
        acknowledged["submitted_at"],
    )
    assert http.delete(f"/v2/orders/{order['id']}").json()["message"] == 'order is already in "rejected" state'
    assert place(client_order_id="rejected").json()["message"] == "client_order_id must be unique"
    assert http.get("/v2/account").json() == before


def test_an_order_that_would_be_refused_is_not_rejected(http: httpx2.Client, arm: Arm, place: Place) -> None:
    arm({"on": "submit", "fault": "reject"})
    assert place(qty="0").json()["message"] == "qty must be > 0"
    assert http.post("/v2/orders", headers=dict.fromkeys(KEYS, ""), json=ORDER).status_code == 401


def test_an_order_is_there_and_unknown(http: httpx2.Client, arm: Arm, place: Place, fired: Fired) -> None:
    order_id = place(client_order_id="ghost").json()["id"]
    arm({"on": "find", "fault": "unknown_for", "times": 3})
    for _ in range(2):
        unknown = find(http, "ghost")
        assert (unknown.status_code, unknown.json()) == (
            404,
            {"code": 40410000, "message": "order not found for ghost"},
        )
        assert place(client_order_id="ghost").json()["message"] == "client_order_id must be unique"
    assert http.get(f"/v2/orders/{order_id}").status_code == 404
    assert find(http, "ghost").json()["id"] == order_id
    assert fired() == [3]


def test_an_order_is_unknown_while_it_is_young(http: httpx2.Client, arm: Arm, place: Place) -> None:
    arm({"on": "find", "fault": "unknown_for", "seconds": 3_600})
    place(client_order_id="young")
    assert find(http, "young").status_code == 404
    arm({"on": "find", "fault": "unknown_for", "seconds": 0})
    assert find(http, "young").json()["status"] == "new"


@pytest.mark.parametrize("on", ["submit", "any"])
def test_an_answer_is_half_a_json_text(http: httpx2.Client, arm: Arm, place: Place, on: str) -> None:
    arm({"on": on, "fault": "malformed", "times": 1})
    response = place(client_order_id=f"malformed {on}")
    assert (response.status_code, response.content) == (200, b'{"id": "61e6')
    assert find(http, f"malformed {on}").json()["status"] == "new"


def test_rules_for_a_symbol_see_it_in_every_kind_of_request(http: httpx2.Client, arm: Arm, place: Place) -> None:
    order = {"symbol": "MSFT", "client_order_id": "msft"}
    order_id = place(**order).json()["id"]
    other_id = place(client_order_id="aapl").json()["id"]
    arm({"on": "any", "symbol": "MSFT", "fault": "refuse", "status": 418})

    def statuses(*requests: tuple[str, str]) -> list[int]:
        return [http.request(*request).status_code for request in requests]

    assert place(**order).status_code == 418
    assert (
        statuses(
            ("GET", f"/v2/orders/{order_id}"),
            ("GET", f"{BY_CLIENT_ORDER_ID}?client_order_id=msft"),
            ("PATCH", f"/v2/orders/{order_id}"),
            ("DELETE", f"/v2/orders/{order_id}"),
            ("GET", f"/v2/account/activities/FILL?order_id={order_id}"),
            ("GET", "/v2/assets/MSFT"),
            ("GET", "/v2/stocks/trades/latest?symbols=SPY,MSFT"),
        )
        == [418] * 7
    )
    assert 418 not in statuses(
        ("GET", f"/v2/orders/{other_id}"),
        ("GET", f"{BY_CLIENT_ORDER_ID}?client_order_id=aapl"),
        ("GET", f"{BY_CLIENT_ORDER_ID}?client_order_id=none"),
        ("GET", "/v2/orders"),
        ("GET", "/v2/account/activities/FILL"),
        ("GET", "/v2/assets"),
        ("GET", "/v2/stocks/trades/latest?symbols=SPY"),
        ("GET", "/v2/account"),
        ("DELETE", f"/v2/orders/{other_id}"),
    )
    assert place().status_code == 200


def test_rules_for_an_order_follow_it(http: httpx2.Client, arm: Arm, place: Place) -> None:
    arm({"on": "any", "client_order_id": "chosen", "fault": "answer", "status": 503, "every": 2})
    order_id = place(client_order_id="chosen").json()["id"]
    assert place(client_order_id="another").status_code == 200
    assert find(http, "chosen").status_code == 503
    assert http.get(f"/v2/orders/{order_id}").status_code == 200
    assert http.delete(f"/v2/orders/{order_id}").status_code == 503


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 60_000, b'{"symbol": 5}'])
def test_a_body_that_makes_no_sense_is_about_nothing_in_particular(http: httpx2.Client, arm: Arm, body: bytes) -> None:
    arm(
        {"on": "submit", "fault": "refuse", "status": 418, "symbol": "AAPL"},
        {"on": "submit", "fault": "latency", "seconds": 0},
    )
    assert http.post("/v2/orders", content=body).status_code in {400, 422}


def test_a_body_in_pieces_reaches_the_venue_whole(http: httpx2.Client, arm: Arm) -> None:
    arm({"on": "submit", "fault": "latency", "seconds": 0.001})
    pieces = [
        b'{"symbol":"AAPL","side":"buy","type":"limit","limit',
        b'_price":"150","time_in_',
        b'force":"day","qty":"1"}',
    ]
    assert http.post("/v2/orders", content=iter(pieces)).json()["status"] == "pending_new"


def test_a_body_that_is_too_large_is_refused_as_ever(http: httpx2.Client, arm: Arm) -> None:
    arm({"on": "submit", "fault": "latency", "seconds": 0})
    assert http.post("/v2/orders", content=iter([b" " * BODY_SIZE_MAX] * 3)).status_code == 413


def test_a_client_may_leave_in_the_middle_of_its_request(
    shared_venue: VenueAddress, http: httpx2.Client, arm: Arm, fired: Fired
) -> None:
    arm({"on": "submit", "fault": "drop_before_accept"})
    with connection_to(shared_venue) as connection:
        connection.sendall(b"POST /v2/orders HTTP/1.1\r\nHost: venue\r\nContent-Length: 9\r\n\r\n{")
    while fired() == [0]:
        time.sleep(0.01)
    assert http.get("/healthz").status_code == 200


@pytest.mark.parametrize("on", ["stream", "any"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"fault": "answer", "status": 429, "retry_after": 3}, 429),
        ({"fault": "answer", "status": 503, "after_acting": True}, 503),
        ({"fault": "refuse", "status": 403}, 403),
    ],
)
def test_the_stream_does_not_open(shared_venue: VenueAddress, arm: Arm, on: str, fault: Json, status: int) -> None:
    arm({"on": on, **fault})
    with pytest.raises(InvalidStatus) as refused, connect(shared_venue.stream_url):
        pass
    assert refused.value.response.status_code == status
    assert refused.value.response.headers.get("Retry-After") == ("3" if status == 429 else None)


@pytest.mark.parametrize("fault", [{"fault": "drop_before_accept"}, {"fault": "accept_then_timeout", "seconds": 0.05}])
def test_the_stream_is_cut_before_it_opens(shared_venue: VenueAddress, arm: Arm, fault: Json) -> None:
    arm({"on": "stream", **fault}, {"on": "stream", "fault": "latency", "seconds": 0.05})
    with pytest.raises(InvalidMessage), connect(shared_venue.stream_url):
        pass
