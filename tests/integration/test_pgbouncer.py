"""The engine behind a real PgBouncer in transaction mode, with fewer connections than it has users."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.sync.client import connect

from infrastructure.composition import open_engine
from infrastructure.postgres.pooling import gives_each_transaction_another_connection
from infrastructure.reachability import UnreachableError, check_servers
from infrastructure.settings import SettingsError, load_settings
from tests.conftest import fresh_database
from tests.engine_process import RunningEngine, place, running_engine, wait_for_order
from tests.integration.test_engine import FAR_AWAY, MARKET, process_of
from tests.pgbouncer import NoPgBouncerError, pgbouncer

POOL_SIZE = 3


class Database(NamedTuple):
    """Two ways to one database."""

    pooled: str
    direct: str

    def settings(self) -> dict[str, str]:
        return {"DATABASE_URL": self.pooled, "ORDERLOG_DIRECT_DATABASE_URL": self.direct, "REDIS_URL": "none"}


@pytest.fixture(scope="module")
def database(postgres: str, migrated_template: str) -> Iterator[Database]:
    with (
        fresh_database(postgres, template=migrated_template) as direct,
        pgbouncer(direct, pool_size=POOL_SIZE, connect_query="SET ROLE orderlog_app") as pooled,
    ):
        yield Database(pooled, direct)


@pytest.fixture(scope="module")
def engine(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    home = tmp_path_factory.mktemp("pooled") / "home"
    with running_engine(home, ORDERLOG_WORKERS="2", **database.settings()) as engine:
        engine.fund("alice")
        yield engine


def orderlog(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from cli.main import main; main()", *arguments]
    environment = {**os.environ, **database.settings()}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_orders_of_many_clients_are_filled_and_told_and_the_account_is_right(engine: RunningEngine) -> None:
    token = engine.token("alice")
    with engine.client("alice") as alice, ThreadPoolExecutor(16) as clients:
        socket = engine.url.replace("http", "ws", 1) + f"/ws/orders/events?token={token}"
        with connect(socket) as stream:
            orders = list(clients.map(lambda _: place(alice, MARKET | {"quantity": "1"}), range(60)))
            told = set()
            while len(told) < len(orders):
                message = json.loads(stream.recv(timeout=20))
                if message["event"] == "order.filled":
                    told.add(message["order_id"])
        assert told == {order["id"] for order in orders}
        filled = [wait_for_order(alice, order["id"], "FILLED") for order in orders]
        page = alice.get("/api/v1/orders", params={"limit": 100, "min_position": filled[-1]["position"]}).json()
        assert {order["status"] for order in page["orders"]} == {"FILLED"}
        (position,) = alice.get("/api/v1/positions").json()["positions"]
        assert position["quantity"] == "60"


def test_another_worker_takes_the_lead_when_the_first_one_is_killed(engine: RunningEngine) -> None:
    with engine.client("alice") as alice:
        resting = place(alice, FAR_AWAY)
        wait_for_order(alice, resting["id"], "ACCEPTED")
        os.kill(process_of(engine, "infrastructure.worker"), signal.SIGKILL)
        wait_for_order(alice, place(alice, MARKET)["id"], "FILLED")
        alice.post(f"/api/v1/orders/{resting['id']}/cancel").raise_for_status()
        wait_for_order(alice, resting["id"], "CANCELLED")


def test_read_models_are_rebuilt_and_everything_verifies_while_orders_flow(
    engine: RunningEngine, database: Database
) -> None:
    with engine.client("alice") as alice, ThreadPoolExecutor(1) as trader:
        trading = trader.submit(lambda: [place(alice, MARKET | {"quantity": "1"}) for _ in range(20)])
        rebuilt = orderlog(database, "projections", "rebuild", "--all")
        assert rebuilt.returncode == 0, rebuilt.stderr
        for order in trading.result():
            wait_for_order(alice, order["id"], "FILLED")
    for command in (("projections", "verify"), ("events", "verify")):
        done = orderlog(database, *command)
        assert done.returncode == 0, done.stderr


async def test_the_engine_gives_up_the_right_to_change_the_log_on_both_ways(database: Database, tmp_path: Path) -> None:
    settings = load_settings({**database.settings(), "ORDERLOG_HOME": str(tmp_path / "home")})
    async with open_engine(settings) as engine, engine.pool.connection() as connection:
        assert await (await connection.execute("SELECT current_user")).fetchone() == ("orderlog_app",)
        assert engine.settings.database_url == database.pooled
        assert "orderlog_app" in str(engine.settings.direct_database_url)


async def test_many_reads_at_once_wait_for_a_connection_and_prepare_nothing(database: Database, tmp_path: Path) -> None:
    settings = load_settings({**database.settings(), "ORDERLOG_HOME": str(tmp_path / "home")})
    async with open_engine(settings) as engine:
        positions = await asyncio.gather(*(engine.store.position() for _ in range(200)))
        assert len(set(positions)) == 1
        lags = await asyncio.gather(*(engine.read_models.lags(engine.clock.now()) for _ in range(50)))
        assert len(lags) == 50


def test_a_pooler_in_transaction_mode_alone_stops_the_start(database: Database) -> None:
    with pytest.raises(
        SettingsError, match=r"^DATABASE_URL leads through a pooler in transaction mode: set ORDERLOG_DI"
    ):
        check_servers(load_settings({"DATABASE_URL": database.pooled, "REDIS_URL": "none"}))
    alone = Database(database.pooled, "")
    for command in (("serve",), ("db", "upgrade")):
        done = orderlog(alone, *command)
        assert done.returncode == 2
        assert done.stderr.startswith(
            "orderlog: DATABASE_URL leads through a pooler in transaction mode: set ORDERLOG_"
        )


def test_the_direct_address_is_asked_and_has_to_be_direct(database: Database) -> None:
    check_servers(load_settings(database.settings()))
    with pytest.raises(
        SettingsError, match=r"^ORDERLOG_DIRECT_DATABASE_URL leads through a pooler in transaction mode"
    ):
        check_servers(load_settings(Database(database.pooled, database.pooled).settings()))
    with pytest.raises(UnreachableError, match=r"^ORDERLOG_DIRECT_DATABASE_URL: the database does not answer"):
        check_servers(load_settings(Database(database.pooled, "postgresql://x@127.0.0.1:1/x").settings()))


def test_a_pooler_is_known_by_what_it_does(database: Database) -> None:
    assert gives_each_transaction_another_connection(database.pooled)
    assert not gives_each_transaction_another_connection(database.direct)
    with pgbouncer(database.direct, pool_mode="session") as sessions:
        assert not gives_each_transaction_another_connection(sessions)


def test_a_pooler_is_known_also_when_others_use_it(database: Database) -> None:
    with busy(database.pooled):
        assert all(gives_each_transaction_another_connection(database.pooled) for _ in range(5))


@contextmanager
def busy(url: str) -> Iterator[None]:
    """Two others, who use the pooler all the time."""
    program = (
        "import psycopg\n"
        f"with psycopg.connect({url!r}, autocommit=True, prepare_threshold=None) as connection:\n"
        "    print('busy', flush=True)\n"
        "    while True:\n"
        "        connection.execute('SELECT pg_sleep(0.001)')\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == b"busy\n"
        yield
    finally:
        for other in others:
            other.kill()
            other.communicate()


def test_without_pgbouncer_a_test_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.pgbouncer.UNPACKED", tmp_path / "unpacked")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda *_args, **_options: None)
    with pytest.raises(NoPgBouncerError, match=r"apt-get install pgbouncer"), pgbouncer("postgresql://x@h/d"):
        pass
