"""Two real servers: questions on the standby, and its promotion after the primary was killed under load."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx2
import pytest

from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.migrating import upgrade
from tests.clusters import Cluster, clusters
from tests.engine_process import RunningEngine, place, running_engine, wait_for_order
from tests.infrastructure.samples import writes
from tests.integration.test_engine import FAR_AWAY, MARKET

SECONDS_MAX = 60
FILLED = "SELECT count(*) FROM orders WHERE status = 'FILLED'"
PLACED = "SELECT substr(stream_id, length('order-') + 1) FROM events WHERE type = 'OrderPlaced'"


class Pair(NamedTuple):
    """A primary, and a hot standby of it."""

    primary: Cluster
    standby: Cluster

    def url(self, attributes: str) -> str:
        """Both, of which the one with the attributes is meant."""
        folders = f"{self.primary.folder},{self.standby.folder}"
        return f"postgresql://postgres@/orderlog?host={folders}&port=5432,5432&target_session_attrs={attributes}"

    def wait_for_commits(self) -> None:
        """From here on no commit is answered before the standby has it."""
        self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.primary.execute("SELECT pg_reload_conf()")
        until(lambda: self.primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])


@contextmanager
def replicated() -> Iterator[Pair]:
    with clusters("primary", "standby") as (primary, standby):
        primary.make()
        primary.start()
        upgrade(primary.url())
        standby.copy(primary, "-R")
        standby.start()
        yield Pair(primary, standby)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with replicated() as pair:
        yield pair


@pytest.fixture(scope="module")
def engine(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    settings = {
        "DATABASE_URL": pair.url("read-write"),
        "ORDERLOG_READ_DATABASE_URL": pair.standby.url(),
        "REDIS_URL": "none",
    }
    with running_engine(tmp_path_factory.mktemp("replicated") / "home", **settings) as engine:
        engine.fund("alice")
        yield engine


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listed(client: httpx2.Client, **query: int) -> list[str]:
    page = client.get("/api/v1/orders", params={"limit": 100, **query}).raise_for_status().json()
    return [order["id"] for order in page["orders"]]


def test_the_standby_answers_questions_and_the_primary_those_that_it_cannot_yet(
    engine: RunningEngine, pair: Pair
) -> None:
    with engine.client("alice") as alice, engine.client("audrey", "auditor") as audrey:
        first = wait_for_order(alice, place(alice, MARKET)["id"], "FILLED")
        assert listed(alice, min_position=first["position"]) == [first["id"]]
        until(lambda: listed(alice) == [first["id"]])
        pair.standby.execute("SELECT pg_wal_replay_pause()")
        second = wait_for_order(alice, place(alice, MARKET)["id"], "FILLED")
        until(lambda: pair.primary.execute(FILLED) == [(2,)])
        until(lambda: listed(alice) == [first["id"]])  # it is the standby that says so, sooner or later
        assert listed(alice, min_position=second["position"]) == [second["id"], first["id"]]
        assert alice.get("/api/v1/account").json()["position"] >= second["position"]
        events = audrey.get("/api/v1/events", headers={"Accept": "application/x-ndjson"}).text.splitlines()
        assert len(events) >= second["position"]
        pair.standby.execute("SELECT pg_wal_replay_resume()")


def test_a_standby_that_is_away_costs_no_answer(engine: RunningEngine, pair: Pair) -> None:
    with engine.client("alice") as alice, engine.client("audrey", "auditor") as audrey:
        pair.standby.stop()
        order = place(alice, FAR_AWAY)
        wait_for_order(alice, order["id"], "ACCEPTED")
        until(lambda: order["id"] in listed(alice))
        assert audrey.get("/api/v1/events", headers={"Accept": "application/x-ndjson"}).text.splitlines()
        pair.standby.start()


class Trader(threading.Thread):
    """Places orders one after the other, each until it is acknowledged, under one key."""

    def __init__(self, client: httpx2.Client, name: str) -> None:
        super().__init__(name=name)
        self._client = client
        self.acknowledged: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            key = {"Idempotency-Key": f"{self.name}-{len(self.acknowledged)}"}
            while True:
                try:
                    answer = self._client.post("/api/v1/orders", json=FAR_AWAY | {"quantity": "1"}, headers=key)
                except httpx2.TransportError:
                    continue
                if answer.status_code in {200, 201}:
                    break
                assert answer.status_code == 503, answer.text
            self.acknowledged.append(answer.json()["id"])


def test_promotion_loses_no_acknowledged_order_and_needs_no_restart(engine: RunningEngine, pair: Pair) -> None:
    pair.wait_for_commits()
    before = set(pair.primary.execute(PLACED))
    with engine.client("alice") as alice:
        traders = [Trader(alice, f"trader-{number}") for number in range(4)]
        for trader in traders:
            trader.start()
        until(lambda: sum(len(trader.acknowledged) for trader in traders) > 40)
        pair.primary.kill()
        at_the_kill = [len(trader.acknowledged) for trader in traders]
        pair.standby.promote()
        for trader, count in zip(traders, at_the_kill, strict=True):
            until(lambda trader=trader, count=count: len(trader.acknowledged) > count + 3)
            trader.enough.set()
        for trader in traders:
            trader.join()
        acknowledged = {order for trader in traders for order in trader.acknowledged}
        recorded = pair.standby.execute(PLACED)
        assert {order for (order,) in set(recorded) - before} == acknowledged
        assert len(recorded) == len(before) + len(acknowledged)
        for order in sorted(acknowledged)[:5]:
            wait_for_order(alice, order, "ACCEPTED")
        wait_for_order(alice, place(alice, MARKET)["id"], "FILLED")
    assert engine.process.poll() is None
    for command in (("events", "verify"), ("projections", "verify")):
        done = subprocess.run(
            [sys.executable, "-c", "from cli.main import main; main()", *command],
            env={**os.environ, "DATABASE_URL": pair.url("read-write")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


async def test_nothing_is_acknowledged_before_the_standby_has_it() -> None:
    with replicated() as pair:
        pair.wait_for_commits()
        async with PostgresEventStore(pair.primary.url()) as store:
            await store.append([writes("a", 0)], 0)
            pair.standby.freeze()
            appending = asyncio.create_task(store.append([writes("a", 1)], 1))
            await asyncio.sleep(0.5)
            assert not appending.done()
            # Whoever ends the session ends its wait, too: the event is in the log, and on one server only.
            pair.primary.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "postgres"
            )
            while await store.position() != 2:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            assert not appending.done()
            pair.standby.thaw()
            assert (await appending).position == 2
            assert pair.standby.execute("SELECT count(*) FROM events") == [(2,)]
