"""One embedded server under the guard's care: started, watched, started again, stopped."""

import logging
import os
import signal
import subprocess
from pathlib import Path

from infrastructure.embedded.home import Home, begin_log
from infrastructure.embedded.paper_venue import PaperVenue
from infrastructure.embedded.postgres import InitialisationError, Postgres
from infrastructure.embedded.valkey import Valkey

Server = Postgres | Valkey | PaperVenue
"""A definition: how a server is prepared, run, found to be ready, and cleared away. It has no state."""

_START_SECONDS_MAX = 60.0
_BACKOFF_SECONDS = 0.1
_BACKOFF_SECONDS_MAX = 5.0
_STEADY_SECONDS = 10.0
_LOG_TAIL_BYTES = 2000
_LOG = logging.getLogger("orderlog.guard")


class ServerRun:
    """The running of one server.

    Attributes:
        server: its definition.
        address: its URL, from the first time it was ready on.
        is_ready: it accepts requests now.
        failure: why it could not be started at all. Once it has been ready it is started again for as long as it takes.
    """

    def __init__(self, server: Server, home: Home) -> None:
        self.server = server
        self.address: str | None = None
        self.is_ready = False
        self.failure: str | None = None
        self._home = home
        self._log = begin_log(home.server_directory(server.name) / "server.log")
        self._log_offset = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0
        self._ready_since = 0.0
        self._start_at = 0.0
        self._crashes = 0

    def tend(self, now: float) -> None:
        """Do what is due: start, notice that it is ready, or that it has died.

        Args:
            now: monotonic seconds.
        """
        if self.failure:
            return
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
        elif self._process.poll() is not None:
            self._note_end(now, f"it exited with status {self._process.returncode}")
        elif not self.is_ready:
            self._look_whether_ready(self._process, now)

    def ask_to_stop(self) -> None:
        """Send the first of its stop signals."""
        if self._process:
            self._process.send_signal(self.server.stop_signals[0][0])

    def wait_for_end(self) -> None:
        """Wait for its end, with ever stronger signals, and remove what it left."""
        if self._process:
            for (_, seconds), stronger in zip(
                self.server.stop_signals, [*self._stronger_signals(), signal.SIGKILL], strict=True
            ):
                try:
                    self._process.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    self._process.send_signal(stronger)
            self._process.wait()
        self.server.clear(self._home)

    def _stronger_signals(self) -> list[signal.Signals]:
        return [number for number, _ in self.server.stop_signals[1:]]

    def _start(self, now: float) -> None:
        try:
            self.server.clear(self._home)
            self.server.prepare(self._home)
            with self._log.open("ab") as log:
                self._log_offset = log.tell()
                self._process = subprocess.Popen(  # noqa: S603 - the command comes from our own definitions
                    self.server.command(self._home, self.address),
                    cwd=self._home.server_directory(self.server.name),
                    env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        except (OSError, InitialisationError) as error:
            self._note_end(now, str(error))
            return
        self._deadline = now + _START_SECONDS_MAX

    def _look_whether_ready(self, process: subprocess.Popen[bytes], now: float) -> None:
        address = self.server.address(self._home, process.pid, self._output())
        if address:
            _LOG.info("%s is ready at %s", self.server.name, address)
            self.address = address
            self.is_ready = True
            self._ready_since = now
        elif now > self._deadline:
            process.kill()
            process.wait()
            self._note_end(now, f"it was not ready after {_START_SECONDS_MAX:.0f} seconds")

    def _note_end(self, now: float, reason: str) -> None:
        _LOG.warning("%s: %s", self.server.name, reason)
        if self.is_ready and now - self._ready_since > _STEADY_SECONDS:
            self._crashes = 0
        self._process = None
        self.is_ready = False
        self._start_at = now + min(_BACKOFF_SECONDS_MAX, _BACKOFF_SECONDS * 2**self._crashes)
        self._crashes += 1
        if self.address is None:
            self.failure = f"the embedded {self.server.name} did not start: {reason}. {tail(self._log)}"

    def _output(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_offset)
            return log.read().decode(errors="replace")


def tail(log: Path) -> str:
    """Return the end of a log in words that fit behind an error."""
    try:
        text = log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        text = ""
    return f"The end of {log}:\n{text}" if text else f"{log} is empty."
