"""Use the embedded servers of a home: PostgreSQL, Valkey and the paper venue, shared by all processes of that home."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from infrastructure.embedded.guard import OTHERS_REMAIN, Reply, Request
from infrastructure.embedded.home import Home, begin_log, open_home
from infrastructure.embedded.paper_venue import PaperVenue
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.server import Server, tail
from infrastructure.embedded.valkey import Valkey
from infrastructure.settings import Settings

_REPLY_SECONDS_MAX = 180.0
_FAREWELL_SECONDS_MAX = 60.0


class EmbeddedServerError(Exception):
    """An embedded server did not start; the message says which, why, and where its log is."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the wanted servers are; None for the others."""

    database_url: str | None = None
    redis_url: str | None = None
    venue_url: str | None = None


def wanted_servers(settings: Settings) -> tuple[Server, ...]:
    """Return the servers that have to be embedded, the one with the longest first start last, so that none waits for it."""
    servers: list[Server] = []
    if settings.exchange == "paper":
        servers.append(PaperVenue())
    if settings.redis_url is None:
        servers.append(Valkey())
    if settings.database_url is None:
        servers.append(Postgres())
    return tuple(servers)


@contextmanager
def embedded_servers(home: Path, wanted: Collection[Server]) -> Iterator[Addresses]:
    """Have the wanted servers of `home` running for the length of the block, shared with whoever else uses them.

    Whoever leaves last waits until they have stopped and nothing of them is left.

    Args:
        home: directory that holds their data; made at first use.
        wanted: which ones. A server that already runs is used as it runs.

    Raises:
        EmbeddedServerError: one of them did not start.
        HomeError: the home cannot be used.
    """
    if not wanted:
        yield Addresses()
        return
    connection, reaper = _join(open_home(home))
    try:
        reply = _ask(connection, Request(tuple(wanted)), home)
        yield Addresses(
            reply.addresses.get(Postgres.name), reply.addresses.get(Valkey.name), reply.addresses.get(PaperVenue.name)
        )
    finally:
        _leave(connection, reaper)


def _join(home: Home) -> tuple[socket.socket, threading.Thread | None]:
    """Connect to the guard of this home, started if there is none; then also return the thread that reaps it."""
    with home.changing():
        home.make_sockets()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(home.guard_socket))
        except (FileNotFoundError, ConnectionRefusedError):
            home.guard_socket.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(home.guard_socket))
                listener.listen(128)
                reaper = _start_guard(home, listener)
                connection.connect(str(home.guard_socket))
            return connection, reaper
        return connection, None


def _start_guard(home: Home, listener: socket.socket) -> threading.Thread:
    with begin_log(home.guard_log).open("wb") as log:
        guard = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", "infrastructure.embedded.guard", str(home.directory), str(listener.fileno())],
            cwd=home.directory,
            pass_fds=[listener.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    reaper = threading.Thread(target=guard.wait, name="reaper of the guard", daemon=True)
    reaper.start()
    return reaper


def _ask(connection: socket.socket, request: Request, home: Path) -> Reply:
    connection.settimeout(_REPLY_SECONDS_MAX)
    try:
        with contextlib.suppress(ConnectionError):  # the guard is gone: there will be no answer
            connection.sendall(msgspec.json.encode(request) + b"\n")
        line = _read_line(connection)
    except TimeoutError as error:
        raise EmbeddedServerError(
            f"the embedded servers of {home} did not answer within {_REPLY_SECONDS_MAX:.0f} seconds"
        ) from error
    if not line:
        raise EmbeddedServerError(
            f"the process that guards the embedded servers ended. {tail(open_home(home).guard_log)}"
        )
    reply = msgspec.json.decode(line, type=Reply)
    if reply.error:
        raise EmbeddedServerError(reply.error)
    return reply


def _leave(connection: socket.socket, reaper: threading.Thread | None) -> None:
    """Say goodbye; if we are the last, wait until the servers and the guard are gone."""
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_FAREWELL_SECONDS_MAX)
        connection.shutdown(socket.SHUT_WR)
        if _read_line(connection) != OTHERS_REMAIN and reaper:
            reaper.join(_FAREWELL_SECONDS_MAX)


def _read_line(connection: socket.socket) -> bytes:
    """Read up to the end of a line, or return what came when the guard ends."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while not received.endswith(b"\n"):
            part = connection.recv(65536)
            if not part:
                break
            received += part
    return received
