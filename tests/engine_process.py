"""Run whole engines for tests: `orderlog serve` in a process of its own, and what its users hold in their hands."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx2

from api.tokens import make_token
from domain.values import parse_trader_id
from infrastructure.clock import SystemClock
from tests.plain_http import PLAIN

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
PATIENCE_SECONDS = 20
_TOKEN_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine that answers: its address, its home, the process at its head, and its venue's address."""

    url: str
    home: Path
    process: subprocess.Popen[str]
    venue_url: str
    program: Path = ROOT

    def cli(self, *arguments: str) -> str:
        """What `orderlog ARGUMENTS` says on standard output, for the home of this engine."""
        done = subprocess.run(
            [*_orderlog(), *arguments],
            cwd=self.program,
            env=_environment(self.home, {}, self.program),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, trader: str, *roles: str) -> str:
        """What `orderlog token` prints, without a process that prints it."""
        secret = (self.home / "jwt-secret").read_bytes()
        named = frozenset(roles or ("trader",))
        return make_token(secret, parse_trader_id(trader), named, _TOKEN_SECONDS, SystemClock().now())

    def client(self, trader: str, *roles: str) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self.token(trader, *roles)}"}
        return httpx2.Client(base_url=self.url, headers=headers, **PLAIN, timeout=30)

    def fund(self, trader: str, amount: str = "1000000") -> None:
        with self.client("operator", "ops") as ops:
            ops.post(f"/api/v1/accounts/{trader}/deposits", json={"amount": amount}).raise_for_status()

    def at_venue(self, method: str, path: str, **body: Any) -> Any:
        """What the venue answers: `/control/...` makes things happen there, `/v2/...` tells how they stand."""
        keys = {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "thing"}
        answer = httpx2.request(method, self.venue_url + path, json=body or None, headers=keys, **PLAIN, timeout=30)
        return answer.raise_for_status().json() if answer.content else None

    def move_price(self, symbol: str, price: str) -> None:
        """The market moves there, and takes every order with it that it crosses."""
        self.at_venue("PUT", f"/control/prices/{symbol}", price=price)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def running_engine(
    home: Path, *arguments: str, program: Path = ROOT, said: IO[str] | None = None, **settings: str
) -> Iterator[RunningEngine]:
    """`orderlog serve` on any free port, ready to take orders; stopped at the end if it still runs.

    ``program`` is the directory of its source, which may be that of another release; ``said`` takes what it logs.
    """
    process = subprocess.Popen(
        [*_orderlog(), "serve", *arguments],
        cwd=program,
        env=_environment(home, settings, program),
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
    )
    try:
        places = _ready(process, settings)
        yield RunningEngine(places["API"], home, process, places["venue"], program)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def wait_for_order(client: httpx2.Client, order_id: str, *statuses: str) -> dict[str, Any]:
    """The order as soon as it has one of the statuses."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        order: dict[str, Any] = client.get(f"/api/v1/orders/{order_id}").raise_for_status().json()
        if order["status"] in statuses:
            return order
        time.sleep(0.02)
    raise AssertionError(f"the order is {order['status']}, not {statuses}")


def place(client: httpx2.Client, order: Mapping[str, Any], **headers: str) -> dict[str, Any]:
    """The order as it was placed."""
    answer = client.post("/api/v1/orders", json=dict(order), headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _ready(process: subprocess.Popen[str], settings: Mapping[str, str]) -> dict[str, str]:
    """Where each part listens, once the welcome has been said to its last line."""
    assert process.stdout is not None
    places: dict[str, str] = {}
    last = "x-ndjson"
    for line in process.stdout:
        if line.startswith("  "):
            name, address, *more = line.split()
            places.setdefault(name, address)
            last = "home" if more == ["(alpaca)"] else last  # nobody has money there who could be told how to begin
            last = "tokens" if "ORDERLOG_JWKS_URL" in settings else last  # the same
        if last in line:
            return places
    raise AssertionError("the engine ended before it was ready")


def _orderlog() -> list[str]:
    return [sys.executable, "-c", "from cli.main import main; main()"]


def _environment(home: Path, settings: Mapping[str, str], program: Path) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ORDER", "DATABASE_URL", "REDIS_URL", "ALPACA", "APCA"))
    }
    if program != ROOT:
        inherited["PYTHONPATH"] = str(program)
    return {**inherited, "ORDERLOG_HOME": str(home), "ORDERLOG_PORT": "0", **settings}
