import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.embedded import postgres
from infrastructure.embedded.home import Home, open_home
from infrastructure.embedded.paper_venue import PaperVenue
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.server import ServerRun, tail
from tests.infrastructure.embedded.conftest import end_processes
from tests.infrastructure.embedded.traces import eventually, processes, zombies


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    place = open_home(tmp_path)
    place.make_sockets()
    yield place
    end_processes(tmp_path)


def run_of(place: Home, behaviour: str) -> ServerRun:
    return ServerRun(
        PaperVenue(program=(sys.executable, str(Path(__file__).with_name("stand_in.py")), behaviour)), place
    )


def tend_until_ready(run: ServerRun) -> None:
    def ready() -> bool:
        run.tend(time.monotonic())
        return run.is_ready

    assert eventually(ready)


def crash(run: ServerRun) -> None:
    assert run._process
    run._process.kill()
    run._process.wait()


def test_a_server_that_is_not_ready_in_time_is_killed_and_has_failed(place: Home) -> None:
    run = run_of(place, "silent")
    now = time.monotonic()
    run.tend(now)
    run.tend(now + 1)
    assert run.failure is None
    run.tend(now + 61)
    assert str(run.failure).startswith("the embedded venue did not start: it was not ready after 60 seconds")
    run.tend(now + 62)
    assert processes(place.directory) == {}
    assert zombies() == []


def test_the_pauses_between_restarts_grow_until_the_server_has_been_steady(place: Home) -> None:
    run = run_of(place, "serve")
    tend_until_ready(run)
    pauses = []
    for crashed_after in (0.0, 0.0, 0.0, 30.0):
        crash(run)
        now = time.monotonic() + crashed_after
        run.tend(now)
        pauses.append(round(run._start_at - now, 6))
        run.tend(now)  # too early to start
        assert not run.is_ready
        run._start_at = 0.0
        tend_until_ready(run)
    assert pauses == [0.1, 0.2, 0.4, 0.1]
    run.ask_to_stop()
    run.wait_for_end()
    assert processes(place.directory) == {}


def test_a_server_that_is_down_has_nothing_to_stop(place: Home) -> None:
    run = run_of(place, "serve")
    tend_until_ready(run)
    crash(run)
    run.tend(time.monotonic())
    run.ask_to_stop()
    run.wait_for_end()
    assert processes(place.directory) == {}


def test_a_server_that_ignores_its_signal_is_killed(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PaperVenue, "stop_signals", ((signal.SIGTERM, 0.1), (signal.SIGTERM, 0.1)))
    run = run_of(place, "stubborn")
    tend_until_ready(run)
    run.ask_to_stop()
    run.wait_for_end()
    assert processes(place.directory) == {}
    assert zombies() == []


def test_a_server_that_cannot_be_prepared_has_failed(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_INITDB_OPTIONS", ("--encoding=KLINGON",))
    run = ServerRun(Postgres(), place)
    run.tend(time.monotonic())
    assert "the embedded postgres did not start: initdb exited with status 1" in str(run.failure)


def test_as_root_without_user_namespaces_postgres_runs_as_nobody(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_namespaces_are_allowed", lambda: False)
    run = ServerRun(Postgres(), place)
    tend_until_ready(run)
    run.ask_to_stop()
    run.wait_for_end()
    assert processes(place.directory) == {}


def test_the_tail_of_a_log_is_there_or_said_to_be_missing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == f"{log} is empty."
    log.write_text("x" * 5000 + "end\n")
    assert tail(log).endswith("xend")
    assert len(tail(log)) < 2200
