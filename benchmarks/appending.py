"""The write path without HTTP: orders that are decided, and events that are only recorded."""

from collections.abc import Iterator

import psycopg

from benchmarks.desk import ORDER, Desk
from benchmarks.rounds import Figure, Goal, Pace, best, in_turns
from benchmarks.stock import THREADS, Pgbench, Stock
from benchmarks.surroundings import Surroundings
from domain.events import OrderPlaced
from domain.lifecycle import Status
from domain.values import OrderId, Price, TraderId

_TRADERS = 1_000
_EVENTS_AN_ORDER = 2
_CLIENTS = 32

_SAMPLE = "SELECT type, data, metadata FROM events WHERE type = ANY ('{OrderPlaced,FundsReserved}') ORDER BY position DESC LIMIT 2"


def orders(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Durable orders, each with the events of the order and of its account."""
    url = around.database()
    stock = Stock(around.empty_database())
    with Desk(url, _TRADERS) as desk:
        desk.place(_TRADERS)(0.2)
        with psycopg.connect(url) as connection:
            sample = connection.execute(_SAMPLE).fetchall()
        pgbench = Pgbench(around.empty_database(), around.home, sample)
        saves = {f"Application.save, {threads} threads": stock.save(threads) for threads in THREADS}
        inserts = f"pgbench INSERT, {_CLIENTS} clients"
        reached = in_turns(
            {
                "ours": desk.place(_TRADERS),
                "one trader": desk.place(1),
                inserts: pgbench.insert(_CLIENTS),
                **saves,
            },
            pace,
        )
    stock.close()
    ours = reached["ours"]
    name, theirs = best(reached, list(saves))
    yield Figure("durable orders, 256 callers", "orders/s", ours, name, theirs, Goal(10, 20))
    events = [_EVENTS_AN_ORDER * each for each in ours]
    yield Figure("the same, in events", "events/s", events, inserts, reached[inserts], Goal(1.2, 2))
    yield Figure(
        "one trader sends everything", "orders/s", reached["one trader"], "1,000 traders", ours, Goal(0.7, 0.9)
    )


def appends(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Durable events with nothing to decide."""
    stock = Stock(around.empty_database())
    with Desk(around.database(), 1) as desk:
        event = _placed()
        state = b"x" * 480  # about what the event is as JSON
        inserts = {
            f"insert_events, {threads} threads": stock.insert(threads, "OrderPlaced", state) for threads in THREADS
        }
        reached = in_turns({"ours": desk.append(event), **inserts}, pace)
    stock.close()
    name, theirs = best(reached, list(inserts))
    yield Figure("raw append, 256 callers", "events/s", reached["ours"], name, theirs, Goal(25, 35))


def _placed() -> OrderPlaced:
    return OrderPlaced(
        order_id=OrderId("00000000-0000-4000-8000-000000000001"),
        trader_id=TraderId("bench-0"),
        client_order_id="00000000-0000-4000-8000-000000000001",
        symbol=ORDER.symbol,
        side=ORDER.side,
        quantity=ORDER.quantity,
        order_type=ORDER.order_type,
        price=ORDER.price,
        stop_price=None,
        time_in_force=ORDER.time_in_force,
        stop_loss=None,
        take_profit=None,
        reference_price=Price(ORDER.quantity),
        reserve_price=ORDER.price or Price(ORDER.quantity),
        parent_order_id=None,
        oco_order_id=None,
        status=Status.PENDING,
    )
