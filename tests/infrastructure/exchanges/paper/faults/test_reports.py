"""What goes wrong with reports, on a stream that really flows."""

import json
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from tests.infrastructure.exchanges.paper.faults.conftest import Arm
from tests.infrastructure.exchanges.paper.test_stream import listening
from tests.venue_server import VenueAddress

Place = Callable[..., httpx2.Response]


@pytest.fixture
def stream(shared_venue: VenueAddress) -> Iterator[ClientConnection]:
    """A connection that hears every report."""
    with listening(shared_venue) as connection:
        yield connection


def hear(stream: ClientConnection, count: int) -> list[str]:
    """The next reports, as `new mine`."""
    frames = [stream.recv(timeout=5) for _ in range(count)]
    reports = [json.loads(frame)["data"] for frame in frames]
    return [f"{report['event']} {report['order']['client_order_id']}" for report in reports]


def is_silent(stream: ClientConnection) -> bool:
    try:
        stream.recv(timeout=0.05)
    except TimeoutError:
        return True
    return False


def trade(place: Place, name: str, symbol: str = "AAPL") -> None:
    """Make the exchange report `new` and `fill`."""
    assert place(symbol=symbol, type="market", limit_price=None, client_order_id=name).status_code == 200


def test_reports_are_duplicated(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "duplicate_reports"})
    trade(place, "twice")
    assert hear(stream, 4) == ["new twice", "new twice", "fill twice", "fill twice"]


def test_a_report_is_lost_and_the_activities_tell_the_truth(
    http: httpx2.Client, stream: ClientConnection, arm: Arm, place: Place
) -> None:
    arm({"on": "stream", "fault": "drop_reports", "client_order_id": "lost"})
    trade(place, "lost")
    trade(place, "heard")
    assert hear(stream, 2) == ["new heard", "fill heard"]
    order = http.get("/v2/orders:by_client_order_id", params={"client_order_id": "lost"}).json()
    assert order["status"] == "filled"
    assert order["id"] in {fill["order_id"] for fill in http.get("/v2/account/activities/FILL").json()}


def test_a_report_is_half_a_json_text(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "malformed", "symbol": "MSFT", "times": 1})
    trade(place, "heard too")
    trade(place, "half", "MSFT")
    assert hear(stream, 2) == ["new heard too", "fill heard too"]
    assert stream.recv(timeout=5) == b'{"stream":"trade_updates","data":{"event":"fi'
    assert hear(stream, 1) == ["fill half"]


def test_reports_are_late_and_none_overtakes(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "delay_reports", "symbol": "MSFT", "seconds": [0.5, 0.6]})
    trade(place, "late", "MSFT")
    trade(place, "behind")
    assert is_silent(stream)
    assert hear(stream, 4) == ["new late", "fill late", "new behind", "fill behind"]
    trade(place, "at once")
    assert hear(stream, 2) == ["new at once", "fill at once"]


def test_reports_change_places(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "reorder_reports", "times": 1})
    trade(place, "turned")
    trade(place, "straight")
    assert hear(stream, 4) == ["fill turned", "new turned", "new straight", "fill straight"]


def test_reports_change_places_in_pairs(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "reorder_reports"})
    trade(place, "one")
    trade(place, "two")
    assert hear(stream, 4) == ["fill one", "new one", "fill two", "new two"]


def test_a_report_that_none_follows_is_sent_in_the_end(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "reorder_reports", "seconds": 0.5, "times": 1})
    place(client_order_id="alone")
    assert is_silent(stream)
    assert hear(stream, 1) == ["new alone"]
    trade(place, "afterwards")
    assert hear(stream, 2) == ["new afterwards", "fill afterwards"]


def test_late_reports_change_places_too(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm(
        {"on": "stream", "fault": "delay_reports", "seconds": 0.5},
        {"on": "stream", "fault": "reorder_reports", "times": 1},
    )
    trade(place, "late and turned")
    assert is_silent(stream)
    assert hear(stream, 2) == ["fill late and turned", "new late and turned"]


def test_the_stream_is_cut_without_a_goodbye(
    shared_venue: VenueAddress, stream: ClientConnection, arm: Arm, place: Place
) -> None:
    arm({"on": "stream", "fault": "cut_stream", "times": 1})
    with listening(shared_venue) as other:
        trade(place, "unheard")
        for connection in (stream, other):
            with pytest.raises(ConnectionClosedError) as cut:
                connection.recv(timeout=5)
            assert cut.value.rcvd is None
    with listening(shared_venue) as again:
        trade(place, "heard again")
        assert hear(again, 2) == ["new heard again", "fill heard again"]


def test_an_order_is_rejected_on_the_stream(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "submit", "fault": "reject", "reason": "halted"})
    place(client_order_id="rejected")
    assert hear(stream, 1) == ["new rejected"]
    report = json.loads(stream.recv(timeout=5))["data"]
    assert (report["event"], report["order"]["status"], report["order"]["reject_reason"]) == (
        "rejected",
        "rejected",
        "halted",
    )


def test_a_stream_opens_late(shared_venue: VenueAddress, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "latency", "seconds": 0.1})
    before = time.monotonic()
    with listening(shared_venue) as late:
        assert time.monotonic() - before >= 0.1
        trade(place, "in time")
        assert hear(late, 2) == ["new in time", "fill in time"]


def test_a_bust_is_told_before_the_fill_it_takes_back(
    http: httpx2.Client, stream: ClientConnection, arm: Arm, place: Place
) -> None:
    arm({"on": "stream", "fault": "reorder_reports", "event": "fill", "seconds": 60, "times": 1})
    trade(place, "busted early")
    assert hear(stream, 1) == ["new busted early"]
    fill = http.get("/v2/account/activities/FILL", params={"page_size": "1"}).json()[0]
    execution_id = fill["id"].partition("::")[2]
    assert http.post("/control/busts", json={"execution_id": execution_id}).status_code == 200
    bust, late = (json.loads(stream.recv(timeout=5))["data"] for _ in range(2))
    assert (bust["event"], bust["previous_execution_id"]) == ("trade_bust", execution_id)
    assert (late["event"], late["execution_id"]) == ("fill", execution_id)
    # A market order that lacks something again takes it at once.
    assert hear(stream, 1) == ["fill busted early"]


def test_only_reports_of_one_event_are_lost(stream: ClientConnection, arm: Arm, place: Place) -> None:
    arm({"on": "stream", "fault": "drop_reports", "event": "fill"})
    trade(place, "never filled")
    place(client_order_id="next")
    assert hear(stream, 2) == ["new never filled", "new next"]
