"""The processes of the living system: each can be killed, stopped for a while, and started again on what it left."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.embedded.home import Home
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.tether import tethered
from infrastructure.embedded.valkey import Valkey

ROOT = Path(__file__).parents[2]
_END_SECONDS = 20


@dataclass
class Program:
    """A program of the engine or of the venue. It dies with the test run, however that ends.

    Attributes:
        name: what it is called in sentences.
        command: how it is run.
        variables: on top of the test run's own environment.
        log: where it says what it does.
        descriptors: open files that it inherits.
    """

    name: str
    command: Sequence[str]
    variables: Mapping[str, str]
    log: Path
    descriptors: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tethered(self.command),
                cwd=ROOT,
                env={**_inherited(), **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self.descriptors,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(_END_SECONDS)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> None:
        """Politely where that is possible, so that what it knows of coverage is kept."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


class Server:
    """PostgreSQL or Valkey, as the engine embeds them, under our own hands."""

    def __init__(self, definition: Postgres | Valkey, home: Home) -> None:
        self.name = definition.name
        self._definition = definition
        self._home = home
        self._log = home.server_directory(definition.name) / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._definition.clear(self._home)
        self._definition.prepare(self._home)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._definition.command(self._home, None),
                cwd=self._home.server_directory(self.name),
                env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def address(self) -> str | None:
        """Its URL as soon as it answers."""
        assert self._process is not None
        return self._definition.address(self._home, self._process.pid, "")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """The server and all its children, at once: none of them has time to notice."""
        assert self._process is not None
        self._send(signal.SIGKILL)
        self._process.wait(_END_SECONDS)

    def hang(self) -> None:
        """The server and all its children stop where they are; their connections stand."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        """After ``hang``."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            return
        for process in (self._process.pid, *_children(self._process.pid)):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._definition.stop_signals[0][0])
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._definition.clear(self._home)


def _inherited() -> dict[str, str]:
    """Our environment without anybody's settings."""
    names = ("ORDER", "DATABASE_URL", "REDIS_URL", "ALPACA", "APCA", "SENTRY", "POSTHOG", "OTEL")
    return {name: value for name, value in os.environ.items() if not name.startswith(names)}


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
