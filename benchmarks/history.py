"""A long log in a moment: a few lives of orders that the engine itself decided, told again under other names.

The bytes are real, versions and positions follow, and the hash chain holds. Of ten orders four are filled at once, two
in three parts, two are cancelled, one expires after a part, and one is rejected.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle
from typing import NamedTuple

import psycopg

from application.sequencer import Sequencer
from application.trading import Caller, Trading
from benchmarks.desk import AAPL, ORDER
from domain.commands import (
    CancelOrder,
    Deposit,
    OrderReport,
    RecordAcceptance,
    RecordCancellation,
    RecordExpiry,
    RecordFill,
    RecordRejection,
    RecordSent,
)
from domain.values import FillId, Money, OrderId, Price, Quantity, TraderId
from infrastructure.codec import RawEvent
from infrastructure.memory import InMemoryEventStore
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp

_BEGIN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
_STEP = timedelta(milliseconds=1)
_TRADER = TraderId("trader-00000")
_TRADERS = 10_000
_FILL = "20260105143000000::"
_CASH = Deposit(Money(Decimal(10**12)))
_CALLER = Caller("venue", "bench", "bench")

_COPY = "COPY events (position, stream_id, version, type, data, metadata, recorded_at, hash) FROM STDIN (FORMAT BINARY)"
_TYPES = ("int8", "text", "int4", "text", "text", "text", "timestamptz", "bytea")
_HEAD = "UPDATE log_head SET position = %s, hash = %s, recorded_at = %s"


class Told(NamedTuple):
    """An event without its place in the log. ``is_account``: it belongs to the trader's stream, not to the order's."""

    is_account: bool
    type: str
    data: str
    metadata: str


Life = Sequence[Told]


class _Clock:
    def now(self) -> datetime:
        return _BEGIN

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _fill(number: int, quantity: int) -> RecordFill:
    return RecordFill(
        fill_id=FillId(f"{_FILL}{number:08d}"),
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal("99.99")),
        commission=Money(Decimal("0.01")),
        venue="paper",
        executed_at=_BEGIN,
    )


_SENT: Sequence[OrderReport | CancelOrder] = (RecordSent(1), RecordAcceptance("v"))
_LIVES: Sequence[tuple[int, Sequence[OrderReport | CancelOrder]]] = (
    (4, (*_SENT, _fill(1, 3))),
    (2, (*_SENT, *(_fill(number, 1) for number in (1, 2, 3)))),
    (2, (*_SENT, CancelOrder(), RecordCancellation("as asked"))),
    (1, (*_SENT, _fill(1, 1), RecordExpiry("the day is over"))),
    (1, (RecordSent(1), RecordRejection("42210000", "refused by the venue"))),
)


class _Names:
    """Names that can be replaced by others of the same length."""

    order_id = OrderId("00000000-0000-4000-8000-000000000000")

    def new(self) -> str:
        return self.order_id


async def _lives() -> list[Life]:
    """The lives in the order in which they recur."""
    lives: list[Life] = []
    for times, reports in _LIVES:
        clock = _Clock()
        store = InMemoryEventStore(clock)
        async with Sequencer(store) as sequencer:
            trading = Trading(sequencer, store, {AAPL.symbol: AAPL}, _Names(), clock)
            await trading.move_cash(_TRADER, _CASH, _CALLER)
            placed = (await trading.place(_TRADER, replace(ORDER, quantity=Quantity(Decimal(3))), _CALLER)).order.state
            for report in reports:
                if isinstance(report, CancelOrder):
                    await trading.change(_TRADER, placed.order_id, report, _CALLER)
                else:
                    await trading.report(placed.terms, [report], _CALLER)
        told = [Told(raw.stream_id.startswith("account"), *raw[3:6]) for raw in await store.raw(1, 1_000)]
        lives += [told] * times
    return lives


def told(events: int) -> Iterator[RawEvent]:
    """At least so many events, chained from the beginning of a log; the last order is told to its end."""
    versions: Counter[str] = Counter()
    position, last = 0, GENESIS
    for number, life in enumerate(cycle(asyncio.run(_lives()))):
        if position >= events:
            return
        trader, order_id = f"trader-{number % _TRADERS:05d}", f"00000000-0000-4000-8000-{number:012d}"
        fill = f"{20260105143000001 + number}::"
        for each in life:
            position += 1
            stream_id = f"account-{trader}" if each.is_account else f"order-{order_id}"
            versions[stream_id] += 1
            data, metadata = (
                text.replace(_Names.order_id, order_id).replace(_TRADER, trader).replace(_FILL, fill)
                for text in (each.data, each.metadata)
            )
            at = _BEGIN + position * _STEP
            fields = position, stream_id, versions[stream_id], each.type
            last = link(last, leaf(*fields, data.encode(), metadata.encode(), timestamp(at)))
            yield RawEvent(*fields, data, metadata, at, last)
        del versions[f"order-{order_id}"]


def fill_log(database_url: str, events: int) -> int:
    """Fill an empty log with about so many events; returns where it ends."""
    last = None
    with psycopg.connect(database_url) as connection:
        with connection.cursor().copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for last in told(events):
                copy.write_row(last)
        if last is None:
            return 0
        connection.execute(_HEAD, (last.position, last.hash, last.recorded_at))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return last.position
