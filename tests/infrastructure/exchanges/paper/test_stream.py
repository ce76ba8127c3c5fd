"""The trade updates over a WebSocket, on a server that really listens."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from tests.infrastructure.exchanges.paper.conftest import client_of
from tests.venue_server import VenueAddress, running_venue

Json = dict[str, Any]

AUTH = {"action": "auth", "key": "any", "secret": "thing"}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}
ORDER = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "10"}


def ask(stream: ClientConnection, message: Json) -> Json:
    stream.send(json.dumps(message))
    return receive(stream)


def receive(stream: ClientConnection) -> Json:
    frame = stream.recv(timeout=5)
    assert isinstance(frame, bytes), "Alpaca sends binary frames"
    message: Json = json.loads(frame)
    return message


@contextmanager
def listening(address: VenueAddress) -> Iterator[ClientConnection]:
    with connect(address.stream_url) as stream:
        ask(stream, AUTH)
        ask(stream, LISTEN)
        yield stream


@pytest.mark.parametrize(
    "login",
    [AUTH, {"action": "authenticate", "data": {"key_id": "any", "secret_key": "thing"}}],
)
def test_any_key_is_authorized(shared_venue: VenueAddress, login: Json) -> None:
    with connect(shared_venue.stream_url) as stream:
        assert ask(stream, login) == {
            "stream": "authorization",
            "data": {"status": "authorized", "action": "authenticate"},
        }
        assert ask(stream, LISTEN) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}


def test_no_key_is_not_authorized(shared_venue: VenueAddress) -> None:
    with connect(shared_venue.stream_url) as stream:
        for action, message in (("authenticate", {"action": "auth", "key": "any"}), ("listen", LISTEN)):
            assert ask(stream, message) == {
                "stream": "authorization",
                "data": {"status": "unauthorized", "action": action},
            }


def test_streams_that_do_not_exist_are_left_out_of_the_acknowledgement(shared_venue: VenueAddress) -> None:
    with connect(shared_venue.stream_url) as stream:
        ask(stream, AUTH)
        assert ask(stream, {"action": "listen", "data": {"streams": ["weather"]}})["data"] == {"streams": []}


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b"\xff", b"[" * 60_000, b'{"action": 5}'])
def test_what_is_no_message_is_answered_and_the_connection_stays(shared_venue: VenueAddress, message: bytes) -> None:
    with connect(shared_venue.stream_url) as stream:
        stream.send(message)
        assert receive(stream) == {"stream": "error", "data": {"error": "invalid message"}}
        assert ask(stream, {"action": "dance"}) == {"stream": "error", "data": {"error": "unknown action"}}
        assert ask(stream, AUTH)["data"]["status"] == "authorized"


def test_every_update_arrives_in_order(paper_venue: VenueAddress, http: httpx2.Client) -> None:
    with listening(paper_venue) as stream:
        http.post("/v2/orders", json=ORDER | {"qty": "1500"})
        order_id = http.post("/v2/orders", json=ORDER | {"type": "limit", "limit_price": "185"}).json()["id"]
        new_id = http.patch(f"/v2/orders/{order_id}", json={"limit_price": "186"}).json()["id"]
        http.delete(f"/v2/orders/{new_id}")
        updates = [receive(stream)["data"] for _ in range(7)]
        events = ["new", "partial_fill", "fill", "new", "replaced", "new", "canceled"]
        assert [update["event"] for update in updates] == events
        assert [update["order"]["id"] for update in updates[3:]] == [order_id, order_id, new_id, new_id]
        assert updates[4]["order"]["replaced_by"] == new_id
        fills = http.get("/v2/account/activities/FILL").json()
        assert [fill["id"].partition("::")[2] for fill in reversed(fills)] == [
            updates[1]["execution_id"],
            updates[2]["execution_id"],
        ]


def test_a_client_hears_nothing_before_it_listens_and_after_it_stops(
    paper_venue: VenueAddress,
    http: httpx2.Client,
) -> None:
    with connect(paper_venue.stream_url) as stream:
        ask(stream, AUTH)
        http.post("/v2/orders", json=ORDER)
        assert ask(stream, LISTEN)["stream"] == "listening"
        http.post("/v2/orders", json=ORDER)
        assert [receive(stream)["data"]["event"] for _ in range(2)] == ["new", "fill"]
        assert ask(stream, {"action": "listen", "data": {"streams": []}})["data"] == {"streams": []}
        http.post("/v2/orders", json=ORDER)
        assert ask(stream, {"action": "dance"})["stream"] == "error"


def test_several_clients_hear_the_same(paper_venue: VenueAddress, http: httpx2.Client) -> None:
    with listening(paper_venue) as one, listening(paper_venue) as other:
        http.post("/v2/orders", json=ORDER)
        assert [receive(one), receive(one)] == [receive(other), receive(other)]


def test_a_client_that_leaves_is_forgotten(paper_venue: VenueAddress, http: httpx2.Client) -> None:
    with listening(paper_venue):
        """And out again."""
    with listening(paper_venue) as stream:
        http.post("/v2/orders", json=ORDER)
        assert receive(stream)["data"]["event"] == "new"


def slow_connection(address: VenueAddress) -> socket.socket:
    """A TCP connection that takes in very little unless it is read."""
    host, port = address.url.removeprefix("http://").split(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((host, int(port)))
    return sock


def test_a_reader_that_is_too_slow_is_cut_off_and_never_holds_up_the_exchange() -> None:
    orders = 100
    with (
        running_venue(narrow=True) as address,
        client_of(address) as http,
        connect(address.stream_url, sock=slow_connection(address), max_queue=1) as slow,
        listening(address) as quick,
    ):
        ask(slow, AUTH)
        ask(slow, LISTEN)
        for _ in range(orders):
            # Six updates each, more than all buffers on the way to the slow client can take in the end.
            assert http.post("/v2/orders", json=ORDER | {"qty": "15000"}).status_code == 200
            assert [receive(quick)["stream"] for _ in range(6)] == ["trade_updates"] * 6
        taken: list[str | bytes] = []
        with pytest.raises(ConnectionClosedError):
            taken.extend(slow)
        assert len(taken) < orders * 6
