from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from application.sequencer import Sequencer
from application.trading import Trading
from infrastructure.memory import InMemoryEventStore
from tests.application.world import FastClock, fund, trading_on


@dataclass
class Engine:
    store: InMemoryEventStore
    sequencer: Sequencer
    trading: Trading


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine in memory in which alice has 100,000 dollars."""
    store = InMemoryEventStore(FastClock())
    async with Sequencer(store) as sequencer:
        trading = trading_on(store, sequencer)
        await fund(trading)
        yield Engine(store, sequencer, trading)
