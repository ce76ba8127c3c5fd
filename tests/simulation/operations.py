"""People who run the engine: they halt trading and let it go on, and ask again when they hear nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from application.ports import StoreUnavailableError
from application.sequencer import Outcome, SequencerBusyError
from application.trading import Caller, Trading
from domain.commands import HaltCommand, HaltTrading, ResumeTrading
from domain.halts import EVERYTHING
from domain.refusals import NotHalted
from tests.simulation.chances import Chances
from tests.simulation.engine import Api, DisconnectedError

_SHARE_OF_WORLDS = 0.3
_EVERY_SECONDS = (1.0, 20.0)
_HALTED_SECONDS = (0.1, 4.0)
_PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = 0.3


class Operator:
    """Whoever halts a trader, a symbol or everything for a moment, in some worlds.

    Args:
        apis: one of the processes of the API.
        traders: ids of all traders.
        symbols: what they trade.
        chances: when, what and for how long.
    """

    def __init__(
        self, apis: Callable[[], Api], traders: Sequence[str], symbols: Sequence[str], chances: Chances
    ) -> None:
        self._apis = apis
        self._traders = traders
        self._symbols = symbols
        self._chances = chances
        self._requests = 0

    async def work(self) -> None:
        """Halt and resume until cancelled."""
        chances = self._chances
        while chances.happens(_SHARE_OF_WORLDS) or self._requests:
            await asyncio.sleep(chances.between(*_EVERY_SECONDS))
            scope = chances.one_of(
                (EVERYTHING, f"trader:{chances.one_of(self._traders)}", f"symbol:{chances.one_of(self._symbols)}")
            )
            await self._insist(HaltTrading(scope, "something is wrong", cancel_open=chances.happens(0.5)))
            await asyncio.sleep(chances.between(*_HALTED_SECONDS))
            with suppress(NotHalted):  # it was resumed, and the answer was lost
                await self._insist(ResumeTrading(scope))

    async def _insist(self, command: HaltCommand) -> None:
        self._requests += 1
        request_id = f"ops-{self._requests}"
        caller = Caller("ops:olivia", request_id, request_id)

        def change(trading: Trading) -> Awaitable[Outcome]:
            return trading.change_halts(command, caller)

        while True:
            try:
                await self._apis().ask(change, _PATIENCE_SECONDS)
            except (DisconnectedError, StoreUnavailableError, SequencerBusyError, TimeoutError):
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return
