"""Signals as something to wait for, side by side with sockets and child processes."""

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Any, Self


class SignalInbox:
    """Collects the given signals while it is open; they no longer interrupt anything.

    Works from the main thread only, like all of Python's signal handling, and also where other threads are running.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self._signals = signals
        self._receiver, self._sender = socket.socketpair()
        self._previous: dict[signal.Signals, Any] = {}
        self._previous_descriptor = -1

    def __enter__(self) -> Self:
        """Begin to collect."""
        self._receiver.settimeout(0)
        self._sender.settimeout(0)
        self._previous_descriptor = signal.set_wakeup_fd(self._sender.fileno())
        self._previous = {number: signal.signal(number, _leave_it_to_the_inbox) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what handled the signals before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_descriptor)
        self._receiver.close()
        self._sender.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable when a signal has come."""
        return self._receiver.fileno()

    def read(self) -> set[int]:
        """Return the numbers of the signals that have come since the last call."""
        try:
            return set(self._receiver.recv(4096))
        except BlockingIOError:
            return set()

    def wait(self, seconds: float | None) -> set[int]:
        """Wait for signals and return their numbers; the set is empty when the time is over."""
        select.select([self._receiver], [], [], seconds)
        return self.read()


def _leave_it_to_the_inbox(_number: int, _frame: FrameType | None) -> None:
    """Handle nothing: a handler of ours makes Python write the number to the wake-up descriptor."""
