"""The engine's home: the one directory that holds everything it keeps on this machine."""

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_LONGEST_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES_MAX = 107  # sun_path holds 108 with the closing zero
_LOCK_SECONDS_MAX = 60.0


class HomeError(Exception):
    """The home cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Home:
    """A home that exists and is closed to other users.

    Attributes:
        directory: the home, absolute and free of symbolic links, so that one home has one name.
        sockets: the directory of the Unix sockets, inside the home where their names are short enough for the kernel.
    """

    directory: Path
    sockets: Path

    @property
    def guard_socket(self) -> Path:
        """Where the guard of this home answers."""
        return self.sockets / "guard.sock"

    @property
    def guard_log(self) -> Path:
        """What the guard of this home says."""
        return self.directory / "guard.log"

    def server_directory(self, name: str) -> Path:
        """Return the private directory of a server, made at first use."""
        directory = self.directory / name
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory

    def secret(self, name: str, make: Callable[[], str]) -> Path:
        """Return the file of a secret, made at first use with mode 0600.

        Processes that make it at the same time all get the same one.
        """
        kept = self.directory / name
        if not kept.exists():
            fresh = kept.with_name(f"{name}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first, and its secret is the one
                kept.hardlink_to(fresh)
            fresh.unlink()
        return kept

    def make_sockets(self) -> None:
        """Make the directory of the sockets.

        Raises:
            HomeError: somebody else owns a directory of that name, or could write to it.
        """
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        found = self.sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise HomeError(f"{self.sockets} is not a directory that only we can use: remove it, or use a shorter home")

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock under which the guard of this home is found, started and ended.

        The lock lies on the directory itself: there is no lock file, and the kernel releases it however we end.

        Raises:
            HomeError: another process has held it for a minute.
        """
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            deadline = time.monotonic() + _LOCK_SECONDS_MAX
            while not _locked(descriptor):
                if time.monotonic() > deadline:
                    raise HomeError(
                        f"another process has been starting or stopping the servers of {self.directory} for a minute"
                    )
                time.sleep(0.01)
            yield
        finally:
            os.close(descriptor)


def begin_log(log: Path) -> Path:
    """Put a log of the last time aside, so that what it says from now on is about this time."""
    if log.exists():
        log.rename(log.with_name(log.name + ".1"))
    return log


def open_home(path: Path) -> Home:
    """Return the home at `path`, made at first use with mode 0700.

    Raises:
        HomeError: it cannot be made, or it is open to other users and holds files, so that closing it might surprise them.
    """
    try:
        directory = path.resolve()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(directory.stat().st_mode) & 0o077:
            if any(directory.iterdir()):
                raise HomeError(
                    f"ORDERLOG_HOME is {directory}, which holds files and is open to other users: choose an empty or a new directory, or close it with chmod 700",
                )
            directory.chmod(0o700)
    except OSError as error:
        raise HomeError(f"ORDERLOG_HOME is {path}, which cannot be used: {error.strerror}") from error
    return Home(directory, _sockets(directory))


def _sockets(home: Path) -> Path:
    inside = home / "run"
    fits = len(os.fsencode(inside / _LONGEST_SOCKET_NAME)) <= _SOCKET_PATH_BYTES_MAX
    if fits and "," not in str(inside):  # a comma separates hosts in a database address
        return inside
    mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"orderlog-{mark}"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
