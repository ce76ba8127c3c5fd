"""What is heard of streams that nobody looks at."""

from decimal import Decimal

import pytest

from application import known_streams, snapshots
from application.known_streams import KnownStreams
from application.sequencer import Sequencer
from application.snapshots import advanced, empty
from domain.aggregates import State, evolve
from domain.commands import Deposit
from domain.events import Event, RecordedEvent, account_stream
from domain.values import Money, exactly
from infrastructure.memory import InMemoryEventStore
from tests.application.world import ALICE, CALLER, FastClock, trading_on

STREAM = account_stream(ALICE)


async def deposits(number: int) -> list[RecordedEvent]:
    """The events of an account."""
    store = InMemoryEventStore(FastClock())
    async with Sequencer(store) as sequencer:
        trading = trading_on(store, sequencer)
        for _ in range(number):
            await trading.move_cash(ALICE, Deposit(Money(Decimal(1))), CALLER)
    return list(await store.read(0, number))


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """The events that are folded from now on."""
    seen = []

    def noted(state: State, event: Event) -> State:
        seen.append(event)
        return evolve(state, event)

    monkeypatch.setattr(snapshots, "evolve", noted)
    return seen


async def test_what_others_record_is_folded_once_and_not_before_somebody_looks(folded: list[Event]) -> None:
    events = await deposits(5)
    folded.clear()
    known = KnownStreams()
    known.observe(events[:3])
    known.observe(events[3:])
    assert folded == []
    assert known.last_seen(STREAM).version == 5
    assert known.states([STREAM])[STREAM].version == 5
    assert folded == [event.event for event in events]


async def test_nobody_need_look_for_no_more_than_some_to_be_kept(folded: list[Event]) -> None:
    events = await deposits(100)
    folded.clear()
    known = KnownStreams()
    for event in events:
        known.observe([event])
    assert len(events) - len(folded) < known_streams._AHEAD_MAX  # what is not folded is kept as it came
    with exactly():
        assert known.last_seen(STREAM) == advanced(empty(STREAM), events)


async def test_what_was_observed_meanwhile_is_not_forgotten_for_something_older() -> None:
    events = await deposits(3)
    known = KnownStreams()
    known.observe(events)
    with exactly():
        older, newer = (advanced(empty(STREAM), events[:versions]) for versions in (2, 3))
    known.appended({STREAM: older}, 1, 2)
    assert known.last_seen(STREAM) == newer
