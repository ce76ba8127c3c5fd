"""The whole engine: ``orderlog serve`` with its API, its worker and the paper venue, as an operator starts it."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx2
import psycopg

from benchmarks.load import Load, send
from benchmarks.posting import prepared, requests_to
from benchmarks.rounds import FULL, Figure, Goal, Pace, percentile
from benchmarks.surroundings import Served, Surroundings

_READY_SECONDS = 60.0
_SETTLE_SECONDS = 60.0
_ORDERS_A_SECOND = 500
_CONNECTIONS = 16
_PEAK_CONNECTIONS = 64
_SAMPLES_A_MINUTE = 30
_WARM_SHARE = 0.5
_MIB = 2**20
_FILLED_AT_ONCE = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
_SOAK_SECONDS, _SOAK_SECONDS_QUICK = 600.0, 15.0

_ACKNOWLEDGED = """
SELECT 1000 * extract(epoch FROM accepted.recorded_at - placed.recorded_at)::float8
FROM events AS placed JOIN events AS accepted USING (stream_id)
WHERE placed.type = 'OrderPlaced' AND accepted.type = 'OrderAccepted' AND placed.position > %s
"""

_UNACKNOWLEDGED = "SELECT count(*) FROM orders WHERE status = 'PENDING'"

_END = "SELECT position FROM log_head"


class Whole(NamedTuple):
    """A running engine: its API, and the process at its head."""

    api: Served
    started_seconds: float
    database_url: str


@contextmanager
def whole_engine(around: Surroundings, database_url: str) -> Iterator[Whole]:
    """Start the engine on the database, and stop it."""
    home = around.home / "engine"
    secret = secrets.token_urlsafe(48)
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "ORDERLOG_HOME": str(home),
        "ORDERLOG_PORT": "0",
        "ORDERLOG_JWT_SECRET": secret,
    }
    command = [sys.executable, "-c", "from cli.main import main; main()", "serve", "--no-migrate"]
    begun = time.monotonic()
    with (around.home / "engine.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - the command is ours
    try:
        url = _ready(home, process)
        started_seconds = time.monotonic() - begun
        parts = urlsplit(url)
        yield Whole(Served(str(parts.hostname), int(parts.port or 0), secret, process), started_seconds, database_url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _ready(home: Path, process: "subprocess.Popen[bytes]") -> str:
    """The engine's URL, once it takes orders."""
    until = time.monotonic() + _READY_SECONDS
    with httpx2.Client(trust_env=False) as client:
        while time.monotonic() < until and process.poll() is None:
            try:
                announced = json.loads((home / "engine.json").read_text())
                if announced["pid"] == process.pid and client.get(f"{announced['url']}/readyz").is_success:
                    return str(announced["url"])
            except (FileNotFoundError, httpx2.HTTPError):
                pass
            time.sleep(0.01)
    raise RuntimeError("the engine did not become ready")


def starts(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Starts of an engine that has run before."""
    url = prepared(around)
    taken = []
    for _ in range(pace.rounds + 1):
        with whole_engine(around, url) as engine:
            taken.append(engine.started_seconds)
    yield Figure("start to ready, without migrations", "s", taken[1:], goal=Goal(2, at_most=True))


def acknowledgements(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """From the commit of an order to the commit of the venue's acknowledgement."""
    with whole_engine(around, prepared(around)) as engine:
        slowest = [_acknowledged(engine, pace.seconds) for _ in range(pace.rounds + 1)][1:]
    yield Figure(
        f"accepted to acknowledged by the paper venue, {_ORDERS_A_SECOND} orders/s, p99",
        "ms",
        slowest,
        goal=Goal(50, 20, at_most=True),
        note="client, API, worker, venue and PostgreSQL share the machine",
    )


def _acknowledged(engine: Whole, seconds: float) -> float:
    api = engine.api
    with psycopg.connect(engine.database_url, autocommit=True) as connection:
        ((end,),) = connection.execute(_END).fetchall()
        answered = send(Load(api.host, api.port, _CONNECTIONS, seconds, requests_to(api), _ORDERS_A_SECOND))
        if answered.others:
            raise RuntimeError(f"{answered.others} orders were refused")
        _wait(lambda: connection.execute(_UNACKNOWLEDGED).fetchall() == [(0,)])
        latencies = [latency_ms for (latency_ms,) in connection.execute(_ACKNOWLEDGED, (end,))]
    return percentile(latencies, 0.99)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _SETTLE_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("the engine did not come to rest")
        time.sleep(0.1)


def soak(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Memory of API and worker at half of the load that they can take, for ten minutes, or a few seconds.

    The orders are filled at once: whatever is open, the worker has to keep.
    """
    seconds = _SOAK_SECONDS if pace == FULL else _SOAK_SECONDS_QUICK
    with whole_engine(around, prepared(around)) as engine:
        api = engine.api
        requests = requests_to(api, _FILLED_AT_ONCE)
        peak = _peak(engine, pace.seconds, requests)
        samples: list[tuple[float, float]] = []
        begun = time.monotonic()
        while (minutes := (time.monotonic() - begun) / 60) < seconds / 60:
            step = min(60 / _SAMPLES_A_MINUTE, seconds / 10)
            send(Load(api.host, api.port, _CONNECTIONS, step, requests, peak / 2))
            samples.append((minutes, _memory_mib(api.process.pid)))
    warm = samples[int(_WARM_SHARE * len(samples)) :]
    yield Figure(
        f"memory of API and worker at {peak / 2:.0f} orders/s for {seconds / 60:.1f} minutes, slope",
        "MiB/min",
        [_slope(warm)],
        note=f"from {warm[0][1]:.0f} to {warm[-1][1]:.0f} MiB; what is remembered fills up to its limits in the first half, which is not counted",
    )


def _peak(engine: Whole, seconds: float, requests: list[str]) -> float:
    """How many orders a second are taken and acknowledged by the venue, of as many as can be sent."""
    begun = time.monotonic()
    sent = seconds * send(Load(engine.api.host, engine.api.port, _PEAK_CONNECTIONS, seconds, requests)).per_second
    with psycopg.connect(engine.database_url, autocommit=True) as connection:
        _wait(lambda: connection.execute(_UNACKNOWLEDGED).fetchall() == [(0,)])
    return sent / (time.monotonic() - begun)


def _memory_mib(pid: int) -> float:
    """Resident memory of the process's children, which are the API and the worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{child}/statm").read_text().split()[1]) for child in children)
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def _slope(points: list[tuple[float, float]]) -> float:
    """The slope of the line that fits the points best."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
