"""The disk under PostgreSQL is full, or slow: nothing is acknowledged that is not on it, and room is all that it takes."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from infrastructure.embedded.home import Home, open_home
from infrastructure.embedded.postgres import Postgres
from infrastructure.postgres.migrating import upgrade
from tests.api.conftest import list_instruments
from tests.degradation.desk import AWAY, Desk, all_told, desk_at, eventually, traded
from tests.faults.processes import Server

_DISK_BYTES = 224 * 1024 * 1024
_CHUNK = bytes(1024 * 1024)


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A disk of its own for one server. Making one needs root, so it is mounted by whoever may."""
    directory = Path(tempfile.mkdtemp(prefix="orderlog-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=0700", "orderlog-test", str(directory)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        directory.rmdir()
        pytest.skip(f"a disk that can be filled cannot be made here: {made.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)
    directory.rmdir()


@pytest.fixture(scope="module")
def small_home(small_disk: Path) -> Iterator[Home]:
    home = open_home(small_disk / "home")
    home.make_sockets()
    yield home
    shutil.rmtree(home.sockets, ignore_errors=True)


@pytest.fixture(scope="module")
def small_database(small_home: Home) -> Iterator[Server]:
    server = Server(Postgres(), small_home)
    server.start()
    yield server
    server.end()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def small_desk(small_database: Server, small_home: Home) -> AsyncIterator[Desk]:
    """The application on a database whose disk is small, and which waits for the disk."""
    url = await eventually(lambda: small_database.address)
    await asyncio.to_thread(upgrade, url)
    await list_instruments(url)
    async with desk_at(url, small_home) as desk:
        yield desk


def fill(file: Path) -> None:
    """Take what is left of the disk, to the last byte."""
    with file.open("wb", buffering=0) as filler:
        for chunk in (_CHUNK, bytes(4096), b"0"):
            try:
                while True:
                    filler.write(chunk)
            except OSError:
                continue


async def test_a_full_disk_refuses_what_it_cannot_hold_and_room_is_all_it_takes(
    small_desk: Desk, small_database: Server, small_disk: Path
) -> None:
    client = await small_desk.trader()
    async with traded(small_desk) as traders:
        await small_desk.is_back(client)
        filler = small_disk / "filler"
        await asyncio.to_thread(fill, filler)
        await all_told(traders)
        # What is there can be read, unless PostgreSQL itself has had to give up.
        assert (await client.get("/api/v1/orders")).status_code in {200, 503}
        filler.unlink()
        if not small_database.is_running:
            small_database.start()
        await small_desk.is_back(client)
    assert (await client.get("/api/v1/orders")).status_code == 200


async def test_a_commit_that_the_disk_does_not_confirm_is_not_answered_as_failed(small_desk: Desk) -> None:
    """A standby that has to confirm and is not there holds a commit where a disk would that never says it is done."""
    url = str(small_desk.engine.settings.database_url)
    client = await small_desk.trader()
    with psycopg.connect(url.partition("&options=")[0], autocommit=True) as operator:
        operator.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        operator.execute("SELECT pg_reload_conf()")
        answer = await client.place({"Idempotency-Key": "held"})
        while answer.status_code == 201:  # the server has not heard of it yet
            answer = await client.place({"Idempotency-Key": f"held-{os.urandom(4).hex()}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "OUTCOME_UNKNOWN")
        assert (await client.place()).json()["code"] in AWAY
        operator.execute("ALTER SYSTEM RESET synchronous_standby_names")
        operator.execute("SELECT pg_reload_conf()")
    await small_desk.is_back(client)


async def test_a_slow_disk_slows_orders_down_and_refuses_none(small_desk: Desk) -> None:
    url = str(small_desk.engine.settings.database_url)
    client = await small_desk.trader()
    with psycopg.connect(url.partition("&options=")[0], autocommit=True) as operator:
        operator.execute(
            "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END$$"
        )
        operator.execute("CREATE TRIGGER slowly BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION slowly()")
        answers = await asyncio.gather(*(client.place() for _ in range(50)))
        operator.execute("DROP TRIGGER slowly ON log_head")
    assert {answer.status_code for answer in answers} == {201}
