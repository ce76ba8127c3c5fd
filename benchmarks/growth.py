"""What a long log costs: the same work on a log of a few events and on one of millions, and what an event takes on disk."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import count
from time import perf_counter
from typing import Self

import psycopg
import uvloop

from application.ports import NewEvent, Transaction
from application.snapshots import advanced, empty
from application.trading import Caller
from benchmarks.desk import Desk
from benchmarks.history import fill_log
from benchmarks.rounds import FULL, Figure, Goal, Measure, Pace, in_turns
from benchmarks.surroundings import Surroundings
from domain.events import FundsDeposited, StreamId, account_stream, order_stream
from domain.values import Currency, Money, OrderId, TraderId
from infrastructure.postgres.connecting import PREPARE_THRESHOLD, conninfo
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.patience import Pool
from infrastructure.postgres.read_models import ReadModels
from infrastructure.postgres.snapshots import keep_snapshots

FEW = 10_000
MANY, MANY_QUICK = 5_000_000, 100_000
LONG, SHORT = 100_000, 100
_AT_ONCE = 5_000
_TRADERS = 50
"""So few have all orders in the read tables, that the page of each is full in a log of ``FEW`` events too."""

# Of an order only what a page shows and finds it by matters here, so the rows are not folded.
_FILL_ORDERS = """
INSERT INTO orders (id, client_order_id, trader_id, symbol, side, quantity, order_type, price, time_in_force, status,
                    filled_quantity, leaves_quantity, flags, version, position, created_at, updated_at, created_position)
SELECT placed ->> 'order_id', placed ->> 'client_order_id', 'trader-' || row_number() OVER (ORDER BY position) %% %s, placed ->> 'symbol', placed ->> 'side',
       (placed ->> 'quantity')::numeric, placed ->> 'order_type', (placed ->> 'price')::numeric, placed ->> 'time_in_force',
       'FILLED', 3, 0, '{}', 4, position, recorded_at, recorded_at, position
FROM (SELECT data::jsonb AS placed, position, recorded_at FROM events WHERE type = 'OrderPlaced') AS event
"""

_FILL_FILLS = """
INSERT INTO fills (id, order_id, trader_id, symbol, side, executed_at, quantity_filled, price_at_fill, venue, commission, position)
SELECT filled ->> 'fill_id', id, orders.trader_id, orders.symbol, orders.side, (filled ->> 'executed_at')::timestamptz,
       (filled ->> 'quantity')::numeric, (filled ->> 'price')::numeric, filled ->> 'venue',
       (filled ->> 'commission')::numeric, event.position
FROM (SELECT substr(stream_id, 7) AS order_id, data::jsonb AS filled, position FROM events WHERE type = 'OrderFilled') AS event
JOIN orders ON id = order_id
"""

_SIZES = """
SELECT coalesce(sum(pg_table_size(relid)), 0)::bigint, coalesce(sum(pg_indexes_size(relid)), 0)::bigint
FROM pg_partition_tree('events') WHERE isleaf
"""

_ORDERS = "SELECT count(*) FROM orders"


class _Engine:
    """The parts that answer queries, on one database, and a loop that runs while something is measured."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._stack = AsyncExitStack()
        self._url = url
        self._numbers = count(1)
        self._orders = 0

    def __enter__(self) -> Self:
        """Connect, and give the log its rows of orders and two accounts, one of them long."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(_FILL_ORDERS, (_TRADERS,))
            connection.execute(_FILL_FILLS)
            ((self._orders,),) = connection.execute(_ORDERS).fetchall()
            connection.execute("VACUUM ANALYZE orders, fills")
        self._runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _open(self) -> None:
        self._store = await self._stack.enter_async_context(PostgresEventStore(self._url))
        options = {"autocommit": True, "prepare_threshold": PREPARE_THRESHOLD}
        pool = await self._stack.enter_async_context(Pool(conninfo(self._url), kwargs=options, min_size=1, open=False))
        self._read_models = ReadModels(pool)
        for events in (SHORT, LONG):
            await self._deposit(_account(events), events)
        await keep_snapshots(pool)

    async def _deposit(self, stream_id: StreamId, events: int) -> None:
        cent = FundsDeposited(amount=Money(Decimal("0.01")), currency=Currency.USD)
        metadata = Caller("ops:bench", "bench", "bench").metadata(TraderId("bench"))
        for after in range(0, events, _AT_ONCE):
            versions = range(after + 1, min(after + _AT_ONCE, events) + 1)
            new = [NewEvent(stream_id, version, cent, metadata) for version in versions]
            await self._store.append([Transaction({stream_id: after}, new)], await self._store.position())

    def load(self, events: int) -> Measure:
        """Measures the milliseconds that it takes to know an account with so many events of which nothing is known."""
        return self._milliseconds(lambda: self._fold(_account(events)))

    def order(self) -> Measure:
        """Measures the milliseconds of reading an order from the log, another one each time."""
        return self._milliseconds(lambda: self._fold(order_stream(OrderId(_order_id(self._next())))))

    def page(self) -> Measure:
        """Measures the milliseconds of reading a page of a trader's orders and their fills, another trader's each time."""
        return self._milliseconds(lambda: self._read_models.orders_page(TraderId(f"trader-{self._next() % _TRADERS}")))

    def _next(self) -> int:
        # A prime, so that all of the log is visited and neighbours are not.
        return next(self._numbers) * 7_919 % self._orders

    async def _fold(self, stream_id: StreamId) -> None:
        loaded = await self._store.load({stream_id: 0}, from_snapshots=True)
        known = advanced(loaded.snapshots.get(stream_id) or empty(stream_id), loaded.streams[stream_id])
        if not known.version:
            raise LookupError(f"{stream_id} is not in the log")

    def _milliseconds(self, act: Callable[[], Awaitable[object]]) -> Measure:
        async def measure(seconds: float) -> float:
            begun, acted = perf_counter(), 0
            while (passed := perf_counter() - begun) < seconds:
                await act()
                acted += 1
            return 1000 * passed / acted

        return lambda seconds: self._runner.run(measure(seconds))


def growth(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """A log of a few events and one of millions."""
    many = MANY if pace == FULL else MANY_QUICK
    few_url, many_url = around.database(), around.database()
    fill_log(few_url, FEW)
    end = fill_log(many_url, many)
    yield from _sizes(many_url, end)
    few_name, goal = f"{FEW:,} events", Goal(1.3, 1.1, at_most=True)
    with _Engine(few_url) as little, _Engine(many_url) as large:
        actions = {"GET one order from the log": _Engine.order, "a page of orders": _Engine.page}
        for name, action in actions.items():
            reached = in_turns({"few": action(little), "many": action(large)}, pace)
            yield Figure(f"{name}, {many:,} events stored", "ms", reached["many"], few_name, reached["few"], goal)
        reached = in_turns({"short": large.load(SHORT), "long": large.load(LONG)}, pace)
        yield Figure(
            f"cold load of an account with {LONG:,} events",
            "ms",
            reached["long"],
            f"{SHORT} events",
            reached["short"],
            Goal(5, 2, at_most=True),
            "from a snapshot that is at most 200 events old",
        )
    with Desk(few_url, 1_000) as little_desk, Desk(many_url, 1_000) as large_desk:
        reached = in_turns({"few": little_desk.place(1_000), "many": large_desk.place(1_000)}, pace)
    few, more = ([1000 / each for each in reached[name]] for name in ("few", "many"))
    yield Figure(f"a durable order, 256 callers, {many:,} events stored", "ms", more, few_name, few, goal)


def _sizes(url: str, events: int) -> Iterator[Figure]:
    with psycopg.connect(url) as connection:
        ((table, indexes),) = connection.execute(_SIZES).fetchall()
        ((orders,),) = connection.execute("SELECT count(*) FROM events WHERE type = 'OrderPlaced'").fetchall()
    yield Figure("an event on disk, its row", "bytes", [table / events])
    yield Figure("an event on disk, in indexes", "bytes", [indexes / events])
    yield Figure("an order's life in the log", "bytes", [(table + indexes) / orders])


def _account(events: int) -> StreamId:
    return account_stream(TraderId(f"bench-with-{events}"))


def _order_id(number: int) -> str:
    """As ``benchmarks.history`` names orders."""
    return f"00000000-0000-4000-8000-{number:012d}"
