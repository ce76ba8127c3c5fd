"""What every event store promises, held against each of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from application.ports import (
    NOW,
    Appended,
    AsOf,
    EventStore,
    History,
    KeyUse,
    NewEvent,
    Transaction,
    UnwritableEventError,
)
from domain.events import FundsDeposited, Metadata, OrderSent, RecordedEvent
from domain.lifecycle import Status
from domain.values import Currency
from infrastructure.clock import SystemClock
from infrastructure.codec import RawEvent
from infrastructure.memory import InMemoryEventStore
from infrastructure.postgres.event_store import PostgresEventStore
from tests.domain.orders import NOON
from tests.infrastructure.samples import ALICE, BOB, EVERY_EVENT, METADATA, key, money, sent, stream, writes

Store = InMemoryEventStore | PostgresEventStore


@pytest.fixture(params=["in memory", "on PostgreSQL"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        if request.param == "in memory":
            yield InMemoryEventStore(SystemClock())
        else:
            yield await stack.enter_async_context(PostgresEventStore(request.getfixturevalue("database_url")))


def recorded(appended: Appended) -> list[RecordedEvent]:
    return [event for events in appended.recorded for event in events or ()]


def outcomes(appended: Appended) -> list[int | None]:
    """For each transaction how many events were recorded, or None."""
    return [None if events is None else len(events) for events in appended.recorded]


async def fill(store: EventStore, *names: str) -> int:
    """One event on each of these streams, which may repeat; returns the end of the log."""
    position = await store.position()
    versions: dict[str, int] = {}
    for name in names:
        appended = await store.append([writes(name, versions.get(name, 0))], position)
        versions[name] = versions.get(name, 0) + 1
        position = appended.position
    return position


async def test_an_empty_log_ends_at_zero(store: Store) -> None:
    assert await store.position() == 0
    assert await store.read(0, 10) == []
    assert await store.raw(0, 10) == []
    loaded = await store.load({stream("a"): 0}, [key("k")])
    assert (loaded.position, dict(loaded.streams), dict(loaded.keys)) == (0, {stream("a"): []}, {})


async def test_every_event_is_recorded_and_read_back_as_it_was(store: Store) -> None:
    new = [NewEvent(stream("a"), version, event, METADATA) for version, event in enumerate(EVERY_EVENT, 1)]
    before = datetime.now(UTC) - timedelta(seconds=1)  # noqa: TID251 - to compare with the store's clock
    appended = await store.append([Transaction({stream("a"): 0}, new)], 0)
    assert appended.position == len(new)
    (events,) = appended.recorded
    assert events is not None
    assert [(each.position, each.version, each.event) for each in events] == [
        (version, version, event) for version, event in enumerate(EVERY_EVENT, 1)
    ]
    assert {(each.stream_id, each.metadata) for each in events} == {(stream("a"), METADATA)}
    assert all(each.recorded_at >= before and each.recorded_at.tzinfo is UTC for each in events)
    assert await store.read(0, 100) == events
    assert (await store.load({stream("a"): 0})).streams == {stream("a"): events}


def field(value: object) -> bytes:
    text = value if isinstance(value, bytes) else str(value).encode()
    return len(text).to_bytes(4, "big") + text


def chained(raws: Sequence[RawEvent]) -> list[bytes]:
    """The hashes, recomputed by nothing but the description of the chain."""
    last, hashes = bytes(32), []
    for raw in raws:
        at = raw.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        fields = (raw.position, raw.stream_id, raw.version, raw.type, raw.data, raw.metadata, at)
        leaf = sha256(b"\x00" + b"".join(map(field, fields))).digest()
        last = sha256(last + leaf).digest()
        hashes.append(last)
    return hashes


async def test_the_hash_chain_covers_every_stored_byte(store: Store) -> None:
    first = await store.append([writes("a", 0, 3), writes("b", 0, 1)], 0)
    new = [NewEvent(stream("c"), version, event, METADATA) for version, event in enumerate(EVERY_EVENT, 1)]
    second = await store.append([Transaction({stream("c"): 0}, new)], first.position)
    raws = await store.raw(0, 100)
    assert len(raws) == 4 + len(new)
    assert [raw.hash for raw in raws] == chained(raws)
    assert [event.hash for event in recorded(first) + recorded(second)] == chained(raws)


async def test_times_never_fall_as_positions_rise(store: Store) -> None:
    await fill(store, "a", "b", "a", "c", "b")
    times = [event.recorded_at for event in await store.read(0, 100)]
    assert times == sorted(times)


async def test_transactions_of_a_batch_build_on_each_other(store: Store) -> None:
    appended = await store.append([writes("a", 0, 2), writes("a", 2, 1), writes("b", 0, 1), writes("a", 3, 1)], 0)
    assert outcomes(appended) == [2, 1, 1, 1]
    assert [(each.stream_id, each.version) for each in await store.read(0, 10)] == [
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("b", 1),
        ("a", 4),
    ]


async def test_a_transaction_may_write_several_streams_at_once(store: Store) -> None:
    both = Transaction({stream("a"): 0, stream("b"): 0}, [sent("a", 1), sent("b", 1), sent("a", 2)])
    assert outcomes(await store.append([both], 0)) == [3]
    loaded = await store.load({stream("a"): 0, stream("b"): 0})
    assert [each.version for each in loaded.streams[stream("a")]] == [1, 2]
    assert [each.version for each in loaded.streams[stream("b")]] == [1]


async def test_what_read_a_stream_that_moved_on_falls_and_the_others_go_on(store: Store) -> None:
    known = await fill(store, "a", "b")
    await store.append([writes("a", 1)], known)
    appended = await store.append([writes("a", 1), writes("b", 1), writes("c", 0)], known)
    assert outcomes(appended) == [None, 1, 1]
    assert appended.position == known + 3
    assert [(each.stream_id, each.version) for each in await store.read(known, 10)] == [("a", 2), ("b", 2), ("c", 1)]


async def test_what_builds_on_a_fallen_transaction_falls_with_it(store: Store) -> None:
    known = await fill(store, "a", "b")
    await store.append([writes("a", 1)], known)
    across = Transaction({stream("a"): 3, stream("b"): 1}, [sent("b", 2)])
    appended = await store.append([writes("a", 1, 2), across, writes("b", 2), writes("c", 0)], known)
    assert outcomes(appended) == [None, None, None, 1]


async def test_what_builds_on_a_fallen_transaction_does_not_mistake_another_writers_event_for_it(store: Store) -> None:
    known = await fill(store, "a", "b")
    await store.append([writes("a", 1)], known)
    # Version 2 of stream a is there, but it is not the one that the second transaction was decided on.
    appended = await store.append(
        [writes("a", 1), Transaction({stream("a"): 2, stream("b"): 1}, [sent("b", 2)])], known
    )
    assert outcomes(appended) == [None, None]


async def test_a_stream_that_was_only_read_counts_as_well(store: Store) -> None:
    known = await fill(store, "a")
    await store.append([writes("a", 1)], known)
    reader = Transaction({stream("a"): 1, stream("b"): 0}, [sent("b", 1)])
    assert outcomes(await store.append([reader], known)) == [None]
    assert (await store.load({stream("b"): 0})).streams[stream("b")] == []


async def test_a_stream_that_was_taken_for_new_counts_as_well(store: Store) -> None:
    await fill(store, "a")
    assert outcomes(await store.append([writes("a", 0)], 0)) == [None]


async def test_reads_that_are_newer_than_the_known_position_hold(store: Store) -> None:
    await fill(store, "a", "a", "b")
    assert outcomes(await store.append([writes("a", 2)], 1)) == [1]


async def test_a_wrong_belief_about_the_present_is_found_out(store: Store) -> None:
    position = await fill(store, "a", "b")
    appended = await store.append([writes("a", 0), writes("b", 1)], position)
    assert outcomes(appended) == [None, 1]


async def test_nothing_holds_and_nothing_is_recorded(store: Store) -> None:
    position = await fill(store, "a")
    appended = await store.append([writes("a", 0), writes("a", 1, 2)][:1], 0)
    assert (appended.position, outcomes(appended)) == (position, [None])
    assert await store.position() == position


async def test_a_transaction_without_events_asks_whether_its_reads_hold(store: Store) -> None:
    position = await fill(store, "a", "b", "a")
    asked = [
        Transaction({stream("a"): 2}),
        Transaction({stream("a"): 1}),
        Transaction({stream("a"): 2, stream("b"): 1}),
        Transaction({stream("c"): 0}),
        Transaction({stream("b"): 0}),
        Transaction({}),
    ]
    appended = await store.append(asked, 2)
    assert (appended.position, outcomes(appended)) == (position, [0, None, 0, 0, None, 0])
    beside_a_write = await store.append([*asked, writes("a", 2), Transaction({stream("a"): 3})], 2)
    assert outcomes(beside_a_write) == [0, None, 0, 0, None, 0, 1, 0]


async def test_at_the_known_position_reads_are_taken_at_their_word(store: Store) -> None:
    position = await fill(store, "a")
    assert outcomes(await store.append([Transaction({stream("a"): 1})], position)) == [0]


async def test_an_empty_batch_tells_the_end_of_the_log(store: Store) -> None:
    position = await fill(store, "a")
    assert await store.append([], 0) == Appended(position, [])


USE = KeyUse("fingerprint", stream("a"), 1)


async def test_a_key_is_recorded_with_its_transaction(store: Store) -> None:
    appended = await store.append([writes("a", 0, keys={key("k"): USE, key("k", "client_order_id"): USE})], 0)
    assert outcomes(appended) == [1]
    loaded = await store.load({}, [key("k"), key("k", "client_order_id"), key("other")])
    assert loaded.keys == {key("k"): USE, key("k", "client_order_id"): USE}
    assert loaded.position == 1


@pytest.mark.parametrize("known", [0, 1])
async def test_a_transaction_whose_key_is_taken_falls(store: Store, known: int) -> None:
    await store.append([writes("a", 0, keys={key("k"): USE})], 0)
    again = [writes("b", 0, keys={key("k"): USE}), writes("c", 0, keys={key("l"): USE}), writes("d", 0)]
    assert outcomes(await store.append(again, known)) == [None, 1, 1]
    assert (await store.load({}, [key("k")])).keys == {key("k"): USE}


async def test_a_key_can_be_used_once_in_a_batch(store: Store) -> None:
    batch = [writes("a", 0, keys={key("k"): USE}), writes("b", 0, keys={key("k"): USE})]
    assert outcomes(await store.append(batch, 0)) == [1, None]


async def test_the_key_of_a_fallen_transaction_is_free(store: Store) -> None:
    await fill(store, "a")
    batch = [writes("a", 0, keys={key("k"): USE}), writes("b", 0, keys={key("k"): USE})]
    assert outcomes(await store.append(batch, 0)) == [None, 1]


async def test_a_version_that_does_not_follow_is_a_mistake_of_the_caller(store: Store) -> None:
    for events in ([sent("a", 2)], [sent("a", 1), sent("a", 3)], [sent("b", 1)]):
        with pytest.raises(ValueError, match="does not follow"):
            await store.append([writes("c", 0), Transaction({stream("a"): 0}, events)], 0)
    assert await store.position() == 0


async def test_an_event_that_is_not_what_it_says_stops_the_whole_batch(store: Store) -> None:
    wrong = NewEvent(stream("a"), 1, OrderSent(attempt="1", status=Status.PENDING), METADATA)  # type: ignore[arg-type] # that is the point
    with pytest.raises(UnwritableEventError):
        await store.append([writes("b", 0), Transaction({stream("a"): 0}, [wrong])], 0)
    assert await store.position() == 0


async def test_streams_are_loaded_after_the_version_that_is_known(store: Store) -> None:
    await fill(store, "a", "b", "a", "a", "b")
    loaded = await store.load({stream("a"): 1, stream("b"): 2, stream("c"): 0, stream("b2"): 7})
    assert loaded.position == 5
    assert {name: [each.version for each in events] for name, events in loaded.streams.items()} == {
        "a": [2, 3],
        "b": [],
        "c": [],
        "b2": [],
    }


async def test_the_log_is_read_in_order_a_few_at_a_time(store: Store) -> None:
    await fill(store, "a", "b", "a", "c", "b")
    assert [each.position for each in await store.read(0, 2)] == [1, 2]
    assert [each.position for each in await store.read(2, 2)] == [3, 4]
    assert [each.position for each in await store.read(4, 2)] == [5]
    assert await store.read(5, 2) == []


async def test_streams_are_known_as_they_were(store: Store) -> None:
    await fill(store, "a", "b")
    between = (await store.read(1, 1))[0].recorded_at
    await store.append([writes("a", 1, 2), writes("c", 0)], 2)

    async def past(*names: str, as_of: AsOf = NOW, version: int | None = None) -> tuple[int, list[int]]:
        found = await store.history([stream(name) for name in names], as_of, version)
        return found.position, [event.position for event in found.events]

    assert await past("a") == (5, [1, 3, 4])
    assert await past("c", "a", "b") == (5, [1, 2, 3, 4, 5])
    assert await past("a", version=2) == (5, [1, 3])
    assert await past("a", as_of=AsOf(position=3)) == (3, [1, 3])
    assert await past("a", "b", as_of=AsOf(between)) == (2, [1, 2])
    assert await past("a", as_of=AsOf(between, 1)) == (1, [1])
    assert await past("a", as_of=AsOf(between, 99), version=9) == (2, [1])
    assert await past("a", as_of=AsOf(between - timedelta(days=1))) == (0, [])
    assert await past("a", as_of=AsOf(between + timedelta(days=1))) == (5, [1, 3, 4])
    assert await past("nowhere") == (5, [])
    assert await past() == (5, [])


async def test_the_past_of_an_empty_log_is_empty(store: Store) -> None:
    assert await store.history([stream("a")], AsOf(NOON)) == History(0, [])


def deposit(name: str, metadata: Metadata) -> Transaction:
    event = FundsDeposited(amount=money("1.10"), currency=Currency.USD)
    return Transaction({stream(name): 0}, [NewEvent(stream(name), 1, event, metadata)])


async def test_auditors_read_what_they_ask_for_exactly_as_it_is_stored(store: Store) -> None:
    bob = Metadata(trader_id=BOB, actor="ops:carol", correlation_id="r-2", causation_id="r-1")
    await store.append([writes("a", 0, 2), deposit("account-bob", bob)], 0)
    between = (await store.read(2, 1))[0].recorded_at
    await store.append([writes("b", 0), deposit("account-alice", METADATA)], 3)

    async def positions(after: int = 0, limit: int = 10, **filters: object) -> list[int]:
        return [raw.position for raw in await store.raw(after, limit, **filters)]  # type: ignore[arg-type] # each test names its own

    assert await positions() == [1, 2, 3, 4, 5]
    assert await positions(after=1, limit=3) == [2, 3, 4]
    assert await positions(types=["FundsDeposited"]) == [3, 5]
    assert await positions(types=["FundsDeposited", "OrderSent"], limit=1) == [1]
    assert await positions(trader_id=BOB) == [3]
    assert await positions(trader_id=ALICE, types=["FundsDeposited"]) == [5]
    assert await positions(stream_id=stream("a"), after=1) == [2]
    day = timedelta(days=1)
    assert await positions(as_of=AsOf(between)) == [1, 2, 3]
    assert await positions(as_of=AsOf(between - day)) == []
    assert await positions(as_of=AsOf(between + day), after=4) == [5]
    assert await positions(as_of=AsOf(position=2)) == [1, 2]
    assert await positions(as_of=AsOf(between, 99)) == [1, 2, 3]
    assert await positions(since=between) == [1, 2, 3, 4, 5]
    assert await positions(since=between + timedelta(microseconds=1)) == [4, 5]
    assert await positions(since=between + day) == []
    assert await positions(since=between, as_of=AsOf(between), after=1) == [2, 3]
    (raw,) = await store.raw(0, 10, trader_id=BOB)
    assert raw[:6] == (
        3,
        "account-bob",
        1,
        "FundsDeposited",
        '{"class_version":2,"amount":"1.10","currency":"USD"}',
        '{"trader_id":"bob","actor":"ops:carol","correlation_id":"r-2","causation_id":"r-1"}',
    )
    assert (raw.recorded_at, raw.hash) == (between, (await store.read(2, 1))[0].hash)
