"""The guard: one process per home that runs the embedded servers for as long as anybody uses them.

    python -m infrastructure.embedded.guard HOME LISTENER_DESCRIPTOR

Whoever needs the servers holds a connection to the guard's socket; see `servers.py`. The kernel closes a connection
however its owner ends, so the guard sees the end of the last user also when that was a kill -9, and then stops the
servers and itself. The decision is made under the lock of the home, under which users connect: nobody can come in between.

The guard is not a child of its users in any way that matters: it has its own session, so neither Ctrl-C nor the death
of the process that started it reaches it. When the guard itself is killed, the kernel tells the servers (`tether.py`).
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec

from infrastructure.embedded.home import Home, open_home
from infrastructure.embedded.server import Server, ServerRun
from infrastructure.embedded.signals import SignalInbox
from infrastructure.logs import log_to_standard_error

_STARTING_POLL_SECONDS = 0.01
_LOG = logging.getLogger("orderlog.guard")


class Request(msgspec.Struct, frozen=True):
    """What a user asks for, as one line of JSON."""

    wanted: tuple[Server, ...]


class Reply(msgspec.Struct, frozen=True):
    """What the guard answers, as one line of JSON: an address for each wanted server, or why there is none."""

    addresses: dict[str, str] = {}
    error: str | None = None


OTHERS_REMAIN = b"others remain\n"
"""The farewell to a user that is not the last. To the last one, the guard says goodbye by ending."""


class _User:
    """One connection: a process that needs the servers."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.wanted: tuple[Server, ...] = ()

    def send(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone: its end comes as the next event
            self.connection.sendall(line)


class Guard:
    """Starts what users want, restarts what dies, and stops everything after the last user."""

    def __init__(self, home: Home, listener: socket.socket, inbox: SignalInbox) -> None:
        self._home = home
        self._listener = listener
        self._inbox = inbox
        self._users: dict[socket.socket, _User] = {}
        self._waiting: list[_User] = []
        self._leaver: _User | None = None
        self._servers: dict[str, ServerRun] = {}
        self._selector = selectors.DefaultSelector()
        listener.settimeout(0)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(inbox, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until the last user has left or a signal asks for the end."""
        while not self._ends():
            for key, _ in self._selector.select(self._patience()):
                if isinstance(key.fileobj, socket.socket) and key.fileobj in self._users:
                    self._hear(self._users[key.fileobj])
            self._accept()
            for server in self._servers.values():
                server.tend(time.monotonic())
            self._answer()

    def _patience(self) -> float | None:
        """Return how long to wait for events, in seconds; None when only an event can bring work."""
        if all(server.is_ready for server in self._servers.values()):
            return None
        return _STARTING_POLL_SECONDS

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                self._users[connection] = _User(connection)
                self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, user: _User) -> None:
        try:
            received = user.connection.recv(65536)
        except OSError:  # it died with our answer unread
            received = b""
        if not received:
            self._part_from(user)
            return
        user.received += received
        if user.received.endswith(b"\n"):
            self._take_request(user)

    def _take_request(self, user: _User) -> None:
        try:
            user.wanted = msgspec.json.decode(user.received, type=Request).wanted
        except msgspec.MsgspecError as error:  # from another version of this program
            user.send(
                msgspec.json.encode(
                    Reply(error=f"the servers of {self._home.directory} are guarded by another version: {error}")
                )
                + b"\n"
            )
            return
        self._waiting.append(user)
        for server in user.wanted:
            if server.name not in self._servers:
                self._servers[server.name] = ServerRun(server, self._home)

    def _answer(self) -> None:
        for user in list(self._waiting):
            runs = [self._servers[server.name] for server in user.wanted]
            failed = next((run for run in runs if run.failure), None)
            if failed:
                self._reply(user, Reply(error=failed.failure))
            elif all(run.is_ready for run in runs):
                self._reply(user, Reply({run.server.name: run.address for run in runs if run.address}))
        for name in [name for name, run in self._servers.items() if run.failure]:
            del self._servers[name]  # the next user may try again

    def _reply(self, user: _User, reply: Reply) -> None:
        self._waiting.remove(user)
        user.send(msgspec.json.encode(reply) + b"\n")

    def _part_from(self, user: _User) -> None:
        self._selector.unregister(user.connection)
        del self._users[user.connection]
        if user in self._waiting:
            self._waiting.remove(user)
        if self._users:
            user.send(OTHERS_REMAIN)
            user.connection.close()
        else:
            self._leaver = user  # kept open: the end of this process tells it that everything has stopped

    def _ends(self) -> bool:
        """Stop everything and return True when nobody is left or a signal asks for it."""
        told = self._inbox.read() & {signal.SIGTERM, signal.SIGINT}
        if self._users and not told:
            return False
        with self._home.changing():
            self._accept()
            if self._users and not told:
                if self._leaver:
                    self._leaver.send(OTHERS_REMAIN)
                    self._leaver.connection.close()
                return False
            self._home.guard_socket.unlink(missing_ok=True)
            self._listener.close()
            for server in self._servers.values():
                server.ask_to_stop()
            for server in self._servers.values():
                server.wait_for_end()
            with contextlib.suppress(OSError):  # somebody else's file in it is not ours to remove
                self._home.sockets.rmdir()
        _LOG.info("stopped")
        return True


def main(home_path: str, listener_descriptor: str) -> None:
    """Guard the servers of a home.

    Args:
        home_path: the home.
        listener_descriptor: number of the inherited socket that is bound to the guard's path and listens.
    """
    log_to_standard_error("guard")
    os.umask(0o077)
    with (
        SignalInbox(signal.SIGTERM, signal.SIGINT, signal.SIGCHLD) as inbox,
        socket.socket(fileno=int(listener_descriptor)) as listener,
    ):
        os.set_inheritable(listener.fileno(), False)  # noqa: FBT003 - the signature is Python's
        Guard(open_home(Path(home_path)), listener, inbox).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
