"""Find and stop servers that outlived their guard."""

import os
import signal
import time
from pathlib import Path

_PROCESSES = Path("/proc")


def stop_strays(directory: Path, program: str, first: signal.Signals, *, patience_seconds: float = 10.0) -> None:
    """Stop every process of `program` whose working directory is `directory` or below it, and wait for its end.

    Only those get the signal that no other of them started: a PostgreSQL stops its own backends.

    Args:
        directory: a directory that is ours alone.
        program: file name of the executable, so that somebody's shell in that directory is left alone.
        first: the signal to ask with.
        patience_seconds: after this time whoever is left is killed.
    """
    strays = _strays(directory, program)
    for process in [process for process in strays if _parent(process) not in strays]:
        _send(process, first)
    deadline = time.monotonic() + patience_seconds
    while strays := _strays(directory, program):
        if time.monotonic() > deadline:
            for process in strays:
                _send(process, signal.SIGKILL)
        time.sleep(0.02)


def _strays(directory: Path, program: str) -> set[int]:
    return {int(path.name) for path in _PROCESSES.glob("[0-9]*") if _is_stray(path, directory, program)}


def _is_stray(process: Path, directory: Path, program: str) -> bool:
    try:
        executable = (process / "exe").readlink().name.removesuffix(" (deleted)")
        return executable == program and (process / "cwd").readlink().is_relative_to(directory)
    except OSError:  # gone meanwhile, a zombie, or somebody else's
        return False


def _parent(process: int) -> int:
    try:
        status = (_PROCESSES / str(process) / "stat").read_text()
    except OSError:  # gone meanwhile
        return 0
    return int(status.rpartition(")")[2].split()[1])


def _send(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
