"""People who run the engine: they halt trading, let it go on, and change limits, and ask again when they hear nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from application.ports import StoreUnavailableError
from application.sequencer import SequencerBusyError
from application.trading import Caller, Trading
from domain.commands import ChangeLimits, HaltTrading, ResumeTrading
from domain.halts import EVERYTHING
from domain.refusals import NotHalted
from domain.values import Symbol, TraderId
from tests.simulation.chances import Chances
from tests.simulation.engine import Api, DisconnectedError

_SHARE_OF_WORLDS = 0.3
_HALT_EVERY_SECONDS = (1.0, 20.0)
_HALTED_SECONDS = (0.1, 4.0)
_LIMITS_EVERY_SECONDS = (0.1, 3.0)
_LIMITS_AT_ONCE = (1, 3)
_PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = 0.3


class Person:
    """Somebody whose requests are carried out, however often it takes.

    Args:
        name: who it is.
        apis: one of the processes of the API.
        traders: ids of all traders.
        symbols: what they trade.
        chances: when, what and for how long.
    """

    def __init__(
        self,
        name: str,
        apis: Callable[[], Api],
        traders: Sequence[TraderId],
        symbols: Sequence[Symbol],
        chances: Chances,
    ) -> None:
        self._name = name
        self._apis = apis
        self._traders = traders
        self._symbols = symbols
        self._chances = chances
        self._requests = 0

    async def work(self) -> None:
        """In some worlds: do what one does here until cancelled."""
        while self._chances.happens(_SHARE_OF_WORLDS) or self._requests:
            await self._act()

    async def _act(self) -> None:
        raise NotImplementedError

    async def _insist(self, change: Callable[[Trading, Caller], Awaitable[object]]) -> None:
        self._requests += 1
        request_id = f"{self._name}-{self._requests}"
        caller = Caller(f"ops:{self._name}", request_id, request_id)
        while True:
            try:
                await self._apis().ask(lambda trading: change(trading, caller), _PATIENCE_SECONDS)
            except (DisconnectedError, StoreUnavailableError, SequencerBusyError, TimeoutError):
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return


class Operator(Person):
    """Whoever halts a trader, a symbol or everything for a moment."""

    async def _act(self) -> None:
        chances = self._chances
        await asyncio.sleep(chances.between(*_HALT_EVERY_SECONDS))
        scope = chances.one_of(
            (EVERYTHING, f"trader:{chances.one_of(self._traders)}", f"symbol:{chances.one_of(self._symbols)}")
        )
        halt = HaltTrading(scope, "something is wrong", cancel_open=chances.happens(0.5))
        await self._insist(lambda trading, caller: trading.change_halts(halt, caller))
        await asyncio.sleep(chances.between(*_HALTED_SECONDS))
        with suppress(NotHalted):  # it was resumed, and the answer was lost
            await self._insist(lambda trading, caller: trading.change_halts(ResumeTrading(scope), caller))


class RiskOfficer(Person):
    """Whoever gives traders limits that they will meet, and takes them away again."""

    async def _act(self) -> None:
        chances = self._chances
        await asyncio.sleep(chances.between(*_LIMITS_EVERY_SECONDS))
        trader_id = chances.one_of(self._traders)
        changes = dict(self._limit() for _ in range(chances.whole(*_LIMITS_AT_ONCE)))
        request = ChangeLimits(changes, "as the desk asked")
        await self._insist(lambda trading, caller: trading.change_limits(trader_id, request, caller))

    def _limit(self) -> tuple[str, Any]:
        """A limit and what it is to be: one time in four, the default again."""
        chances = self._chances
        name, value = chances.one_of(
            (
                ("max_position", Decimal(chances.whole(0, 2_000))),
                ("max_order_quantity", Decimal(chances.whole(1, 1_000))),
                ("max_order_notional", Decimal(chances.whole(1_000, 200_000))),
                ("max_open_orders", chances.whole(0, 12)),
                ("max_orders_per_second", chances.whole(1, 5)),
                ("max_daily_notional", Decimal(chances.whole(1_000, 3_000_000))),
                ("price_collar_percent", Decimal(chances.whole(0, 50)) / 100),
                ("duplicate_window_seconds", chances.whole(1, 60)),
                ("restricted_symbols", (chances.one_of(self._symbols),)),
            )
        )
        return name, None if chances.happens(0.25) else value
