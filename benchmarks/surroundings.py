"""What benchmarks run on: a PostgreSQL of their own that waits for the disk, databases, API processes."""

import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx2
import psycopg

from api.auth import TRADER
from api.listening import listen
from api.tokens import make_token
from domain.values import TraderId
from infrastructure.clock import SystemClock
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.servers import embedded_servers
from infrastructure.postgres.migrating import upgrade

_READY_SECONDS = 30.0
_TOKEN_SECONDS = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where to measure. ``postgres`` is the superuser's URL of the server, ``home`` a directory of this run's own."""

    home: Path
    postgres: str
    numbers: Iterator[int]

    def database(self) -> str:
        """The URL of a new, migrated database."""
        url = self.empty_database()
        upgrade(url)
        return url

    def empty_database(self) -> str:
        """The URL of a new database with nothing in it."""
        name = f"bench_{next(self.numbers)}"
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.postgres.replace("/orderlog?", f"/{name}?")


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """Start the server, and leave nothing behind."""
    home = Path(tempfile.mkdtemp(prefix="orderlog-bench-"))
    try:
        with embedded_servers(home, [Postgres()]) as addresses:
            yield Surroundings(home, str(addresses.database_url), count(1))
    finally:
        shutil.rmtree(home)


def machine(postgres: str) -> dict[str, str]:
    """What the figures were measured on."""
    with psycopg.connect(postgres) as connection:
        settings = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        found = {name: str(connection.execute(f"SHOW {name}").fetchone()[0]) for name in settings}  # type: ignore[index] # there is one row
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processors": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "memory": f"{memory:.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{f"postgres {name}": value for name, value in found.items()},
    }


@dataclass(frozen=True, slots=True)
class Served:
    """An API process that answers."""

    host: str
    port: int
    secret: str
    process: subprocess.Popen[bytes]

    def token(self, trader: str) -> str:
        """A token for the trader."""
        roles = frozenset({TRADER})
        return make_token(self.secret.encode(), TraderId(trader), roles, _TOKEN_SECONDS, SystemClock().now())


@contextmanager
def served(
    around: Surroundings,
    module: str,
    database_url: str,
    variables: Mapping[str, str] | None = None,
    processes: int = 1,
) -> Iterator[Served]:
    """Run ``python -m MODULE DESCRIPTOR``, which listens as an API process does, until the end of the block.

    Several ``processes`` share the socket; the first of them is the one that is returned.
    """
    secret = secrets.token_urlsafe(48)
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "ORDERLOG_JWT_SECRET": secret,
        **(variables or {}),
    }
    with listen("127.0.0.1", 0) as listener, (around.home / "api.log").open("ab") as log:
        host, port = listener.getsockname()[:2]
        started = [
            subprocess.Popen(  # noqa: S603 - the command is ours
                [sys.executable, "-m", module, str(listener.fileno())],
                env=environment,
                pass_fds=[listener.fileno()],
                stderr=log,
            )
            for _ in range(processes)
        ]
    try:
        _wait_until_ready(host, port, started[0])
        yield Served(host, port, secret, started[0])
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _wait_until_ready(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _READY_SECONDS
    with httpx2.Client(trust_env=False) as client:
        while time.monotonic() < until and process.poll() is None:
            try:
                if client.get(f"http://{host}:{port}/livez").is_success:
                    return
            except (OSError, httpx2.HTTPError):
                time.sleep(0.05)
    raise RuntimeError("the API process did not become ready")
