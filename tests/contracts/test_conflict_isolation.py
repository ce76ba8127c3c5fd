"""A conflict fells exactly the transactions that were decided on something that is not so, in every event store."""

import asyncio
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.ports import EventStore, Key, KeyUse, NewEvent, Transaction
from domain.events import OrderSent, StreamId
from domain.lifecycle import Status
from infrastructure.clock import SystemClock
from infrastructure.memory import InMemoryEventStore
from infrastructure.postgres.event_store import PostgresEventStore
from tests.infrastructure.samples import METADATA, key

# A transaction: how many events for each stream it looks at, and perhaps a key. A round: how many rounds ago its writer
# last looked at the log, and what it then wants recorded. That is several processes that know more or less.
TRANSACTIONS = st.tuples(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1, max_size=3),
    st.sampled_from([None, None, None, "k", "l"]),
)
ROUNDS = st.lists(st.tuples(st.integers(0, 3), st.lists(TRANSACTIONS, min_size=1, max_size=5)), max_size=6)

View = dict[str, tuple[int, ...]]
"""The events of each stream, by a number that each of them has for itself."""


class Expected:
    """What must come of it, by content and not by version."""

    def __init__(self) -> None:
        self.log: list[int] = []
        self.streams: View = dict.fromkeys("abc", ())
        self.keys: set[str] = set()

    def record(self, saw: View, events: View, used: str | None) -> bool:
        if any(self.streams[name] != content for name, content in saw.items()) or used in self.keys:
            return False
        for name, numbers in events.items():
            self.streams[name] += numbers
            self.log += numbers
        if used is not None:
            self.keys.add(used)
        return True


def story(
    rounds: Sequence[tuple[int, Sequence[tuple[dict[str, int], str | None]]]], prefix: str
) -> list[tuple[int, list[Transaction], list[bool], int]]:
    """Known position, batch, which of it must hold and where the log must end, for each round."""
    expected = Expected()
    seen: list[tuple[int, View]] = [(0, dict(expected.streams))]
    number = 0
    told = []
    for ago, wanted in rounds:
        known, past = seen[max(0, len(seen) - 1 - ago)]
        view = dict(past)
        batch, holding = [], []
        for counts, used in wanted:
            saw = {name: view[name] for name in counts}
            events: View = {}
            new = []
            for name, count in counts.items():
                events[name] = tuple(range(number + 1, number + count + 1))
                number += count
                first = len(view[name]) + 1
                new += [
                    NewEvent(StreamId(prefix + name), version, OrderSent(attempt=each, status=Status.PENDING), METADATA)
                    for version, each in enumerate(events[name], first)
                ]
                view[name] += events[name]
            key_ = used if new else None
            reads = {StreamId(prefix + name): len(content) for name, content in saw.items()}
            batch.append(Transaction(reads, new, _keys(prefix, key_)))
            holding.append(expected.record(saw, events, key_))
        told.append((known, batch, holding, len(expected.log)))
        seen.append((len(expected.log), dict(expected.streams)))
    return told


def _keys(prefix: str, used: str | None) -> dict[Key, KeyUse]:
    return {} if used is None else {key(prefix + used): KeyUse("f", StreamId(prefix + "a"), 1)}


async def held(store: EventStore, told: Sequence[tuple[int, list[Transaction], list[bool], int]]) -> None:
    start = await store.position()
    for known, batch, holding, end in told:
        appended = await store.append(batch, start + known)
        assert [events is not None for events in appended.recorded] == holding
        assert appended.position == start + end
        kept = [
            new.event for transaction, holds in zip(batch, holding, strict=True) if holds for new in transaction.events
        ]
        assert [event.event for events in appended.recorded for event in events or ()] == kept
        assert [event.event for event in await store.read(appended.position - len(kept), 100)] == kept


@given(ROUNDS)
def test_in_memory(rounds: list[tuple[int, list[tuple[dict[str, int], str | None]]]]) -> None:
    asyncio.run(held(InMemoryEventStore(SystemClock()), story(rounds, "")))


@given(ROUNDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_on_postgres(database_url: str, rounds: list[tuple[int, list[tuple[dict[str, int], str | None]]]]) -> None:
    async def run() -> None:
        async with PostgresEventStore(database_url) as store:
            # One database for all examples: each gets streams of its own.
            await held(store, story(rounds, f"{await store.position()}-"))

    asyncio.run(run())
