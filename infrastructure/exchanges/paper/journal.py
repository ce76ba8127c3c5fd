"""The journal: one JSON line per command, written before the command has any effect.

A line has reached the operating system when `append` returns, so killing the process loses nothing; there is no fsync,
so a power failure may. After a kill in the middle of a write the last line is torn: nobody has seen an effect of it,
and it is cut off.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from infrastructure.exchanges.paper.commands import Command


class JournalInUse(Exception):  # noqa: N818 - the name is the sentence
    """Another venue writes to this journal."""


class JournalDamaged(Exception):  # noqa: N818 - the name is the sentence
    """A line in the middle of the journal is not a command; what follows it cannot be trusted."""


class JournalUnwritable(Exception):  # noqa: N818 - the name is the sentence
    """The command could not be recorded and must not be applied."""


class Journal:
    """An append-only file of commands, held by one venue at a time.

    Args:
        path: Created when it does not exist.

    Raises:
        JournalInUse: Another process holds it.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise JournalInUse(f"another venue writes to {path}") from None

    def replay(self) -> Iterator[Command]:
        """Read every command recorded so far, and cut off a torn last line.

        Raises:
            JournalDamaged: A complete line cannot be read.
        """
        decoder = msgspec.json.Decoder(Command)
        whole = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    yield decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise JournalDamaged(f"line {number} of {self._path}: {error}") from error
                whole += len(line)
        os.ftruncate(self._fd, whole)

    def append(self, command: Command) -> None:
        """Record a command.

        Raises:
            JournalUnwritable: The disk would not take it; the journal is as it was.
        """
        line = self._encoder.encode(command) + b"\n"
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise JournalUnwritable(f"cannot write to {self._path}: {error}") from error
        if written < len(line):
            # A full disk takes what fits. The next command must not continue this line.
            os.ftruncate(self._fd, size)
            raise JournalUnwritable(f"cannot write to {self._path}: no space left")

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)
