import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infrastructure.embedded import children
from infrastructure.embedded.children import Child, run_children
from tests.infrastructure.embedded.traces import eventually


class Supervisor:
    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.infrastructure.embedded.supervisor", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.unheard: list[str] = []

    def hear(self, pattern: str) -> re.Match[str]:
        """Return the first line that matches, among those that no other call has returned."""
        assert self.process.stdout
        while True:
            for line in self.unheard:
                if match := re.search(pattern, line):
                    self.unheard.remove(line)
                    return match
            self.unheard.append(self.process.stdout.readline().rstrip())
            assert self.unheard[-1], f"nobody said {pattern}"

    def end(self) -> list[str]:
        """Return the lines up to the end that were not heard before."""
        return self.unheard + self.process.communicate(timeout=30)[0].splitlines()


Supervise = Callable[..., Supervisor]


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    with ExitStack() as stack:

        def start(*behaviours: str, stop_seconds: float = 10.0) -> Supervisor:
            supervisor = Supervisor(str(stop_seconds), *behaviours)
            stack.enter_context(supervisor.process)
            stack.callback(supervisor.process.kill)
            return supervisor

        yield start


def is_gone(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_children_are_stopped_once_by_their_parent(supervise: Supervise, number: signal.Signals) -> None:
    supervisor = supervise("one", "two")
    processes = [int(supervisor.hear(f"{name} ([0-9]+)")[1]) for name in ("one", "two")]
    os.killpg(supervisor.process.pid, number)  # as the terminal does
    assert sorted(supervisor.end()) == ["done", "one stopped", "started", "two stopped"]
    assert supervisor.process.returncode == 0
    assert all(is_gone(process) for process in processes)


def test_each_child_has_a_process_group_of_its_own(supervise: Supervise) -> None:
    found = supervise("one").hear("one ([0-9]+) ([0-9]+)")
    assert found[1] == found[2]


def test_a_child_inherits_the_descriptors_it_is_given(supervise: Supervise) -> None:
    assert int(supervise("listen").hear("port ([0-9]+)")[1]) > 0


def test_children_die_with_a_killed_parent(supervise: Supervise) -> None:
    supervisor = supervise("one", "stubborn")
    processes = [int(supervisor.hear(f"{name} ([0-9]+)")[1]) for name in ("one", "stubborn")]
    supervisor.process.kill()
    assert eventually(lambda: all(is_gone(process) for process in processes))


def test_a_child_that_dies_is_started_again(supervise: Supervise) -> None:
    supervisor = supervise("one")
    first = int(supervisor.hear("one ([0-9]+)")[1])
    os.kill(first, signal.SIGKILL)
    supervisor.hear("one ended with status -9 and is started again")
    assert int(supervisor.hear("one ([0-9]+)")[1]) != first
    supervisor.process.terminate()
    assert supervisor.end()[-1] == "done"


def test_a_child_that_crashes_again_and_again_ends_everything(supervise: Supervise) -> None:
    supervisor = supervise("one", "crash")
    supervisor.hear("crash has ended 5 times within 30 seconds, the last time with status 3")
    assert "one stopped" in supervisor.end()
    assert supervisor.process.returncode == 1


def test_crashes_that_are_long_past_do_not_count() -> None:
    run = children._Run(Child("true", ("/bin/true",)))
    run.process.wait()
    for moment in range(0, 1000, 31):
        run.note_crash(float(moment))
    assert run.restart_at == 992 + 0.2


def test_a_restart_waits_until_it_is_due() -> None:
    run = children._Run(Child("true", ("/bin/true",)))
    run.process.wait()
    run.restart_at = time.monotonic() + 60
    ended = run.process
    children._tend([run])
    assert run.process is ended


def test_children_that_do_not_stop_in_time_are_killed_with_what_they_started(supervise: Supervise) -> None:
    supervisor = supervise("stubborn", "family", stop_seconds=0.3)
    leader = int(supervisor.hear("family ([0-9]+)")[1])
    supervisor.hear("stubborn")
    assert eventually(lambda: children_of(leader) != [])
    members = [leader, *children_of(leader)]
    supervisor.process.terminate()
    said = supervisor.end()
    assert "stubborn did not stop within 0.3 seconds and is killed" in said
    assert supervisor.process.returncode == 0
    assert eventually(lambda: all(is_gone(process) for process in members))


def test_a_child_that_cannot_be_started_stops_those_before_it() -> None:
    others = children_of(os.getpid())
    with pytest.raises(ValueError, match="null byte"):
        run_children([Child("one", ("/bin/sleep", "60")), Child("two", ("/bin/sleep", "60"), {"NAME": "\0"})])
    assert children_of(os.getpid()) == others
