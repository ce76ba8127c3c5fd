import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from application.ports import Feed, NewEvent, Transaction
from domain.commands import Deposit, RecordAcceptance, RecordReplaceRefusal, RecordSent
from domain.events import (
    OrderFillBusted,
    OrderFillCorrected,
    OrderReplaced,
    OrderUnprotected,
    RecordedEvent,
    order_stream,
)
from domain.values import FillId, Money, OrderId
from infrastructure.postgres import projector
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.projector import Projector
from infrastructure.postgres.rows import reader
from projections.accounts import ACCOUNTS
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.projection import Key, Projection
from projections.registry import PROJECTIONS
from tests.cli.logs import record
from tests.domain.orders import accepted, bust, correction, fill, place, price_of, replacement, wish
from tests.infrastructure.postgres.pools import pool_of
from tests.projections.histories import History

Connection = psycopg.Connection[TupleRow]

PATIENCE_SECONDS = 20


def busy(orders: int) -> History:
    """Alice buys again and again."""
    history = History().cash(Deposit(Money(Decimal(1_000_000))))
    for number in range(orders):
        order_id = OrderId(f"order {number}")
        history.order(place(order_id=order_id), order_id)
        history.order(RecordSent(1), order_id).order(RecordAcceptance("v"), order_id)
        history.order(replace(fill(100), fill_id=FillId(f"f-{number}")), order_id)
    return history


def eventful() -> History:
    """Fills that are corrected and taken back, terms that are replaced, exits that are placed, withdrawn and missed."""
    history = History().cash(Deposit(Money(Decimal(1_000_000))))
    for number in range(4):
        order_id = OrderId(f"entry {number}")
        entry = place(order_id=order_id, stop_loss=price_of(9), take_profit=price_of(12) if number % 2 else None)
        history.order(entry, order_id).order(RecordSent(1), order_id).order(RecordAcceptance("v"), order_id)
        history.order(fill(40, "f-1"), order_id).order(wish(80, 11), order_id)
        history.order(replacement(1, quantity=80, price=11), order_id).order(fill(40, "f-2", 11), order_id)
        history.order(correction(30, "10.5", "f-2", commission="0.25"), order_id)
        history.order(bust("f-1"), order_id).order(bust("f-3", "b-2"), order_id)
        history.order(RecordReplaceRefusal(0, "no"), order_id)
    return history


class ToldFeed:
    """A feed of what it was told, in batches of a given size."""

    def __init__(self, log: Sequence[RecordedEvent] = (), size: int = 1000) -> None:
        self.log = list(log)
        self.size = size
        self.failures: list[Exception] = []
        self._news = asyncio.Event()
        self._is_closed = False

    def tell(self, log: Sequence[RecordedEvent]) -> None:
        self.log += log
        self._news.set()

    def close(self) -> None:
        self._is_closed = True
        self._news.set()

    async def follow(self, after: int) -> AsyncIterator[Sequence[RecordedEvent]]:
        while not self._is_closed:
            if self.failures:
                raise self.failures.pop()
            self._news.clear()
            while batch := self.log[after : after + self.size]:
                yield batch
                after = batch[-1].position
            await self._news.wait()


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "PAUSE_SECONDS", 0.01)


@asynccontextmanager
async def projecting(
    database_url: str, feed: Feed, projections: Sequence[Projection[Any]] = PROJECTIONS
) -> AsyncIterator[None]:
    async with pool_of(database_url) as pool:
        work = asyncio.create_task(Projector(pool, feed, projections).run())
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def checkpoints(connection: Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, position FROM checkpoints").fetchall())


async def caught_up(connection: Connection, position: int, *names: str) -> None:
    wanted = names or [projection.name for projection in PROJECTIONS]
    await until(lambda: all(checkpoints(connection)[name] == position for name in wanted))


def rows(connection: Connection, projection: Projection[Any]) -> dict[Key, Any]:
    columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, projection.row._fields))
    statement = psycopg.sql.SQL("SELECT {} FROM {}").format(columns, psycopg.sql.Identifier(projection.name))
    found = map(reader(projection.row), connection.execute(statement))
    return {tuple(getattr(row, name) for name in projection.key): row for row in found}


def assert_right(connection: Connection, log: Sequence[RecordedEvent]) -> None:
    for projection in PROJECTIONS:
        assert rows(connection, projection) == projection.fold({}, log), projection.name


def poisoned(projection: Projection[Any], position: int, times: int) -> Projection[Any]:
    """The projection, but the event at the position cannot be folded so many times."""
    failures = islice(iter(lambda: RuntimeError("poison"), None), times)

    def evolve(row: Any, recorded: RecordedEvent) -> Any:
        if recorded.position == position and (failure := next(failures, None)):
            raise failure
        return projection.evolve(row, recorded)

    return replace(projection, evolve=evolve)


# ── Keeping up ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_read_models_are_the_fold_of_the_log_whatever_the_batches(
    database_url: str, connection: Connection, size: int
) -> None:
    log = busy(orders=10).log
    async with projecting(database_url, ToldFeed(log, size)):
        await caught_up(connection, len(log))
    assert_right(connection, log)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_what_is_changed_taken_back_and_protected_is_folded_alike_whatever_the_batches(
    database_url: str, connection: Connection, size: int
) -> None:
    log = await record(database_url, eventful().log)
    assert {type(recorded.event) for recorded in log} >= {
        OrderFillBusted,
        OrderFillCorrected,
        OrderReplaced,
        OrderUnprotected,
    }
    async with projecting(database_url, ToldFeed(log, size)):
        await caught_up(connection, len(log))
    assert_right(connection, log)


async def test_what_happens_later_is_projected_as_it_happens(database_url: str, connection: Connection) -> None:
    history = busy(orders=1)
    feed = ToldFeed(history.log)
    async with projecting(database_url, feed):
        await caught_up(connection, len(feed.log))
        known = len(history.log)
        feed.tell(history.cash(Deposit(Money(Decimal(1)))).log[known:])
        await caught_up(connection, len(history.log))
    assert_right(connection, history.log)


async def test_a_projector_goes_on_where_the_last_one_stopped(database_url: str, connection: Connection) -> None:
    log = busy(orders=4).log
    async with projecting(database_url, ToldFeed(log[:9])):
        await caught_up(connection, 9)
    async with projecting(database_url, ToldFeed(log)):
        await caught_up(connection, len(log))
    assert_right(connection, log)


async def test_a_projection_that_is_behind_catches_up_beside_the_others(
    database_url: str, connection: Connection
) -> None:
    log = busy(orders=4).log
    async with projecting(database_url, ToldFeed(log[:9]), [ORDERS, FILLS]):
        await caught_up(connection, 9, "orders", "fills")
    async with projecting(database_url, ToldFeed(log)):
        await caught_up(connection, len(log))
    assert_right(connection, log)


async def test_two_workers_apply_every_event_once(database_url: str, connection: Connection) -> None:
    log = busy(orders=30).log
    async with projecting(database_url, ToldFeed(log, 3)), projecting(database_url, ToldFeed(log, 7)):
        await caught_up(connection, len(log))
    assert_right(connection, log)


async def test_the_projector_ends_with_its_feed(database_url: str, connection: Connection) -> None:
    feed = ToldFeed(busy(orders=1).log)
    async with pool_of(database_url) as pool, asyncio.timeout(PATIENCE_SECONDS):
        work = asyncio.create_task(Projector(pool, feed).run())
        await caught_up(connection, len(feed.log))
        feed.close()
        await work


async def test_what_is_appended_to_the_store_reaches_the_read_models(database_url: str, connection: Connection) -> None:
    events = [
        NewEvent(recorded.stream_id, recorded.version, recorded.event, recorded.metadata)
        for recorded in busy(orders=3).log
    ]
    async with PostgresEventStore(database_url) as store, Follower(store, database_url) as follower:
        async with projecting(database_url, follower):
            for event in events:
                await store.append([Transaction({event.stream_id: event.version - 1}, [event])], known_position=0)
            await caught_up(connection, len(events))
        assert_right(connection, await store.read(0, 100))


# ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_crash_between_rows_and_checkpoint_doubles_nothing(database_url: str, connection: Connection) -> None:
    log = busy(orders=5).log
    # Rolling back does not give a number back, so exactly three updates of checkpoints end their own connection.
    connection.execute("""
        CREATE SEQUENCE crashes;
        CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('crashes') <= 3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER crash BEFORE UPDATE ON checkpoints EXECUTE FUNCTION crash();
    """)
    async with projecting(database_url, ToldFeed(log, 6)):
        await caught_up(connection, len(log))
    assert connection.execute("SELECT last_value > 3 FROM crashes").fetchone() == (True,)
    assert_right(connection, log)


async def test_a_database_that_goes_away_is_waited_for(
    database_url: str, connection: Connection, postgres: str
) -> None:
    history = busy(orders=3)
    name = connection.info.dbname
    feed = ToldFeed(history.log[:9])
    async with projecting(database_url, feed):
        await caught_up(connection, 9)
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            feed.tell(history.log[9:])
            await asyncio.sleep(0.2)
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        with psycopg.connect(database_url, autocommit=True) as again:
            await caught_up(again, len(history.log))
            assert_right(again, history.log)


async def test_a_poisoned_event_stops_one_projection_right_before_it(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    log = busy(orders=10).log
    lane = [poisoned(ACCOUNTS, position=15, times=10**6) if each is ACCOUNTS else each for each in PROJECTIONS]
    async with projecting(database_url, ToldFeed(log), lane):
        others = [projection.name for projection in PROJECTIONS if projection is not ACCOUNTS]
        await caught_up(connection, len(log), *others)
        await until(lambda: "poison" in caplog.text)
    assert checkpoints(connection)["accounts"] == 14
    assert rows(connection, ACCOUNTS) == ACCOUNTS.fold({}, log[:14])
    assert "the projection accounts stands before the event at position 15" in caplog.text


async def test_a_stopped_projection_tries_again_at_growing_intervals(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "PAUSE_SECONDS_MAX", 0.03)
    log = busy(orders=10).log
    lane = [poisoned(ACCOUNTS, position=15, times=30) if each is ACCOUNTS else each for each in PROJECTIONS]
    async with projecting(database_url, ToldFeed(log), lane):
        await caught_up(connection, len(log))
    assert_right(connection, log)
    pauses = [record.args[2] for record in caplog.records if isinstance(record.args, tuple) and len(record.args) == 4]
    assert pauses[:3] == [0.01, 0.02, 0.03]
    assert set(pauses[3:]) <= {0.03}


async def test_a_projection_stopped_elsewhere_waits_briefly_again(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    log = busy(orders=4).log
    once = poisoned(poisoned(ACCOUNTS, position=7, times=8), position=13, times=8)
    async with projecting(database_url, ToldFeed(log, 1), [once]):
        await caught_up(connection, len(log), "accounts")
    stops = [record.args for record in caplog.records if isinstance(record.args, tuple) and len(record.args) == 4]
    assert next(stop[2] for stop in stops if stop[1] == 13) == 0.01
    assert rows(connection, ACCOUNTS) == ACCOUNTS.fold({}, log)


async def test_what_the_database_refuses_stops_one_projection_too(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    log = busy(orders=4).log
    connection.execute("ALTER TABLE fills ADD CONSTRAINT none_of_the_third CHECK (id <> 'f-2')")
    async with projecting(database_url, ToldFeed(log)):
        await caught_up(connection, len(log), "orders", "accounts", "positions", "execution_log")
        await until(lambda: "none_of_the_third" in caplog.text)
        assert set(rows(connection, FILLS)) == {("order 0", "f-0"), ("order 1", "f-1")}
        connection.execute("ALTER TABLE fills DROP CONSTRAINT none_of_the_third")
        await caught_up(connection, len(log))
    assert_right(connection, log)


async def test_rows_of_another_version_are_left_alone(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    log = busy(orders=1).log
    async with projecting(database_url, ToldFeed(log), [FILLS, replace(ORDERS, version=2)]):
        await caught_up(connection, len(log), "fills")
        await until(lambda: "written by version 1, this program has version 2" in caplog.text)
        assert (checkpoints(connection)["orders"], rows(connection, ORDERS)) == (0, {})
        # In a thread: the projector, in this one, may hold the row just now.
        await asyncio.to_thread(connection.execute, "UPDATE checkpoints SET version = 2 WHERE name = 'orders'")
        await caught_up(connection, len(log), "orders")


async def test_a_projection_without_a_checkpoint_says_so(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute("DELETE FROM checkpoints WHERE name = 'orders'")
    async with projecting(database_url, ToldFeed(busy(orders=1).log)):
        await until(lambda: "there is no checkpoint of this name" in caplog.text)


async def test_a_projection_that_is_taken_back_begins_again_there(database_url: str, connection: Connection) -> None:
    history = busy(orders=3)
    feed = ToldFeed(history.log[:9])
    async with projecting(database_url, feed):
        await caught_up(connection, 9)
        connection.execute("TRUNCATE fills; UPDATE checkpoints SET position = 0 WHERE name = 'fills'")
        feed.tell(history.log[9:])
        await caught_up(connection, len(history.log))
    assert_right(connection, history.log)


async def test_a_history_that_cannot_be_is_a_poisoned_event(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    history = History()
    history.record(order_stream(OrderId("never placed")), accepted())
    async with projecting(database_url, ToldFeed(history.log)):
        await caught_up(connection, 1, "fills", "accounts", "positions", "execution_log")
        await until(lambda: "OrderAccepted before OrderPlaced" in caplog.text)
    assert checkpoints(connection)["orders"] == 0


async def test_a_log_that_cannot_be_read_is_tried_again(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    feed = ToldFeed(busy(orders=1).log)
    feed.failures = [RuntimeError("unreadable"), RuntimeError("unreadable")]
    async with projecting(database_url, feed):
        await caught_up(connection, len(feed.log))
    assert "the log cannot be read" in caplog.text


async def test_what_stops_a_projection_is_written_down_with_the_time_since_when(
    database_url: str, connection: Connection
) -> None:
    log = busy(orders=4).log
    ask = "SELECT position, event_type, reason, since, tried_at FROM projection_stops"
    async with projecting(database_url, ToldFeed(log), [poisoned(ACCOUNTS, position=7, times=10**6)]):
        await until(lambda: connection.execute(ask).fetchone() is not None)
        first = connection.execute(ask).fetchone()
        await until(lambda: connection.execute(ask).fetchone() != first)
        again = connection.execute(ask).fetchone()
    assert first is not None
    assert again is not None
    assert first[:3] == (7, type(log[6].event).__name__, "RuntimeError: poison")
    assert again[:4] == first[:4]
    assert again[4] > first[4]


async def test_that_it_cannot_be_written_down_stops_nothing_else(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute("DROP TABLE projection_stops")
    log = busy(orders=4).log
    lane = [poisoned(ACCOUNTS, position=7, times=10**6) if each is ACCOUNTS else each for each in PROJECTIONS]
    async with projecting(database_url, ToldFeed(log), lane):
        await caught_up(connection, len(log), "orders", "fills", "positions", "execution_log")
        await until(lambda: "nobody else can be told" in caplog.text)


async def test_another_version_is_said_once_and_looked_at_again_and_again(
    database_url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    log = busy(orders=1).log
    async with projecting(database_url, ToldFeed(log), [FILLS, replace(ORDERS, version=2)]):
        await caught_up(connection, len(log), "fills")
        await until(lambda: "cannot go on" in caplog.text)
        await asyncio.sleep(0.1)
        assert caplog.text.count("cannot go on") == 1
        assert connection.execute("SELECT count(*) FROM projection_stops").fetchone() == (0,)
        # In a thread: the projector, in this one, may hold the row just now.
        await asyncio.to_thread(connection.execute, "UPDATE checkpoints SET version = 2 WHERE name = 'orders'")
        await caught_up(connection, len(log), "orders")


async def test_how_fast_it_goes_is_in_the_checkpoint(database_url: str, connection: Connection) -> None:
    connection.execute("UPDATE checkpoints SET updated_at = clock_timestamp() - interval '1 h'")
    log = busy(orders=5).log
    async with projecting(database_url, ToldFeed(log)):
        await caught_up(connection, len(log))
    rates = [rate for (rate,) in connection.execute("SELECT rate FROM checkpoints").fetchall()]
    assert all(0 < rate <= len(log) / 3600 + 0.001 for rate in rates)
