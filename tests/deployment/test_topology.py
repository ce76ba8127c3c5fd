"""The services of compose.yaml, run as processes with exactly what it gives them, but for hosts and ports."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from psycopg.conninfo import conninfo_to_dict
from websockets.sync.client import connect

from tests.conftest import execute, fresh_database
from tests.deployment.compose import SECRETS, image_environment, services
from tests.engine_process import place, wait_for_order
from tests.plain_http import PLAIN

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "MARKET"}
SECONDS_MAX = 60
WITHOUT_IMAGE = ("postgres", "valkey")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Topology:
    """What runs, by the name of its service, and the words that stand for hosts and ports here."""

    folder: Path
    words: Mapping[str, str]
    services: Mapping[str, dict[str, Any]]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def here(self, name: str, text: str) -> str:
        words = {**self.words, ":8000": f":{self.ports[name]}"}
        return re.sub("|".join(map(re.escape, words)), lambda match: words[match[0]], text)

    def environment(self, name: str) -> dict[str, str]:
        """Of the image and of compose.yaml, and nothing that this process has."""
        service = self.services[name]
        (volume,) = service.get("volumes", [f"{name}:"])
        home = self.folder / volume.partition(":")[0]
        said = {**image_environment(), **service["environment"]}
        ours = {variable: self.here(name, str(value)) for variable, value in said.items()}
        return {
            **ours,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "ORDERLOG_HOME": str(home),
            "ORDERLOG_PORT": str(self.ports[name]),
        }

    def spawn(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        command = [self.here(name, word) for word in words]
        return subprocess.Popen(command, env=self.environment(name), cwd=self.folder)

    def up(self, name: str) -> None:
        """Start the service when everything that it waits for is as it wants it."""
        if name in WITHOUT_IMAGE or name in self.running:
            return
        service = self.services[name]
        for needed, how in service.get("depends_on", {}).items():
            self.up(needed)
            if needed in WITHOUT_IMAGE:
                continue
            if how["condition"] == "service_completed_successfully":
                assert self.running[needed].wait(SECONDS_MAX) == 0
            else:
                self.wait_until_healthy(needed)
        self.ports[name] = free_port()
        self.running[name] = self.spawn(name, service["command"])

    def wait_until_healthy(self, name: str) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        words = self.services[name]["healthcheck"]["test"][1:]
        while self.spawn(name, words).wait() != 0:
            assert self.running[name].poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def down(self) -> None:
        for process in reversed(self.running.values()):
            process.terminate()
        for process in self.running.values():
            process.wait(SECONDS_MAX)

    def client(self, name: str, trader: str, *roles: str) -> httpx2.Client:
        """Of somebody with a token that was made in a container, so to say."""
        options = [option for role in roles for option in ("--role", role)]
        done = subprocess.run(
            ["orderlog", "token", "--trader", trader, *options],
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=True,
        )
        headers = {"Authorization": f"Bearer {done.stdout.strip()}"}
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.ports[name]}", headers=headers, **PLAIN, timeout=30)


@pytest.fixture(scope="module")
def topology(postgres: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(postgres, template="template0"))
        execute(postgres, "CREATE ROLE orderlog SUPERUSER LOGIN")
        stack.callback(execute, postgres, "DROP ROLE orderlog")
        where = conninfo_to_dict(url)
        venue = free_port()
        words = {
            "@postgres:5432/orderlog": f"@/{where['dbname']}?host={where['host']}&port={where['port']}",
            "redis://valkey:6379/0": valkey,
            "venue:8010": f"127.0.0.1:{venue}",
            "8010": str(venue),
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - nobody binds to it
        }
        words["/var/lib/orderlog/venue.jsonl"] = str(tmp_path_factory.mktemp("venue") / "venue.jsonl")
        topology = Topology(tmp_path_factory.mktemp("compose"), words, services(SECRETS))
        stack.callback(topology.down)
        for name in topology.services:
            topology.up(name)
        for name in ("worker", "api-1", "api-2"):
            topology.wait_until_healthy(name)
        yield topology


def test_what_compose_runs_trades_through_either_api(topology: Topology) -> None:
    with (
        topology.client("api-1", "operator", "ops") as ops,
        topology.client("api-1", "alice") as one,
        topology.client("api-2", "alice") as other,
    ):
        ops.post("/api/v1/accounts/alice/deposits", json={"amount": "100000"}).raise_for_status()
        token = other.headers["Authorization"].removeprefix("Bearer ")
        with connect(f"ws://127.0.0.1:{topology.ports['api-2']}/ws/orders/events?token={token}") as stream:
            orders = [place(client, MARKET)["id"] for client in (one, other, one)]
            filled = set()
            while filled != set(orders):
                message = json.loads(stream.recv(timeout=SECONDS_MAX))
                if message["event"] == "order.filled":
                    filled.add(message["order_id"])
        last = wait_for_order(one, orders[-1], "FILLED")
        for client in (one, other):
            page = client.get("/api/v1/orders", params={"min_position": last["position"]}).json()
            assert [order["status"] for order in page["orders"]] == ["FILLED"] * 3
            assert Decimal(client.get("/api/v1/positions").json()["positions"][0]["quantity"]) == 30
        health = one.get("/api/v1/health/orders").json()
        assert health["dependencies"] == dict.fromkeys(("database", "exchange", "projections", "bus"), "ok")


def test_what_was_stopped_and_started_again_goes_on(topology: Topology) -> None:
    for name in ("api-1", "worker"):
        topology.running[name].terminate()
        assert topology.running.pop(name).wait(SECONDS_MAX) == 0
    with topology.client("api-2", "alice") as alice:
        order = place(alice, MARKET)
        for name in ("worker", "api-1"):
            topology.up(name)
        topology.wait_until_healthy("api-1")
        wait_for_order(alice, order["id"], "FILLED")
