"""The file ``error-log.md`` in the home: unexpected errors as a person reads them, of all processes that share the home."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "error-log.md"
FORMER = "error-log.1.md"
BYTES_MAX = 1_000_000
"""Where the file has grown beyond this, it becomes the former one, which goes."""

_HEAD = """# Errors of this engine

What nobody expected, oldest first. The log of the process has the same `error_id`, and so has the answer to whoever
was concerned. The former part of this file is in `error-log.1.md`; what was before that is gone.

"""


class ErrorLog:
    """Appends entries, each whole: several processes may, and a rotation loses none.

    Args:
        home: the directory; where there is none, none is made.
    """

    def __init__(self, home: Path) -> None:
        self._file = home / NAME
        self._former = home / FORMER

    def append(self, entry: str) -> None:
        """Write the entry behind the others.

        Raises:
            OSError: it cannot be written.
        """
        with self._locked() as descriptor:
            size = os.fstat(descriptor).st_size
            os.write(descriptor, (entry if size else _HEAD + entry).encode(errors="backslashreplace"))
            if size + len(entry) > BYTES_MAX:
                self._file.replace(self._former)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, open and ours alone; one that another process has just put aside is let go."""
        while True:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if self._is_current(descriptor):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(self._file.stat(), os.fstat(descriptor))
        except FileNotFoundError:
            return False
