"""What goes wrong with cancels and replacements, on a server that really listens."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from websockets.sync.client import ClientConnection

from tests.infrastructure.exchanges.paper.faults.conftest import Arm
from tests.infrastructure.exchanges.paper.test_stream import listening
from tests.venue_server import VenueAddress

Json = dict[str, Any]
Place = Callable[..., httpx2.Response]


@pytest.fixture
def stream(shared_venue: VenueAddress) -> Iterator[ClientConnection]:
    """A connection that hears every report."""
    with listening(shared_venue) as connection:
        yield connection


@pytest.fixture
def working(place: Place, stream: ClientConnection) -> Json:
    """An order that works, and whose acknowledgement was heard."""
    order: Json = place(limit_price="150").json()
    assert [report["event"] for report in hear(stream, 1)] == ["new"]
    return order


def hear(stream: ClientConnection, count: int) -> list[Json]:
    return [json.loads(stream.recv(timeout=5))["data"] for _ in range(count)]


def get(http: httpx2.Client, order_id: str) -> Json:
    order: Json = http.get(f"/v2/orders/{order_id}").json()
    return order


def named(http: httpx2.Client, client_order_id: str) -> httpx2.Response:
    return http.get("/v2/orders:by_client_order_id", params={"client_order_id": client_order_id})


def test_a_replacement_is_told_as_the_end_of_one_and_the_beginning_of_another(
    http: httpx2.Client, working: Json, stream: ClientConnection
) -> None:
    body = {"limit_price": "151", "client_order_id": f"{working['id']}-1"}
    new = http.patch(f"/v2/orders/{working['id']}", json=body).json()
    assert new["client_order_id"] == body["client_order_id"]
    replaced, entered = hear(stream, 2)
    assert (replaced["event"], replaced["order"]["id"], replaced["order"]["replaced_by"]) == (
        "replaced", working["id"], new["id"],
    )  # fmt: skip
    assert (entered["event"], entered["order"]["id"], entered["order"]["replaces"]) == (
        "new", new["id"], working["id"],
    )  # fmt: skip
    again = http.patch(f"/v2/orders/{working['id']}", json=body)
    assert (again.status_code, again.json()) == (422, {"code": 40010001, "message": "client_order_id must be unique"})
    other = http.patch(f"/v2/orders/{working['id']}", json={"limit_price": "152"})
    assert (other.status_code, other.json()["message"]) == (422, "order already replaced")


def test_a_replacement_is_made_and_never_answered(http: httpx2.Client, working: Json, arm: Arm) -> None:
    arm({"on": "replace", "fault": "accept_then_timeout", "seconds": 0.05})
    name = f"{working['id']}-1"
    with pytest.raises(httpx2.RemoteProtocolError):
        http.patch(f"/v2/orders/{working['id']}", json={"limit_price": "151", "client_order_id": name})
    assert get(http, working["id"])["replaced_by"] == named(http, name).json()["id"]


def test_a_replacement_is_dropped_before_anything_is_done(http: httpx2.Client, working: Json, arm: Arm) -> None:
    arm({"on": "replace", "fault": "drop_before_accept"})
    with pytest.raises(httpx2.RemoteProtocolError):
        http.patch(f"/v2/orders/{working['id']}", json={"limit_price": "151"})
    assert get(http, working["id"])["status"] == "new"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"fault": "answer", "status": 504, "after_acting": True}, (504, "replaced")),
        ({"fault": "answer", "status": 503}, (503, "new")),
        ({"fault": "answer", "status": 429}, (429, "new")),
        ({"fault": "refuse", "message": "no"}, (422, "new")),
    ],
)
def test_a_replacement_meets_a_server_in_trouble(
    http: httpx2.Client, working: Json, arm: Arm, fault: Json, outcome: tuple[int, str]
) -> None:
    arm({"on": "replace", **fault})
    response = http.patch(f"/v2/orders/{working['id']}", json={"limit_price": "151"})
    assert (response.status_code, get(http, working["id"])["status"]) == outcome


def test_a_replacement_is_refused_later(http: httpx2.Client, working: Json, arm: Arm, stream: ClientConnection) -> None:
    arm({"on": "replace", "fault": "refuse_later", "reason": "too late", "times": 1})
    body = {"limit_price": "151", "client_order_id": f"{working['id']}-1"}
    response = http.patch(f"/v2/orders/{working['id']}", json=body)
    answer = response.json()
    assert (response.status_code, answer["status"], answer["limit_price"]) == (200, "pending_new", "151")
    assert (answer["failed_at"], "reject_reason" in answer) == (None, False)
    (report,) = hear(stream, 1)
    assert (report["event"], report["reason"]) == ("order_replace_rejected", "too late")
    assert report["order"] == get(http, working["id"]) == {**working, "status": "new"}
    refused = named(http, body["client_order_id"]).json()
    assert (refused["id"], refused["status"], refused["reject_reason"]) == (answer["id"], "rejected", "too late")
    assert http.patch(f"/v2/orders/{working['id']}", json={"limit_price": "151"}).status_code == 200


def test_a_cancel_is_refused_later(http: httpx2.Client, working: Json, arm: Arm, stream: ClientConnection) -> None:
    arm({"on": "cancel", "fault": "refuse_later", "times": 1})
    response = http.delete(f"/v2/orders/{working['id']}")
    assert (response.status_code, response.content) == (204, b"")
    (report,) = hear(stream, 1)
    assert (report["event"], report["reason"]) == ("order_cancel_rejected", "TOO_LATE_TO_CANCEL")
    assert report["order"] == get(http, working["id"]) == {**working, "status": "new"}
    assert http.delete(f"/v2/orders/{working['id']}").status_code == 204
    assert get(http, working["id"])["status"] == "canceled"


def test_a_cancel_is_answered_and_ignored(
    http: httpx2.Client, working: Json, arm: Arm, stream: ClientConnection
) -> None:
    arm({"on": "cancel", "fault": "ignore", "times": 2})
    assert http.delete(f"/v2/orders/{working['id']}").status_code == 204
    assert get(http, working["id"]) == {**working, "status": "new"}
    assert http.delete("/v2/orders/none").status_code == 404
    assert http.delete(f"/v2/orders/{working['id']}").status_code == 204
    # Its end is the first thing that the stream tells.
    assert [report["event"] for report in hear(stream, 1)] == ["canceled"]


def test_every_cancel_of_many_is_ignored(http: httpx2.Client, working: Json, arm: Arm) -> None:
    arm({"on": "cancel", "fault": "ignore"})
    entries = {entry["id"]: entry for entry in http.delete("/v2/orders").json()}
    assert entries[working["id"]]["body"]["status"] == "new"


def test_a_replacement_leaves_two_live_orders(
    http: httpx2.Client, working: Json, arm: Arm, stream: ClientConnection
) -> None:
    arm({"on": "replace", "fault": "keep_predecessor"})
    new = http.patch(f"/v2/orders/{working['id']}", json={"limit_price": "151"}).json()
    (report,) = hear(stream, 1)
    assert (report["event"], report["order"]["id"], report["order"]["replaces"]) == ("new", new["id"], working["id"])
    old = get(http, working["id"])
    assert (old["status"], old["replaced_by"]) == ("new", None)
    assert get(http, new["id"])["status"] == "new"
    assert {working["id"], new["id"]} <= {order["id"] for order in http.get("/v2/orders").json()}


def test_what_would_be_refused_is_refused_whatever_the_rule(http: httpx2.Client, working: Json, arm: Arm) -> None:
    for fault in ("refuse_later", "keep_predecessor"):
        arm({"on": "replace", "fault": fault})
        response = http.patch(f"/v2/orders/{working['id']}", json={"stop_price": "1"})
        assert (response.status_code, response.json()["message"]) == (422, "limit orders require no stop price")
        assert http.patch("/v2/orders/none", json={"limit_price": "1"}).status_code == 404
