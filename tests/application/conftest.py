from collections.abc import AsyncIterator

import pytest

from application.sequencer import Sequencer
from infrastructure.memory import InMemoryEventStore
from tests.application.floor import Engine, Floor
from tests.application.world import FastClock, ScriptedVenue, fund, trading_on


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine in memory in which alice has 100,000 dollars."""
    store = InMemoryEventStore(FastClock())
    async with Sequencer(store) as sequencer:
        trading = trading_on(store, sequencer)
        await fund(trading)
        yield Engine(store, sequencer, trading)


@pytest.fixture
async def floor(engine: Engine) -> AsyncIterator[Floor]:
    floor = Floor(engine, ScriptedVenue(), FastClock())
    yield floor
    await floor.close()
