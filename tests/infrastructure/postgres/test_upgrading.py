"""A database that was written before there were exits and corrections, brought up to today and back."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from application.ports import NewEvent, Transaction
from domain.commands import Deposit, RecordAcceptance, RecordSent
from domain.events import RecordedEvent
from domain.values import Money, OrderId, Price, Side
from infrastructure.codec import Codec
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.migrating import downgrade, upgrade
from infrastructure.postgres.projector import Projector
from infrastructure.postgres.verification import verify
from projections.registry import PROJECTIONS
from tests.domain.orders import bust, dollars, fill, place, units
from tests.infrastructure.postgres.pools import pool_of
from tests.projections.histories import History

SALE = OrderId("a sale")
BRACKET = OrderId("a bracket")


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[TupleRow]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def before_there_were_exits() -> History:
    """Alice buys 100 of ACME in two fills at 10 and 11, and sells all of it at 12."""
    history = History().cash(Deposit(Money(Decimal(5000)))).order(place(price=Decimal(11)))
    history.order(RecordSent(1)).order(RecordAcceptance("v-1"))
    history.order(fill(40, "f-1", 10)).order(fill(60, "f-2", 11))
    history.order(place(order_id=SALE, side=Side.SELL), SALE)
    return history.order(fill(100, "f-3", 12), SALE)


def stored_then(recorded: RecordedEvent) -> tuple[str, str]:
    """Type and data of an event as the program of that time stored it."""
    event = Codec().to_stored_event(NewEvent(recorded.stream_id, recorded.version, recorded.event, recorded.metadata))
    data = json.loads(event.state)
    for name in ("class_version", "parent_order_id", "oco_order_id", "currency"):
        data.pop(name, None)
    return event.topic, json.dumps(data, separators=(",", ":"))


def write_log(connection: psycopg.Connection[TupleRow], log: Sequence[RecordedEvent]) -> None:
    last = GENESIS
    for recorded in log:
        topic, data = stored_then(recorded)
        metadata = Codec().encode_metadata(recorded.metadata)
        at = recorded.recorded_at
        position, stream, version = recorded.position, recorded.stream_id, recorded.version
        last = link(last, leaf(position, stream, version, topic, data.encode(), metadata, timestamp(at)))
        connection.execute(
            "INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (position, stream, version, topic, data, metadata.decode(), at, last),
        )
    connection.execute("UPDATE log_head SET position = %s, hash = %s, recorded_at = %s", (len(log), last, at))


def write_rows(connection: psycopg.Connection[TupleRow], log: Sequence[RecordedEvent]) -> None:
    """The read models as they stood, in the columns that there were."""
    for projection in PROJECTIONS:
        there = columns_of(connection, projection.name)
        for row in projection.fold({}, log).values():
            cells = {name: plain(value) for name, value in row._asdict().items() if name in there}
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(projection.name),
                sql.SQL(", ").join(map(sql.Identifier, cells)),
                sql.SQL(", ").join(map(sql.Placeholder, cells)),
            )
            connection.execute(statement, cells)
    connection.execute("UPDATE checkpoints SET position = %s", (len(log),))


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def columns_of(connection: psycopg.Connection[TupleRow], table: str) -> set[str]:
    found = connection.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
    return {name for (name,) in found}


def checkpoint(connection: psycopg.Connection[TupleRow], name: str) -> TupleRow | None:
    return connection.execute("SELECT position, version FROM checkpoints WHERE name = %s", [name]).fetchone()


async def project(url: str) -> None:
    """Let a worker of today bring the read models up with the log, and compare every row with a fresh fold."""
    names = sorted(projection.name for projection in PROJECTIONS)
    async with PostgresEventStore(url) as store, Follower(store, url) as follower, pool_of(url) as pool:
        end = await store.position()
        work = asyncio.create_task(Projector(pool, follower).run())
        with connected(url) as connection:
            async with asyncio.timeout(20):
                while {checkpoint(connection, name) for name in names} != {
                    (end, projection.version) for projection in PROJECTIONS
                }:
                    await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        compared = await verify(url, store)
    assert [table.difference for table in compared] == [None] * len(names)


async def go_on(url: str, history: History, known: int) -> None:
    """Record what happened since."""
    async with PostgresEventStore(url) as store:
        for recorded in history.log[known:]:
            event = NewEvent(recorded.stream_id, recorded.version, recorded.event, recorded.metadata)
            await store.append([Transaction({event.stream_id: event.version - 1}, [event])], 0)


@pytest.fixture
def old_database(empty_database_url: str) -> str:
    """At revision 0004, with a log and rows of that time."""
    upgrade(empty_database_url, "0004")
    log = before_there_were_exits().log
    with connected(empty_database_url) as connection:
        write_log(connection, log)
        write_rows(connection, log)
        assert "closed_at" not in columns_of(connection, "positions")
        assert checkpoint(connection, "positions") == (len(log), 1)
    return empty_database_url


async def test_positions_of_an_older_database_are_folded_afresh(old_database: str) -> None:
    upgrade(old_database)
    with connected(old_database) as connection:
        assert checkpoint(connection, "positions") == (0, 3)
        assert checkpoint(connection, "orders") == (len(before_there_were_exits().log), 1)
        assert connection.execute("SELECT count(*) FROM positions").fetchone() == (0,)
        exits = "SELECT DISTINCT parent_order_id, oco_order_id FROM orders"
        assert connection.execute(exits).fetchall() == [(None, None)]
    await project(old_database)
    with connected(old_database) as connection:
        row = connection.execute("SELECT quantity, realised_pnl FROM positions").fetchall()
    assert row == [(Decimal(0), Decimal(140))]


async def test_a_fill_from_before_can_be_taken_back_afterwards(old_database: str) -> None:
    upgrade(old_database)
    history = before_there_were_exits()
    known = len(history.log)
    await go_on(old_database, history.order(bust("f-3"), SALE), known)
    await project(old_database)
    with connected(old_database) as connection:
        cells = connection.execute("SELECT quantity, cost, realised_pnl FROM positions").fetchone()
        fills = connection.execute("SELECT quantity_filled FROM fills WHERE id = 'f-3'").fetchall()
    assert cells == (units(100), dollars(1060), dollars(0)), "bought and never sold"
    assert fills == [(Decimal(0),)]


async def test_down_and_up_again_loses_nothing(old_database: str) -> None:
    upgrade(old_database)
    history = before_there_were_exits()
    known = len(history.log)
    entry = place(order_id=BRACKET, stop_loss=Price(Decimal(9)), take_profit=Price(Decimal(12)))
    history.order(entry, BRACKET).order(fill(100, "f-4"), BRACKET)
    await go_on(old_database, history, known)
    await project(old_database)
    end = len(history.log)
    downgrade(old_database, "0004")
    with connected(old_database) as connection:
        assert checkpoint(connection, "positions") == (0, 1)
        assert checkpoint(connection, "orders") == (end, 1)
        assert {"parent_order_id", "oco_order_id"}.isdisjoint(columns_of(connection, "orders"))
        assert connection.execute("SELECT count(*) FROM positions").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (5,)
    upgrade(old_database)
    await project(old_database)
