"""With its archives a log reads as if nothing had been taken out of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from application.ports import AsOf, Key, UnreadableEventError
from domain.events import RecordedEvent, account_stream, order_stream
from infrastructure.archives import files
from infrastructure.archives.files import Archive
from infrastructure.archives.whole_log import WholeLog
from infrastructure.codec import Codec, RawEvent
from infrastructure.exports import line_of
from infrastructure.postgres.event_store import PostgresEventStore
from tests.domain.orders import ALICE, ORDER_ID
from tests.infrastructure.postgres.partitioned import take, three_partitions
from tests.projections.histories import BOB

STREAMS = [order_stream(ORDER_ID), account_stream(BOB)]
ENDS = range(15)


@pytest.fixture
async def log(database_url: str, monkeypatch: pytest.MonkeyPatch) -> list[RecordedEvent]:
    monkeypatch.setattr(files, "EVENTS_AT_ONCE", 3)
    return await three_partitions(database_url, monkeypatch)


@pytest.fixture
async def raw(database_url: str, log: list[RecordedEvent]) -> Sequence[RawEvent]:
    """The log as it was before its beginning was archived."""
    async with PostgresEventStore(database_url) as store:
        return await store.raw(0, len(log))


@pytest.fixture
async def store(database_url: str, raw: Sequence[RawEvent], tmp_path: Path) -> AsyncIterator[WholeLog]:
    assert raw
    await take(database_url, tmp_path)
    await take(database_url, tmp_path)
    async with WholeLog(database_url, Archive(tmp_path)) as opened:
        yield opened


async def test_it_is_read_from_anywhere(store: WholeLog, log: list[RecordedEvent], raw: Sequence[RawEvent]) -> None:
    for after, limit in product(ENDS, (1, 3, 20)):
        assert await store.read(after, limit) == log[after : after + limit]
        assert await store.raw(after, limit) == raw[after : after + limit]
    await store.see_that_all_is_here(0)


async def test_only_events_of_some_types_are_read(store: WholeLog, log: list[RecordedEvent]) -> None:
    types = ["FundsDeposited", "OrderPlaced", "OrderFilled"]
    for after, size in product(ENDS, (1, 3, 20)):
        wanted = [recorded for recorded in log[after : after + size] if type(recorded.event).__name__ in types]
        assert await store.of_types(after, after + size, types) == wanted


async def test_it_is_read_page_by_page(store: WholeLog, log: list[RecordedEvent]) -> None:
    found: list[RecordedEvent] = []
    while page := await store.read(found[-1].position if found else 0, 2):
        found += page
    assert found == log


async def test_filters_choose_the_same(store: WholeLog, raw: Sequence[RawEvent]) -> None:
    async def positions(after: int = 0, limit: int = 20, **filters: object) -> list[int]:
        chosen = await store.raw(after, limit, **filters)  # type: ignore[arg-type] # each names its own
        assert await store.lines(after, limit, **filters) == list(map(line_of, chosen))  # type: ignore[arg-type] # the same
        return [event.position for event in chosen]

    of_bob = [event.position for event in raw if '"trader_id":"bob"' in event.metadata]
    assert await positions(trader_id=BOB) == of_bob
    assert await positions(trader_id=BOB, limit=4) == of_bob[:4]
    assert await positions(of_bob[3], trader_id=BOB) == of_bob[4:]
    assert await positions(types=["OrderPlaced"]) == [3]
    assert await positions(stream_id=STREAMS[0]) == [3, 5, 6, 7]
    for end in ENDS:
        assert await positions(as_of=AsOf(position=end)) == list(range(1, end + 1))
    # All were recorded in one commit, at one time.
    at = raw[0].recorded_at
    assert await positions(as_of=AsOf(time=at)) == await positions(since=at) == list(range(1, 15))
    assert await positions(as_of=AsOf(time=at - timedelta(seconds=1))) == []
    assert await positions(since=at + timedelta(seconds=1)) == []


async def test_the_past_of_streams_is_the_same(store: WholeLog, log: list[RecordedEvent]) -> None:
    for end in ENDS:
        history = await store.history(STREAMS, AsOf(position=end))
        assert history.position == end
        assert history.events == [event for event in log[:end] if event.stream_id in STREAMS]
    first = await store.history(STREAMS, version=1)
    assert [event.position for event in first.events] == [2, 3]
    before = await store.history(STREAMS, AsOf(time=log[0].recorded_at - timedelta(seconds=1)))
    assert (before.position, before.events) == (0, [])
    now = await store.history([account_stream(ALICE)], AsOf(time=log[0].recorded_at))
    assert (now.position, len(now.events)) == (14, 3)


async def test_events_end_before_one_that_is_not_known(store: WholeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Codec.to_recorded_event

    def decode(self: Codec, raw: RawEvent) -> RecordedEvent:
        if raw.position == 3:
            raise UnreadableEventError("nobody knows what this is")
        return usual(self, raw)

    monkeypatch.setattr(Codec, "to_recorded_event", decode)
    assert [event.position for event in await store.read(0, 5)] == [1, 2]
    with pytest.raises(UnreadableEventError):
        await store.read(2, 5)
    assert [event.position for event in await store.read(3, 2)] == [4, 5]


async def test_streams_are_loaded_from_both(store: WholeLog, log: list[RecordedEvent]) -> None:
    for version in range(4):
        loaded = await store.load(dict.fromkeys(STREAMS, version), [Key(BOB, "none", "none")])
        assert loaded.position == 14
        assert loaded.streams == {
            stream: [event for event in log if event.stream_id == stream and event.version > version]
            for stream in STREAMS
        }
        assert loaded.keys == {}
    assert (await store.load({}, from_snapshots=True)).streams == {}
