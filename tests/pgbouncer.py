"""A real PgBouncer for tests: the one on the PATH, or Debian's package, fetched once and unpacked into a folder."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from infrastructure.embedded.postgres import _identity
from infrastructure.embedded.tether import tethered

UNPACKED = Path(tempfile.gettempdir()) / f"orderlog-pgbouncer-{os.geteuid()}"
LIBRARIES = ("libc-ares2", "libcares2", "libevent-2.1-7", "libevent-2.1-7t64")
START_SECONDS = 20

CONFIGURATION = """
[databases]
* = host={host} port={port} {connect_query}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = {pool_mode}
default_pool_size = {pool_size}
max_client_conn = 500
server_login_retry = 1
"""


class NoPgBouncerError(Exception):
    """There is no PgBouncer here; the message says how to get one."""


@contextmanager
def pgbouncer(
    database_url: str, *, pool_mode: str = "transaction", pool_size: int = 3, connect_query: str = ""
) -> Iterator[str]:
    """The URL of a pooler before the database, for the length of the block."""
    program, variables = pgbouncer_program()
    direct = conninfo_to_dict(database_url)
    with tempfile.TemporaryDirectory(prefix="orderlog-pgbouncer-") as name:
        folder = Path(name)
        port = _free_port()
        (folder / "users.txt").write_text('"postgres" ""\n')
        (folder / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                host=direct["host"],
                port=direct["port"],
                listen_port=port,
                folder=folder,
                pool_mode=pool_mode,
                pool_size=pool_size,
                connect_query=f"connect_query='{connect_query}'" if connect_query else "",
            )
        )
        command = tethered([program, "-q", str(folder / "pgbouncer.ini")], identity=_identity(folder))
        with subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True) as process:
            url = f"postgresql://postgres@127.0.0.1:{port}/{direct['dbname']}"
            try:
                _wait_until_it_answers(url, process)
                yield url
            finally:
                process.kill()
                process.communicate()


def pgbouncer_program() -> tuple[str, Mapping[str, str]]:
    """Where PgBouncer is, and the variables that it needs to find its libraries.

    Raises:
        NoPgBouncerError: it is nowhere, and cannot be fetched.
    """
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is not None:
        return found, {}
    if not UNPACKED.exists():
        _fetch()
    libraries = ":".join(map(str, (UNPACKED / "usr/lib").glob("*-linux-gnu")))
    return str(UNPACKED / "usr/sbin/pgbouncer"), {"LD_LIBRARY_PATH": libraries}


def _fetch() -> None:
    """Unpack Debian's package and what it needs, without installing anything."""
    with tempfile.TemporaryDirectory(prefix="orderlog-fetched-", dir=UNPACKED.parent) as name:
        folder = Path(name)
        unsandboxed = ["-o", "APT::Sandbox::User=root"]
        lists = ["-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        if not _run(folder, "apt-get", *unsandboxed, "download", "pgbouncer"):
            (folder / "lists/partial").mkdir(parents=True)
            _run(folder, "apt-get", *unsandboxed, *lists, "update")
            unsandboxed += lists
            if not _run(folder, "apt-get", *unsandboxed, "download", "pgbouncer"):
                raise NoPgBouncerError(
                    "There is no pgbouncer on the PATH, and Debian's package cannot be fetched: "
                    "install it (on Debian: apt-get install pgbouncer)"
                )
        for library in LIBRARIES:  # they go by other names in other releases
            _run(folder, "apt-get", *unsandboxed, "download", library)
        for package in folder.glob("*.deb"):
            _run(folder, "dpkg", "-x", str(package), str(folder / "root"))
        (folder / "root").rename(UNPACKED)


def _run(folder: Path, *command: str) -> bool:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_it_answers(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "PgBouncer does not answer"
            time.sleep(0.05)
        else:
            return
