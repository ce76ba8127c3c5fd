"""The whole engine, as `orderlog serve` runs it: real processes, real servers, the paper venue."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis
from websockets.sync.client import connect

from tests.engine_process import RunningEngine, place, running_engine, wait_for_order
from tests.infrastructure.embedded.traces import processes, traces
from tests.plain_http import PLAIN
from tests.venue_server import running_venue

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "MARKET"}
FAR_AWAY = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "LIMIT", "price": "50.00"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with running_engine(tmp_path_factory.mktemp("engine") / "home") as engine:
        engine.fund("alice")
        yield engine


@pytest.fixture
def alice(engine: RunningEngine) -> Iterator[httpx2.Client]:
    with engine.client("alice") as client:
        yield client


def process_of(engine: RunningEngine, *words: str) -> int:
    """The child of the engine whose command line has these words."""
    children = subprocess.run(
        ["/usr/bin/env", "pgrep", "-P", str(engine.process.pid)], capture_output=True, text=True, check=True
    )
    for child in map(int, children.stdout.split()):
        command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        if all(word in command for word in words):
            return child
    raise AssertionError(f"no process {words}")


def test_a_market_order_is_placed_filled_and_replayed(engine: RunningEngine, alice: httpx2.Client) -> None:
    before = alice.get("/api/v1/account").json()
    order = place(alice, MARKET)
    assert order["status"] == "PENDING"
    filled = wait_for_order(alice, order["id"], "FILLED")
    assert (filled["filled_quantity"], filled["leaves_quantity"]) == ("10", "0")
    cost = sum(Decimal(fill["quantity_filled"]) * Decimal(fill["price_at_fill"]) for fill in filled["fills"])
    page = alice.get("/api/v1/orders", params={"min_position": filled["position"]}).json()
    assert page["orders"][0] == filled
    after = alice.get("/api/v1/account").json()
    assert Decimal(before["cash"]) - Decimal(after["cash"]) == cost
    assert after["reserved"] == before["reserved"]
    with engine.client("auditor", "auditor") as auditor:
        answer = auditor.get("/api/v1/events", params={"order_id": order["id"]})
        assert [event["type"] for event in answer.json()["events"]][:2] == ["OrderPlaced", "OrderSent"]


def test_a_resting_order_is_cancelled_at_the_venue(alice: httpx2.Client) -> None:
    order = place(alice, FAR_AWAY)
    wait_for_order(alice, order["id"], "ACCEPTED")
    assert alice.post(f"/api/v1/orders/{order['id']}/cancel").status_code == 200
    cancelled = wait_for_order(alice, order["id"], "CANCELLED")
    assert cancelled["leaves_quantity"] == "0"
    assert alice.get("/api/v1/account").json()["reserved"] == "0.00"


def test_every_change_is_seen_live_and_again_from_any_position(engine: RunningEngine, alice: httpx2.Client) -> None:
    url = engine.url.replace("http", "ws", 1) + f"/ws/orders/events?token={engine.token('alice')}"
    with connect(url) as live:
        order = place(alice, MARKET)
        seen = [json.loads(live.recv(timeout=20))]
        while seen[-1].get("status") != "FILLED":
            seen.append(json.loads(live.recv(timeout=20)))
    seen = [message for message in seen if message["event"] != "heartbeat"]
    assert [message["event"] for message in seen][:3] == ["order.submitted", "order.sent", "order.accepted"]
    assert {message["order_id"] for message in seen} == {order["id"]}
    with connect(f"{url}&after={seen[0]['position'] - 1}") as replayed:
        assert [json.loads(replayed.recv(timeout=20)) for _ in seen] == seen


def test_the_same_key_is_one_order(alice: httpx2.Client) -> None:
    first = place(alice, FAR_AWAY, **{"Idempotency-Key": "once"})
    again = alice.post("/api/v1/orders", json=FAR_AWAY, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == first
    alice.post(f"/api/v1/orders/{first['id']}/cancel")
    wait_for_order(alice, first["id"], "CANCELLED")


def test_the_engine_says_that_it_is_well(engine: RunningEngine) -> None:
    deadline = time.monotonic() + 20
    while (answer := httpx2.get(f"{engine.url}/api/v1/health/orders", **PLAIN)).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    assert answer.json()["dependencies"] == dict.fromkeys(("database", "exchange", "projections", "bus"), "ok")


def test_a_killed_worker_is_replaced_and_goes_on_where_it_was(engine: RunningEngine, alice: httpx2.Client) -> None:
    resting = place(alice, FAR_AWAY)
    wait_for_order(alice, resting["id"], "ACCEPTED")
    os.kill(process_of(engine, "infrastructure.worker"), signal.SIGKILL)
    order = place(alice, MARKET)
    alice.post(f"/api/v1/orders/{resting['id']}/cancel")
    assert wait_for_order(alice, order["id"], "FILLED")["filled_quantity"] == "10"
    assert wait_for_order(alice, resting["id"], "CANCELLED")["filled_quantity"] == "0"
    with engine.client("auditor", "auditor") as auditor:
        events = auditor.get("/api/v1/events", params={"order_id": order["id"], "limit": 100}).json()["events"]
    fills = [event["data"]["fill_id"] for event in events if event["type"] == "OrderFilled"]
    assert len(fills) == len(set(fills))
    assert [event["type"] for event in events].count("OrderSent") == 1


def test_a_second_worker_stands_by_and_takes_over(
    engine: RunningEngine, alice: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERLOG_HOME", str(engine.home))
    command = [sys.executable, "-c", "from cli.main import main; main()", "work"]
    with subprocess.Popen(command) as second:
        time.sleep(2)  # long enough to be standing by; shorter would test less and fail no more often
        os.kill(process_of(engine, "infrastructure.worker"), signal.SIGKILL)
        order = place(alice, MARKET)
        wait_for_order(alice, order["id"], "FILLED")
        second.terminate()
        assert second.wait(20) == 0


def test_a_killed_api_process_is_replaced(engine: RunningEngine, alice: httpx2.Client) -> None:
    os.kill(process_of(engine, "-m api"), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while True:
        try:
            # The parent holds the listening socket, so requests wait rather than fail while the new process starts.
            assert alice.get("/api/v1/account").status_code == 200
            break
        except httpx2.TransportError:
            assert time.monotonic() < deadline


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_parent_leaves_nothing_behind_and_a_second_start_finds_everything(
    tmp_path: Path, end: signal.Signals
) -> None:
    home = tmp_path / "home"
    with running_engine(home) as engine, engine.client("demo") as demo:
        order = place(demo, FAR_AWAY)
        wait_for_order(demo, order["id"], "ACCEPTED")
        assert engine.stop(end) == (-signal.SIGKILL if end is signal.SIGKILL else 0)
    deadline = time.monotonic() + 20
    while processes(home) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert traces(home) == []
    with running_engine(home) as engine, engine.client("demo") as demo:
        assert demo.get("/api/v1/account").json()["cash"] == "100000.00"
        demo.post(f"/api/v1/orders/{order['id']}/cancel")
        wait_for_order(demo, order["id"], "CANCELLED")


def test_set_addresses_are_used_and_several_processes_share_the_work(
    tmp_path: Path, database_url: str, valkey_url: str
) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": valkey_url, "ORDERLOG_WORKERS": "2"}
    with (
        running_engine(tmp_path / "home", **settings) as engine,
        engine.client("demo") as demo,
        redis.Redis.from_url(valkey_url) as bus,
        bus.pubsub(ignore_subscribe_messages=True) as subscriber,
    ):
        subscriber.subscribe("orders:demo")
        orders = [place(demo, FAR_AWAY | {"quantity": "1"}) for _ in range(20)]
        for order in orders:
            wait_for_order(demo, order["id"], "ACCEPTED")
        assert Decimal(demo.get("/api/v1/account").json()["reserved"]) == 1000
        assert not (engine.home / "postgres").exists()
        assert not (engine.home / "valkey").exists()
        published: list[dict[str, Any]] = []
        while len(published) < 60:
            if (message := subscriber.get_message(timeout=20)) is not None:
                published.append(json.loads(message["data"]))
    positions = [message["position"] for message in published]
    assert positions == sorted(set(positions))
    assert {message["event"] for message in published} == {"order.submitted", "order.sent", "order.accepted"}


def test_api_and_worker_run_apart_and_trade_at_any_server_that_speaks_alpaca_s_api(
    tmp_path: Path, database_url: str
) -> None:
    with running_venue() as venue:
        settings = {
            "DATABASE_URL": database_url,
            "REDIS_URL": "none",
            "ORDERLOG_EXCHANGE": "alpaca",
            "ALPACA_BASE_URL": venue.url,
            "APCA_API_KEY_ID": "key",
            "APCA_API_SECRET_KEY": "secret",
        }
        environment = {**os.environ, **settings, "ORDERLOG_HOME": str(tmp_path / "home"), "ORDERLOG_PORT": "0"}
        orderlog = [sys.executable, "-c", "from cli.main import main; main()"]
        with (
            subprocess.Popen([*orderlog, "work"], env=environment) as worker,
            subprocess.Popen(
                [*orderlog, "serve", "--no-worker", "--no-migrate"],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            ) as api,
        ):
            assert api.stdout is not None
            said = [api.stdout.readline() for _ in range(7)]
            assert said[0] == "orderlog is ready\n"
            assert said[5].split() == ["venue", venue.url, "(alpaca)"]
            engine = RunningEngine(said[1].split()[1], tmp_path / "home", api, venue.url)
            engine.fund("alice")
            with engine.client("alice") as alice:
                wait_for_order(alice, place(alice, MARKET)["id"], "FILLED")
            for process in (worker, api):
                process.terminate()
                assert process.wait(20) == 0


def test_a_key_server_that_does_not_answer_stops_the_start(tmp_path: Path) -> None:
    environment = {**os.environ, "ORDERLOG_HOME": str(tmp_path / "home"), "ORDERLOG_JWKS_URL": "https://127.0.0.1:1"}
    orderlog = [sys.executable, "-c", "from cli.main import main; main()", "serve"]
    done = subprocess.run(orderlog, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "orderlog: ORDERLOG_JWKS_URL: the key server gives no keys: https://127.0.0.1:1 does not"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "DATABASE_URL: the database does not answer"),
        ("REDIS_URL", "redis://127.0.0.1:1", "REDIS_URL: Redis does not answer"),
        ("ORDERLOG_PORT", "http", "ORDERLOG_PORT is 'http'"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_wrong_address_stops_the_start_and_is_never_replaced(
    tmp_path: Path, command: str, name: str, value: str, message: str
) -> None:
    environment = {**os.environ, "ORDERLOG_HOME": str(tmp_path / "home"), "ORDERLOG_PORT": "0", name: value}
    orderlog = [sys.executable, "-c", "from cli.main import main; main()", command]
    done = subprocess.run(orderlog, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert traces(tmp_path / "home") == []
