"""What is exact over two processes, and what a restart does not forget."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from application.facts import facts
from application.sequencer import Sequencer
from application.trading import Placed
from domain.commands import ChangeLimits
from domain.refusals import DuplicateOrder, InsufficientPosition, MaxDailyNotionalExceeded, RateLimited, Refusal
from domain.values import Money, Quantity, Side
from tests.application.floor import Engine
from tests.application.world import ALICE, BUY_TEN, CALLER, filled, report


async def test_over_two_processes_exactly_as_many_sells_are_taken_as_there_are_units(engine: Engine) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    await report(engine.trading, order_id, facts(filled(order_id, 10), "paper")[-1])
    selling = replace(BUY_TEN, side=Side.SELL, quantity=Quantity(Decimal(3)))
    async with Sequencer(engine.store) as sequencer:
        processes = [engine.trading, replace(engine.trading, sequencer=sequencer)]
        asked = (each.place(ALICE, selling, CALLER) for each in processes * 10)
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, Placed) for each in answers) == 3
    assert sum(isinstance(each, InsufficientPosition) for each in answers) == 17
    account = (await engine.trading.account(ALICE)).state
    assert account.holding(BUY_TEN.symbol).working_sells == 9


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        ({"max_orders_per_second": 1}, RateLimited),
        ({"max_daily_notional": Money(Decimal(1999))}, MaxDailyNotionalExceeded),
        ({"duplicate_window_seconds": 30}, DuplicateOrder),
    ],
)
async def test_what_limits_over_time_have_counted_is_known_after_a_restart(
    engine: Engine, limits: dict[str, Any], refusal: type[Refusal]
) -> None:
    await engine.trading.change_limits(ALICE, ChangeLimits(limits), CALLER)
    await engine.trading.place(ALICE, BUY_TEN, CALLER)
    async with Sequencer(engine.store) as sequencer:
        with pytest.raises(refusal):
            await replace(engine.trading, sequencer=sequencer).place(ALICE, BUY_TEN, CALLER)
