"""The write path without HTTP: orders that are decided, and events that are only recorded."""

from collections.abc import Iterator

import psycopg

from application.ports import NewEvent
from application.trading import Caller
from benchmarks.desk import CALLERS, ORDER, Desk
from benchmarks.rounds import Figure, Goal, Pace, best, in_turns
from benchmarks.stock import THREADS, Pgbench, Stock
from benchmarks.surroundings import Surroundings
from benchmarks.writer import Writer
from domain.events import OrderPlaced, order_stream
from domain.lifecycle import Status
from domain.values import OrderId, Price, TraderId
from infrastructure.codec import Codec

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
    yield Figure(f"durable orders, {CALLERS} callers", "orders/s", ours, name, theirs, Goal(10, 20))
    events = [_EVENTS_AN_ORDER * each for each in ours]
    yield Figure("the same, in events", "events/s", events, inserts, reached[inserts], Goal(1.2, 2))
    yield Figure(
        "one trader sends everything", "orders/s", reached["one trader"], "1,000 traders", ours, Goal(0.7, 0.9)
    )


def appends(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Durable events with nothing to decide, as bytes for both; and what it costs to make bytes and states of events."""
    stock = Stock(around.empty_database())
    codec, metadata = Codec(), Caller("trader:bench", "bench", "bench").metadata(TraderId("bench-0"))
    event = _placed()
    state = codec.to_stored_event(NewEvent(order_stream(event.order_id), 1, event, metadata)).state
    with Writer(around.database()) as writer, Desk(around.database(), 1) as desk:
        inserts = {
            f"insert_events, {threads} threads": stock.insert(threads, "OrderPlaced", state) for threads in THREADS
        }
        reached = in_turns(
            {
                "ours": writer.append("OrderPlaced", state, codec.encode_metadata(metadata)),
                "sequencer": desk.append(event),
                **inserts,
            },
            pace,
        )
    stock.close()
    name, theirs = best(reached, list(inserts))
    yield Figure(f"raw append of bytes, {CALLERS} callers", "events/s", reached["ours"], name, theirs, Goal(25, 35))
    yield Figure(
        "the same through the sequencer, encoded and folded",
        "events/s",
        reached["sequencer"],
        "raw append",
        reached["ours"],
    )


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
