"""A rebuild beside a living system: many writers, a projector, readers, and a rebuilding process that is killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from application.ports import NewEvent, Transaction
from domain.commands import Deposit
from domain.values import Money, OrderId, TraderId
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.patience import pool_of
from infrastructure.postgres.projector import Projector
from infrastructure.postgres.read_models import ReadModels
from infrastructure.postgres.verification import verify
from projections.registry import PROJECTIONS
from tests.domain.orders import fill, place
from tests.projections.histories import History

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "from cli.main import main; main()", "projections", "rebuild", "--all", "--json")
WRITERS = 8
ORDERS = 15
KILLED_BEHIND = 100


async def trade(store: PostgresEventStore, name: str, orders: int, pause_seconds: float = 0.0) -> None:
    """A trader who buys again and again, one command a commit."""
    trader = TraderId(name)
    history, known = History().cash(Deposit(Money(Decimal(1_000_000))), trader), 0
    for number in range(orders):
        order_id = OrderId(f"{name}-{number}")
        history.order(place(order_id=order_id, trader_id=trader), order_id)
        history.order(fill(60, f"f-{number}"), order_id)
        news, known = history.log[known:], len(history.log)
        events = [NewEvent(each.stream_id, each.version, each.event, each.metadata) for each in news]
        reads = {each.stream_id: each.version - 1 for each in reversed(events)}
        assert (await store.append([Transaction(reads, events)], 0)).recorded != [None]
        await asyncio.sleep(pause_seconds)


async def write_at_once(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(PostgresEventStore(database_url)) for _ in range(WRITERS)]
        await asyncio.gather(*(trade(store, f"writer-{number}", ORDERS) for number, store in enumerate(stores)))


class Reader:
    """Asks again and again, over connections that stay open, and never wants to see what it saw already undone."""

    def __init__(self, read_models: ReadModels, name: str) -> None:
        self.answers = 0
        self._read_models = read_models
        self._trader = TraderId(name)
        self._positions = [0, 0, 0]
        self._versions: dict[int, int] = {}

    async def run(self) -> None:
        while True:
            page = await self._read_models.orders_page(self._trader, limit=100)
            account = await self._read_models.account_of(self._trader)
            entries = await self._read_models.execution_log(trader_id=self._trader, limit=10)
            positions = [page.position, account.position, entries.position]
            assert all(now >= before for now, before in zip(positions, self._positions, strict=True))
            versions = {order.created_position: order.version for order, _ in page.orders}
            oldest = min(versions, default=0)  # what is older may have made room for what is newer
            undone = [at for at, version in self._versions.items() if at >= oldest and versions.get(at, 0) < version]
            assert undone == []
            self._positions, self._versions = positions, versions
            self.answers += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def a_living_system(database_url: str) -> AsyncIterator[Sequence[Reader]]:
    """A projector, three readers, and a trader who never stops."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresEventStore(database_url))
        pool = await stack.enter_async_context(pool_of(database_url, 8))
        follower = await stack.enter_async_context(Follower(store, database_url))
        readers = [Reader(ReadModels(pool), name) for name in ("writer-0", "writer-1", "busy")]
        work = [Projector(pool, follower).run(), trade(store, "busy", 10**6, 0.02), *(each.run() for each in readers)]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield readers
            assert [task for task in tasks if task.done()] == []
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [end for end in ended if not isinstance(end, asyncio.CancelledError)] == []


async def orderlog_rebuild(database_url: str, *options: str) -> dict[str, dict[str, Any]]:
    environment = {**os.environ, "DATABASE_URL": database_url}
    process = await create_subprocess_exec(
        *PROGRAM, *options, cwd=REPOSITORY, env=environment, stdout=PIPE, stderr=PIPE
    )
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return {each["name"]: each for each in map(json.loads, said.splitlines())}


async def kill_midway(database_url: str, *options: str) -> int:
    """The position at which a rebuild was when it was killed."""
    environment = {**os.environ, "DATABASE_URL": database_url}
    process = await create_subprocess_exec(
        *PROGRAM, *options, cwd=REPOSITORY, env=environment, stdout=PIPE, stderr=PIPE
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        position = 0
        while position < KILLED_BEHIND:
            await asyncio.sleep(0.005)
            row = connection.execute("SELECT coalesce(min(position), 0) FROM building.progress").fetchone()
            assert row is not None
            position = row[0]
            assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    await process.wait()
    return position


async def checksums(database_url: str) -> dict[str, tuple[int, str]]:
    """Of the live tables, which are compared with the log while we are at it."""
    async with PostgresEventStore(database_url) as store:
        compared = await verify(database_url, store)
    assert [each.difference for each in compared] == [None] * len(PROJECTIONS)
    return {each.projection: (each.rows, each.found.checksum) for each in compared}


async def test_rebuilt_twice_killed_midway_and_resumed_the_rows_of_eight_writers_are_the_same(
    database_url: str,
) -> None:
    await write_at_once(database_url)
    first = await orderlog_rebuild(database_url, "--batch", "50")
    rows = {name: each["rows"] for name, each in first.items()}
    assert rows == {
        "orders": WRITERS * ORDERS,
        "fills": WRITERS * ORDERS,
        "accounts": WRITERS,
        "positions": WRITERS,
        "execution_log": WRITERS * ORDERS * 2,
    }
    killed_at = await kill_midway(database_url, "--batch", "10")
    assert killed_at < first["orders"]["position"]
    resumed = await orderlog_rebuild(database_url, "--batch", "10", "--resume")
    killed_in_shards_at = await kill_midway(database_url, "--batch", "10", "--workers", "2")
    assert killed_in_shards_at < first["orders"]["position"]
    in_shards = await orderlog_rebuild(database_url, "--resume")
    kept = [{name: each["checksum"] for name, each in done.items()} for done in (first, resumed, in_shards)]
    assert kept == [kept[0]] * 3
    assert await checksums(database_url) == {name: (each["rows"], each["checksum"]) for name, each in first.items()}


async def test_while_orders_flow_no_query_fails_and_none_sees_an_older_state_than_before(database_url: str) -> None:
    await write_at_once(database_url)
    async with a_living_system(database_url) as readers:
        await kill_midway(database_url, "--batch", "20")
        seen = [reader.answers for reader in readers]
        done = await orderlog_rebuild(database_url, "--batch", "200", "--resume")
        swapped = [reader.answers for reader in readers]
        async with asyncio.timeout(20):
            while any(now.answers < before + 5 for now, before in zip(readers, swapped, strict=True)):
                await asyncio.sleep(0.01)
    assert all(now > before for now, before in zip(swapped, seen, strict=True))
    assert set(done) == {projection.name for projection in PROJECTIONS}
    assert min(each["position"] for each in done.values()) > WRITERS * ORDERS
    await checksums(database_url)


def test_a_rebuild_has_no_bus_and_no_venue_and_records_nothing(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        asyncio.run(write_a_little(database_url))
        before = connection.execute("SELECT position, hash FROM log_head").fetchone()
        for channel in ("orderlog_events", "orderlog_bus"):
            connection.execute(f"LISTEN {channel}".encode())
        program = (
            "import sys; from cli.main import app; app(prog_name='orderlog', standalone_mode=False); "
            "sys.exit(','.join({'redis', 'httpx2', 'websockets', 'infrastructure.buses', 'application.execution', "
            "'infrastructure.exchanges'} & set(sys.modules)) or None)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, "projections", "rebuild", "--all"],
            cwd=REPOSITORY,
            env={**os.environ, "DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert list(connection.notifies(timeout=0.1)) == []
        assert connection.execute("SELECT position, hash FROM log_head").fetchone() == before


async def write_a_little(database_url: str) -> None:
    async with PostgresEventStore(database_url) as store:
        await trade(store, "alice", 3)
