"""The venue as a process: it starts, says so, survives a kill and ends when it is told to."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from infrastructure.exchanges.paper.server import bind, parse_commission, random_id, system_clock, url_of
from tests.infrastructure.exchanges.paper.conftest import client_of
from tests.venue_server import ROOT, VenueProcess, running_venue, venue_process

ORDER = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "gtc", "qty": "1500"}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.ndjson"


@pytest.fixture
def process(journal: Path) -> Iterator[VenueProcess]:
    with venue_process("--port", "0", "--journal", str(journal), "--commission-per-share", "0.01") as process:
        yield process


def test_nothing_is_lost_when_the_venue_is_killed(process: VenueProcess, journal: Path) -> None:
    paths = ("/v2/orders?status=all", "/v2/account", "/v2/positions", "/v2/account/activities/FILL")
    with client_of(process.address) as http:
        for number in range(20):
            fields = {"client_order_id": f"o{number}"} | ({"type": "limit", "limit_price": "185"} if number % 2 else {})
            assert http.post("/v2/orders", json=ORDER | fields).status_code == 200
        before = [http.get(path).json() for path in paths]
        process.kill()
    with (
        venue_process("--journal", str(journal), "--commission-per-share", "0.01") as again,
        client_of(again.address) as http,
    ):
        assert [http.get(path).json() for path in paths] == before
        taken = http.post("/v2/orders", json=ORDER | {"client_order_id": "o1"})
        assert taken.json()["message"] == "client_order_id must be unique"


def test_pairs_busts_and_mishaps_are_as_before_when_the_venue_is_killed(process: VenueProcess, journal: Path) -> None:
    paths = (
        "/v2/orders?status=all",
        "/v2/orders?status=open&nested=true",
        "/v2/account",
        "/v2/positions",
        "/v2/account/activities/FILL",
    )
    limit = {"type": "limit", "limit_price": "190", "qty": "10"}
    pair = ORDER | limit | {"side": "sell", "order_class": "oco", "stop_loss": {"stop_price": "185"}}
    with client_of(process.address) as http:
        mains = [http.post("/v2/orders", json=pair | {"client_order_id": f"pair{n}"}).json() for n in range(2)]
        assert http.post("/v2/orders", json=ORDER | limit | {"qty": "4"}).status_code == 200
        newest, oldest = http.get("/v2/account/activities/FILL").json()
        assert http.post("/control/busts", json={"execution_id": newest["id"].partition("::")[2]}).status_code == 200
        body = {"execution_id": oldest["id"].partition("::")[2], "price": "190.5"}
        correction = http.post("/control/corrections", json=body).json()
        for on, fault in (("replace", "keep_predecessor"), ("replace", "refuse_later"), ("cancel", "refuse_later")):
            http.put("/control/faults", json=[{"on": on, "fault": fault}])
            leg = f"/v2/orders/{mains[1]['legs'][0]['id']}"
            answer = http.delete(leg) if on == "cancel" else http.patch(leg, json={"stop_price": "186"})
            assert answer.status_code in {200, 204}
        before = [http.get(path).json() for path in paths]
        process.kill()
    with (
        venue_process("--journal", str(journal), "--commission-per-share", "0.01") as again,
        client_of(again.address) as http,
    ):
        assert [http.get(path).json() for path in paths] == before
        assert http.get("/control/faults").json() == []
        assert http.put("/control/prices/AAPL", json={"price": "185"}).status_code == 200
        sold = [order for order in http.get("/v2/orders?status=all&side=sell").json() if order["type"] == "stop"]
        assert sorted((order["status"], order["qty"]) for order in sold) == [
            ("filled", "10"),  # the leg of the second pair, which had taken the place of ...
            ("filled", "10"),  # ... its predecessor, which had stayed
            ("filled", "2"),  # the leg of the first pair: the busted buyer came back and bought once more
            ("rejected", "10"),
        ]
        assert http.post("/control/busts", json={"execution_id": correction["execution_id"]}).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_an_open_stream(process: VenueProcess, number: signal.Signals) -> None:
    with connect(process.address.stream_url):
        assert process.stop(number) == 0


def test_a_journal_has_one_venue(process: VenueProcess, journal: Path) -> None:
    assert process.process.poll() is None
    second = run_module("--journal", str(journal))
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == f"another venue writes to {journal}\n"


def test_a_damaged_journal_is_not_traded_on(journal: Path) -> None:
    journal.write_text("nonsense\n")
    answer = run_module("--journal", str(journal))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"line 1 of {journal}")


def test_a_port_that_is_taken_is_an_error() -> None:
    with bind("127.0.0.1", 0) as taken:
        answer = run_module("--port", str(taken.getsockname()[1]))
    assert answer.returncode == 1
    assert "Address already in use" in answer.stderr


def test_a_wrong_commission_is_misuse() -> None:
    answer = run_module("--commission-per-share", "much")
    assert answer.returncode == 2
    assert "--commission-per-share" in answer.stderr


def test_it_listens_on_an_open_socket() -> None:
    with (
        bind("127.0.0.1", 0) as sock,
        venue_process("--fd", str(sock.fileno()), pass_fds=(sock.fileno(),)) as process,
    ):
        assert process.address.url == url_of(sock)
        with client_of(process.address) as http:
            assert http.get("/healthz").status_code == 200


def test_faults_are_there_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"on": "find", "fault": "answer", "status": 503, "times": 1}]')
    with venue_process("--faults", str(tmp_path / "faults.json")) as process, client_of(process.address) as http:
        assert [http.get("/v2/orders").status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (None, "No such file or directory"),
        ('[{"on": "submit", "fault": "fire"}]', "rule 1: 'fire' is none of latency,"),
    ],
)
def test_faults_that_cannot_be_read_are_misuse(tmp_path: Path, rules: str | None, problem: str) -> None:
    if rules is not None:
        (tmp_path / "faults.json").write_text(rules)
    answer = run_module("--faults", str(tmp_path / "faults.json"))
    assert answer.returncode == 2
    assert problem in answer.stderr


def test_a_restart_in_the_middle_of_a_disaster_loses_no_order(process: VenueProcess, journal: Path) -> None:
    with client_of(process.address) as http:
        http.put("/control/faults", json=[{"on": "submit", "fault": "accept_then_timeout", "times": 1}])
        with pytest.raises(httpx2.ReadTimeout):
            http.post("/v2/orders", json=ORDER | {"client_order_id": "mine"}, timeout=httpx2.Timeout(0.5))
        http.put("/control/faults", json=[{"on": "submit", "fault": "reject", "reason": "halted"}])
        http.post("/v2/orders", json=ORDER | {"client_order_id": "unwanted"})
        process.kill()
    with venue_process("--journal", str(journal)) as again, client_of(again.address) as http:
        assert http.get("/control/faults").json() == []
        orders = {order["client_order_id"]: order for order in http.get("/v2/orders?status=all").json()}
        assert {name: order["status"] for name, order in orders.items()} == {"mine": "filled", "unwanted": "rejected"}
        assert orders["unwanted"]["reject_reason"] == "halted"


def run_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infrastructure.exchanges.paper", *arguments]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("text", "amount"), [("0", 0), ("0.005", Decimal("0.005")), ("1000", 1000)])
def test_a_commission_is_an_amount(text: str, amount: Decimal) -> None:
    assert parse_commission(text) == amount


@pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "much", "1000.01", "0.0000000001", ""])
def test_anything_else_is_no_commission(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of dollars between 0 and 1000"):
        parse_commission(text)


def test_an_address_of_the_new_kind_is_written_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with bind("::1", 0) as sock:
        assert url_of(sock) == f"http://[::1]:{sock.getsockname()[1]}"


def test_time_is_in_utc_and_ids_do_not_repeat() -> None:
    assert system_clock().tzinfo is UTC
    assert random_id() != random_id()


def test_day_orders_expire_at_midnight_while_the_venue_runs(journal: Path) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    with (
        running_venue(journal, clock=lambda: midnight - timedelta(hours=1)) as address,
        client_of(address) as http,
    ):
        order = ORDER | {"type": "limit", "limit_price": "185", "time_in_force": "day"}
        path = "/v2/orders/" + http.post("/v2/orders", json=order).json()["id"]
    start = system_clock()
    with (
        running_venue(journal, clock=lambda: midnight - timedelta(seconds=1) + (system_clock() - start)) as address,
        client_of(address) as http,
    ):
        while http.get(path).json()["status"] != "expired":
            time.sleep(0.05)
        assert datetime.fromisoformat(http.get(path).json()["expired_at"]) >= midnight
