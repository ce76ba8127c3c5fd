"""PostgreSQL servers that tests start, copy, kill and promote one by one, which the embedded one is not made for."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from infrastructure.embedded.postgres import _INITDB_OPTIONS, _identity, program_path
from infrastructure.embedded.tether import tethered

SECONDS_MAX = 60
_PORT = "5432"
_OPTIONS = {"fsync": "off", "listen_addresses": "", "unix_socket_permissions": "0700", "port": _PORT}


class Cluster:
    """A data directory and, while it runs, the server on it, reached over a Unix socket in ``folder``.

    The folder's path has to be short enough for a socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "orderlog") -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder), safe='')}&port={_PORT}"

    def make(self) -> None:
        """Make the data directory, with an empty database `orderlog`."""
        self.data.mkdir(mode=0o700)
        self.run("initdb", "-D", str(self.data), *_INITDB_OPTIONS)
        with self.running():
            self.execute("CREATE DATABASE orderlog", "postgres")

    def copy(self, other: "Cluster", *options: str) -> None:
        """Make the data directory of a base backup of another cluster, which runs."""
        source = f"host={other.folder} port={_PORT} user=postgres application_name={self.folder.name}"
        self.data.mkdir(mode=0o700)
        self.run("pg_basebackup", "-D", str(self.data), "-d", source, "--checkpoint=fast", "--no-sync", *options)

    def start(self, **options: str) -> None:
        """Start the server, and wait until it answers."""
        settings = {**_OPTIONS, "unix_socket_directories": str(self.folder), **options}
        arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        command = [program_path("postgres"), "-D", str(self.data), *arguments]
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                tethered(command, death_signal=signal.SIGINT, identity=_identity(self.data)),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS_MAX
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "server.log").read_text()
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()
            time.sleep(0.02)

    @contextmanager
    def running(self, **options: str) -> Iterator[None]:
        """The server for the length of the block, unless it is ended in it."""
        self.start(**options)
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """End it in good order, if it runs."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would, with everything that belongs to it."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Have it do nothing, and say nothing, until it thaws."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def promote(self) -> None:
        """Make the standby a primary."""
        self.run("pg_ctl", "promote", "-D", str(self.data))

    def execute(self, statement: str, database: str = "orderlog") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL as whoever the server runs as."""
        command = tethered([program_path(program), *arguments], identity=_identity(self.data))
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
        assert done.returncode == 0, done.stdout + done.stderr

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1", "postgres")
        except psycopg.OperationalError:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        # Its children are in sessions of their own, so they are told one by one.
        for process in (self._process.pid, *_children(self._process.pid)):
            os.kill(process, number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        children = _children(process.pid)
        process.send_signal(number)
        if number is signal.SIGKILL:
            for child in children:
                _kill(child)
        process.wait(SECONDS_MAX)


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


@contextmanager
def clusters(*names: str) -> Iterator[list[Cluster]]:
    """Clusters of these names that do not run yet; they are stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="orderlog-") as folder:
        made = [Cluster(Path(folder) / name) for name in names]
        try:
            yield made
        finally:
            for cluster in made:
                cluster.kill()
