"""This machine: Python, the servers' programs, the home."""

import json
import os
import platform
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cli.checks.finding import Finding, attempt
from cli.engine import ADDRESS_FILE, running_engine
from infrastructure.embedded.home import Home, open_home
from infrastructure.embedded.postgres import program_path as postgres_program
from infrastructure.embedded.valkey import program_path as valkey_program

_PYTHON_MIN = (3, 11)
_FREE_BYTES_MIN = 1_000_000_000
_PROGRAM_SECONDS_MAX = 10


def python_version() -> Finding:
    """Whether this Python is new enough."""
    found = platform.python_version()
    if sys.version_info < _PYTHON_MIN:
        return Finding("python", found, "use Python 3.11 or newer")
    return Finding("python", found)


def programs() -> Iterator[Finding]:
    """Whether the embedded servers' programs, which come with the installation, run here."""
    yield _program("postgres", lambda: postgres_program("postgres"))
    yield _program("valkey", valkey_program)


def _program(name: str, find: Callable[[], str]) -> Finding:
    def look() -> Finding:
        command = [find(), "--version"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=_PROGRAM_SECONDS_MAX, check=True)  # noqa: S603 - our own program
        return Finding(f"{name} program", said.stdout.strip())

    return attempt(f"{name} program", look, "install orderlog again: the program comes with what it depends on")


def home_directory(directory: Path) -> Iterator[Finding]:
    """Whether the home can be used, is private and has room, and what a killed engine left in it."""
    yield _room(directory)
    if not directory.exists():
        yield Finding("home", f"{directory} does not exist yet; it is made at the first start")
        return
    yield _mode(directory)
    yield from _leftovers(directory)


def _room(directory: Path) -> Finding:
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1e9:.1f} GB free for {directory}"
    if free < _FREE_BYTES_MIN:
        return Finding("disk", detail, "free at least 1 GB, or move the home with ORDERLOG_HOME")
    return Finding("disk", detail)


def _mode(directory: Path) -> Finding:
    mode = stat.S_IMODE(directory.stat().st_mode)
    if not directory.is_dir():
        return Finding("home", f"{directory} is not a directory", "remove it, or choose another ORDERLOG_HOME")
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return Finding("home", f"{directory} cannot be written", "make it yours with chown, or choose another one")
    if mode & 0o077:
        return Finding("home", f"{directory} is open to other users ({mode:04o})", f"chmod 700 {directory}")
    return Finding("home", f"{directory} ({mode:04o})")


def _leftovers(directory: Path) -> Iterator[Finding]:
    file = directory / ADDRESS_FILE
    if file.exists() and running_engine(directory) is None:
        yield Finding(
            "stale engine", f"{file} names {_process(file)}, which is gone", "`orderlog serve`, which replaces it"
        )
    try:
        home = open_home(directory)
    except Exception as error:  # noqa: BLE001 - found and said above
        del error
        return
    if home.guard_socket.exists() and not guard_answers(home):
        yield Finding(
            "stale servers",
            f"the embedded servers were killed and left {home.guard_socket}",
            "`orderlog serve`, which clears it away and recovers the database",
        )


def _process(file: Path) -> str:
    try:
        return f"process {json.loads(file.read_bytes())['pid']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process"


def guard_answers(home: Home) -> bool:
    """Whether somebody runs the embedded servers of this home right now."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(home.guard_socket))
        except OSError:
            return False
    return True
