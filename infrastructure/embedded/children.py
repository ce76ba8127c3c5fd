"""Run the processes that one command consists of: start them, start them again when they crash, stop them together."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from infrastructure.embedded.signals import SignalInbox
from infrastructure.embedded.tether import tethered

_CRASHES_MAX = 5
_CRASH_WINDOW_SECONDS = 30.0
_BACKOFF_SECONDS = 0.1
_LOG = logging.getLogger("orderlog.children")


class CrashLoopError(Exception):
    """A child process crashes again and again; the message says which and with what status."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to run.

    Attributes:
        name: what to call it in messages.
        command: program (absolute path) and arguments.
        environment: variables on top of our own.
        descriptors: open files that it inherits under the same numbers, such as a listening socket.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()


class _Run:
    """One child, its process, and its recent crashes."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.process = _start(child)
        self.crashes: list[float] = []
        self.restart_at: float | None = None

    def note_crash(self, now: float) -> None:
        status = self.process.returncode
        self.crashes = [moment for moment in self.crashes if now - moment < _CRASH_WINDOW_SECONDS] + [now]
        if len(self.crashes) >= _CRASHES_MAX:
            raise CrashLoopError(
                f"{self.child.name} has ended {_CRASHES_MAX} times within {_CRASH_WINDOW_SECONDS:.0f} seconds, the last time with status {status}; its messages say why",
            )
        self.restart_at = now + _BACKOFF_SECONDS * 2 ** len(self.crashes)
        _LOG.warning("%s ended with status %s and is started again", self.child.name, status)

    def restart(self) -> None:
        self.process = _start(self.child)
        self.restart_at = None


def run_children(
    children: Sequence[Child], *, stop_seconds: float = 10.0, on_started: Callable[[], None] = lambda: None
) -> None:
    """Run child processes until SIGTERM or SIGINT, then stop them all; to be called in the main thread.

    Each child has its own process group, so that Ctrl-C comes to it from here alone and once, as SIGTERM. Should this
    process be killed, the kernel kills the children. A child that ends by itself is started again.

    Args:
        children: in the order in which they are started; they are asked to stop in the opposite order.
        stop_seconds: time they have, together, to stop; whoever is left then is killed.
        on_started: called once all have been started.

    Raises:
        CrashLoopError: a child has ended 5 times within 30 seconds; all have been stopped.
    """
    runs: list[_Run] = []
    with SignalInbox(signal.SIGTERM, signal.SIGINT, signal.SIGCHLD) as inbox:
        try:
            for child in children:
                runs.append(_Run(child))  # noqa: PERF401 - those before one that cannot be started have to be stopped
            on_started()
            while not inbox.wait(_next_restart(runs)) & {signal.SIGTERM, signal.SIGINT}:
                _tend(runs)
        finally:
            _stop(runs, inbox, stop_seconds)


def _start(child: Child) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the command is the caller's own
        tethered(child.command),
        env={**os.environ, **child.environment},
        stdin=subprocess.DEVNULL,
        pass_fds=child.descriptors,
        process_group=0,
    )


def _next_restart(runs: Sequence[_Run]) -> float | None:
    """Return the seconds until the next restart is due, None when none is."""
    due = [run.restart_at for run in runs if run.restart_at is not None]
    return max(0.0, min(due) - time.monotonic()) if due else None


def _tend(runs: Sequence[_Run]) -> None:
    now = time.monotonic()
    for run in runs:
        if run.restart_at is None:
            if run.process.poll() is not None:
                run.note_crash(now)
        elif now >= run.restart_at:
            run.restart()


def _stop(runs: Sequence[_Run], inbox: SignalInbox, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for run in reversed(runs):
        run.process.terminate()
    while any(run.process.poll() is None for run in runs) and time.monotonic() < deadline:
        inbox.wait(max(0.0, deadline - time.monotonic()))
    for run in runs:
        if run.process.poll() is None:
            _LOG.warning("%s did not stop within %s seconds and is killed", run.child.name, seconds)
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()
