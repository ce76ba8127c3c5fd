"""A home of its own for each test, and processes that use it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from infrastructure.embedded.servers import Addresses
from tests.infrastructure.embedded.traces import processes

USER = (sys.executable, "-m", "tests.infrastructure.embedded.user")


@pytest.fixture(scope="session")
def lived_in_home() -> Iterator[Path]:
    """A home with a name short enough for sockets, made once, because the first start of PostgreSQL takes a second."""
    directory = Path(tempfile.mkdtemp(prefix="orderlog-")).resolve()
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def home(lived_in_home: Path) -> Iterator[Path]:
    """The home of most tests; only the databases' contents are left from one to the next."""
    yield lived_in_home
    end_processes(lived_in_home)
    shutil.rmtree(lived_in_home / "venue", ignore_errors=True)


@pytest.fixture
def fresh_home() -> Iterator[Path]:
    """A home that nobody has used."""
    directory = Path(tempfile.mkdtemp(prefix="orderlog-")).resolve()
    yield directory
    end_processes(directory)
    shutil.rmtree(directory)


def end_processes(home: Path) -> None:
    """Kill what a failed test has left running."""
    for process in processes(home):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


class User:
    """A process that uses the servers of a home, in its own session like a command in a terminal of its own."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def addresses(self) -> Addresses:
        assert self.process.stdout
        return Addresses(**json.loads(self.process.stdout.readline()))

    def leave(self) -> None:
        self.process.communicate(timeout=30)

    def end_with(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)
        self.process.communicate(timeout=30)


@pytest.fixture
def start_user(home: Path) -> Iterator[Callable[..., User]]:
    """Start a process that uses servers of the home: `start_user("postgres", "valkey")`."""
    with ExitStack() as users:

        def start(*servers: str, command: tuple[str, ...] = USER, home: Path = home) -> User:
            user = User((*command, str(home), *servers))
            users.enter_context(user.process)  # closes its pipes and waits for its end
            users.callback(user.process.kill)
            return user

        yield start
