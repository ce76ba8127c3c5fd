import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.embedded import strays
from infrastructure.embedded.strays import stop_strays


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of our own name."""
    return Path(shutil.copy("/bin/sleep", tmp_path / "stray-sleep"))


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_a_program_that_works_in_the_directory_is_stopped(
    tmp_path: Path, program: Path, running: list[subprocess.Popen[bytes]]
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    stray = subprocess.Popen([program, "60"], cwd=inside)
    elsewhere = subprocess.Popen([program, "60"], cwd="/")
    of_another_name = subprocess.Popen(["/bin/sleep", "60"], cwd=inside)
    running += [stray, elsewhere, of_another_name]
    stop_strays(tmp_path, "stray-sleep", signal.SIGTERM)
    assert stray.wait(5) == -signal.SIGTERM
    assert elsewhere.poll() is None
    assert of_another_name.poll() is None


def test_what_does_not_stop_is_killed(tmp_path: Path, running: list[subprocess.Popen[bytes]]) -> None:
    stubborn = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    stray = subprocess.Popen([sys.executable, "-c", stubborn], cwd=tmp_path, stdout=subprocess.PIPE)
    running.append(stray)
    assert stray.stdout
    with stray.stdout:
        stray.stdout.readline()
        stop_strays(tmp_path, Path(sys.executable).resolve().name, signal.SIGTERM, patience_seconds=0.1)
    assert stray.wait(5) == -signal.SIGKILL


def test_only_the_parent_of_a_family_is_asked_to_stop(tmp_path: Path, running: list[subprocess.Popen[bytes]]) -> None:
    family = """if True:
        import os, signal, sys, time
        child = os.fork()
        if child:
            signal.signal(signal.SIGTERM, lambda *_: (os.kill(child, signal.SIGKILL), os.wait(), os._exit(7)))
            print(flush=True)
        else:
            signal.signal(signal.SIGTERM, lambda *_: open("asked", "w"))
        time.sleep(60)
    """
    stray = subprocess.Popen([sys.executable, "-c", family], cwd=tmp_path, stdout=subprocess.PIPE)
    running.append(stray)
    assert stray.stdout
    with stray.stdout:
        stray.stdout.readline()
        stop_strays(tmp_path, Path(sys.executable).resolve().name, signal.SIGTERM)
    assert stray.wait(5) == 7
    assert not (tmp_path / "asked").exists()


def test_a_process_that_is_gone_by_the_time_it_is_looked_at_is_no_stray(tmp_path: Path) -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    assert strays._parent(gone.pid) == 0
    strays._send(gone.pid, signal.SIGTERM)
    assert not strays._is_stray(Path(f"/proc/{gone.pid}"), tmp_path, "true")
