"""The small ports: time that can be set wrong, ids that count, prices from the simulated exchange."""

import asyncio
from datetime import UTC, datetime, timedelta

from application.venue import Instrument
from domain.values import Price, Symbol
from infrastructure.exchanges.paper.exchange import Exchange
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import owner_in


class MachineClock:
    """The clock of our machine. ``wrong_by_seconds`` is what stepping it did; sleeping does not look at it."""

    def __init__(self, loop: VirtualLoop, began_at: datetime) -> None:
        self._loop = loop
        self._began_at = began_at
        self.wrong_by_seconds = 0.0

    def now(self) -> datetime:
        """What the clock on the wall says."""
        return self._began_at + timedelta(seconds=self._loop.time() + self.wrong_by_seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""
        await self._loop.sleep(seconds)
        process = owner_in(None)
        if process is not None and not process.is_alive:
            raise asyncio.CancelledError


class CountingIds:
    """Ids that were never used before: the kind of thing they name, and a number."""

    def __init__(self, kind: int) -> None:
        self._kind = f"{kind:08x}-0000-4000-8000-"
        self._count = 0

    def new(self) -> str:
        """A new UUID as text."""
        self._count += 1
        return f"{self._kind}{self._count:012x}"


class QuotedInstruments:
    """What the exchange trades, at its last prices."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def get(self, symbol: Symbol) -> Instrument | None:
        """The instrument, or None when it is not traded."""
        market = self._exchange.markets.get(symbol)
        if market is None:
            return None
        return Instrument(
            symbol=symbol,
            name=market.asset.name,
            tradable=True,
            fractionable=True,
            reference_price=Price(market.book.last_price),
            price_at=market.last_trade.at,
        )


BEGINNING = datetime(2026, 11, 20, 12, tzinfo=UTC)
