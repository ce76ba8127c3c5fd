"""Health is honest under each single failure: each thing that orders need is really stopped, and started again."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import psycopg
import pytest

from infrastructure.embedded.home import open_home
from infrastructure.embedded.postgres import Postgres
from tests.engine_process import PATIENCE_SECONDS, RunningEngine, place, running_engine
from tests.infrastructure.embedded.traces import postmaster_of, processes
from tests.plain_http import PLAIN
from tests.venue_server import running_venue

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
DEPENDENCIES = ("database", "exchange", "projections", "bus")


class Venue:
    """A venue that comes back where it was, with what it knew."""

    def __init__(self, journal: Path, port: int) -> None:
        self._journal = journal
        self._port = port
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(running_venue(self._journal, port=self._port))

    def stop(self) -> None:
        self._running.close()


class Stage:
    """An engine whose parts can be stopped and started."""

    def __init__(self, engine: RunningEngine, venue: Venue) -> None:
        self.engine = engine
        self.venue = venue

    def processes(self, name: str) -> list[int]:
        """The processes of a server of the engine's home, or the worker."""
        if name == "worker":
            command = ["/usr/bin/env", "pgrep", "-P", str(self.engine.process.pid), "-f", "infrastructure.worker"]
            return [int(pid) for pid in subprocess.check_output(command).split()]
        found = processes(self.engine.home).items()
        return [pid for pid, command in found if name in command and "embedded.guard" not in command]

    def database_url(self) -> str:
        address = Postgres().address(open_home(self.engine.home), postmaster_of(self.engine.home), "")
        assert address
        return address

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """The process does not run for the length of the block: whoever asks it gets no answer."""
        pids = self.processes(name)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):  # a backend whose client gave it up
                    os.kill(pid, signal.SIGCONT)

    def until_down(self, *names: str) -> None:
        """Wait until health says that these are down, and nothing else is."""
        self._until(dict.fromkeys(DEPENDENCIES, "ok") | dict.fromkeys(names, "down"))

    def _until(self, expected: dict[str, str]) -> None:
        is_well = set(expected.values()) == {"ok"}
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while True:
            answer = httpx2.get(f"{self.engine.url}/api/v1/health/orders", **PLAIN, timeout=30)
            said = answer.json()
            assert (
                (answer.status_code == 200) == (said["status"] == "ok") == ("down" not in said["dependencies"].values())
            )
            if said["dependencies"] == expected:
                assert answer.status_code == (200 if is_well else 503)
                return
            assert time.monotonic() < deadline, f"{said}, not {expected}"
            time.sleep(0.1)

    def get(self, path: str) -> int:
        return httpx2.get(f"{self.engine.url}{path}", **PLAIN, timeout=30).status_code


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("health")
    with running_venue() as found:
        port = int(found.url.rpartition(":")[2])
    alpaca = {
        "ORDERLOG_EXCHANGE": "alpaca",
        "ALPACA_BASE_URL": found.url,
        "APCA_API_KEY_ID": "any",
        "APCA_API_SECRET_KEY": "thing",
        "ORDERLOG_RECONCILE_SECONDS": "1",
    }
    venue = Venue(directory / "journal", port)
    venue.start()
    try:
        with running_engine(directory / "home", **alpaca) as engine:
            engine.fund("alice")
            stage = Stage(engine, venue)
            stage.until_down()
            yield stage
    finally:
        venue.stop()


def test_a_bus_that_does_not_answer_is_down_until_it_does(stage: Stage) -> None:
    with stage.stopped("valkey-server"):
        stage.until_down("bus")
        assert stage.get("/readyz") == 200
    stage.until_down()


def test_without_its_database_nothing_that_it_knows_is_said_to_be_well(stage: Stage) -> None:
    with stage.stopped("postgres"):
        stage.until_down("database", "exchange", "projections")
        assert stage.get("/livez") == 200
        assert stage.get("/readyz") == 503
    stage.until_down()
    assert stage.get("/readyz") == 200


def test_a_venue_that_is_away_is_down_until_it_is_back(stage: Stage) -> None:
    stage.venue.stop()
    stage.until_down("exchange")
    assert stage.get("/readyz") == 200
    stage.venue.start()
    stage.until_down()


def test_a_projection_that_stands_before_an_event_is_down_until_it_goes_on(stage: Stage) -> None:
    with psycopg.connect(stage.database_url(), autocommit=True) as connection, stage.engine.client("alice") as alice:
        connection.execute("ALTER TABLE fills ADD CONSTRAINT poison CHECK (false) NOT VALID")
        place(alice, MARKET)
        stage.until_down("projections")
        connection.execute("ALTER TABLE fills DROP CONSTRAINT poison")
    stage.until_down()


def test_without_a_worker_nobody_knows_of_the_exchange_and_nothing_is_projected(stage: Stage) -> None:
    with stage.stopped("worker"):
        with stage.engine.client("alice") as alice:
            place(alice, MARKET)
        stage.until_down("exchange", "projections")
        assert stage.get("/livez") == 200
    stage.until_down()
