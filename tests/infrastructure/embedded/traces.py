"""What embedded servers could leave behind, read from the kernel and the file system."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")


def processes(home: Path) -> dict[int, str]:
    """Return the command lines of the processes that work in `home` or name it, except our own."""
    found = {}
    for process in PROC.glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = (process / "cwd").readlink()
        except OSError:
            continue
        if not command:  # it has ended: its memory is gone already
            continue
        if int(process.name) != os.getpid() and (str(home) in command or where.is_relative_to(home)):
            found[int(process.name)] = command
    return found


def guard_of(home: Path) -> int:
    return next(process for process, command in processes(home).items() if "embedded.guard" in command)


def postmaster_of(home: Path) -> int:
    return int((home / "postgres/data/postmaster.pid").read_text().split()[0])


def zombies() -> list[str]:
    """Return the names of our own children that have ended and were not reaped."""
    states = []
    for path in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it is gone by now
            states.append(path.read_text())
    fields = [
        (state[state.index("(") + 1 : state.rindex(")")], *state[state.rindex(")") + 2 :].split()[:2])
        for state in states
    ]
    return [name for name, state, parent in fields if state == "Z" and int(parent) == os.getpid()]


def files(home: Path) -> list[Path]:
    """Return everything below `home`, also while it changes."""
    return [Path(directory, name) for directory, directories, names in os.walk(home) for name in (*directories, *names)]


def locks(home: Path) -> list[str]:
    """Return the kernel's locks on anything below `home`."""
    inodes = set()
    for path in (home, *files(home)):
        with contextlib.suppress(FileNotFoundError):
            inodes.add(path.lstat().st_ino)
    return [
        line for line in Path("/proc/locks").read_text().splitlines() if int(line.split()[-3].split(":")[-1]) in inodes
    ]


def traces(home: Path) -> list[str]:
    """Return everything that is still there: processes, sockets, locks and pid files."""
    left = [f"process {number}: {command}" for number, command in processes(home).items()]
    left += [f"zombie {name}" for name in zombies()]
    left += [
        f"file {path}"
        for path in files(home)
        if path.is_socket() or path.suffix in {".lock", ".pid"} or path == home / "run"
    ]
    left += [f"lock {line}" for line in locks(home)]
    return left


def eventually(condition: Callable[[], bool], *, seconds: float = 15.0) -> bool:
    """Return whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
