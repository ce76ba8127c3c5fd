"""An engine without HTTP in this process: many callers, one sequencer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import cycle
from time import perf_counter
from typing import Self

import uvloop

from application.ports import Key, KeyUse
from application.sequencer import Plan, Sequencer
from application.snapshots import Snapshot
from application.trading import Caller, OrderRequest, Trading
from application.venue import Instrument
from domain.aggregates import State
from domain.commands import Deposit
from domain.events import Event, Metadata, StreamId, order_stream
from domain.values import Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId
from infrastructure.clock import SystemClock
from infrastructure.collector import keep_what_is_there
from infrastructure.ids import UuidIds
from infrastructure.postgres.event_store import PostgresEventStore

AAPL = Instrument(
    symbol=Symbol("AAPL"),
    name="Apple",
    tradable=True,
    fractionable=True,
    reference_price=Price(Decimal(100)),
    price_at=None,
)
ORDER = OrderRequest(
    symbol=AAPL.symbol,
    side=Side.BUY,
    quantity=Quantity(Decimal(1)),
    order_type=OrderType.LIMIT,
    price=Price(Decimal(100)),
    time_in_force=TimeInForce.GTC,
)
CALLERS = 256
_CASH = Money(Decimal(10**9))


class Desk:
    """A sequencer on a database, and a loop of its own that runs while something is measured. Use as a context manager."""

    def __init__(self, url: str, traders: int) -> None:
        self._url = url
        self._traders = [TraderId(f"bench-{number}") for number in range(traders)]
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._stack = AsyncExitStack()
        self._ids = UuidIds()

    def __enter__(self) -> Self:
        """Connect, and give every trader money."""
        keep_what_is_there()  # as the processes of the engine do
        self._runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _open(self) -> None:
        store = await self._stack.enter_async_context(PostgresEventStore(self._url))
        self._sequencer = await self._stack.enter_async_context(Sequencer(store))
        self._trading = Trading(self._sequencer, store, {AAPL.symbol: AAPL}, self._ids, SystemClock())
        await asyncio.gather(
            *(self._trading.move_cash(trader, Deposit(_CASH), _caller("ops:bench")) for trader in self._traders)
        )

    def place(self, traders: int) -> Callable[[float], float]:
        """Measures durable orders a second: 256 callers, each with its next order as soon as its last is answered."""
        names = cycle(self._traders[:traders])

        async def place_one() -> None:
            trader = next(names)
            await self._trading.place(trader, ORDER, _caller(f"trader:{trader}"))

        return lambda seconds: self._runner.run(by_callers(place_one, seconds))

    def append(self, event: Event) -> Callable[[float], float]:
        """Measures durable events a second, each the first of a stream of its own, with nothing to decide."""
        metadata = _caller("trader:bench").metadata(self._traders[0])

        async def append_one() -> None:
            await self._sequencer.execute(_Append(metadata, order_stream(OrderId(self._ids.new())), event))

        return lambda seconds: self._runner.run(by_callers(append_one, seconds))


class _Append:
    """Records an event that was decided before."""

    keys: Sequence[Key] = ()

    def __init__(self, metadata: Metadata, stream_id: StreamId, event: Event) -> None:
        self.metadata = metadata
        self.streams = self.new_streams = (stream_id,)
        self._plan = Plan([(stream_id, event)])

    def decide(self, _streams: Mapping[StreamId, Snapshot[State]], _keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        return self._plan


def _caller(actor: str) -> Caller:
    return Caller(actor, "bench", "bench")


async def by_callers(act: Callable[[], Awaitable[None]], seconds: float) -> float:
    """How often all callers together acted, a second."""
    begun = perf_counter()
    acted = 0

    async def act_on() -> None:
        nonlocal acted
        while perf_counter() - begun < seconds:
            await act()
            acted += 1

    await asyncio.gather(*(act_on() for _ in range(CALLERS)))
    return acted / (perf_counter() - begun)
