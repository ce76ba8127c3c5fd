"""Old partitions go to files and come back, and the engine goes on either way."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.ports import AsOf, EventsArchivedError
from application.sequencer import Sequencer
from application.trading import Caller, Trading
from domain.commands import Deposit, RecordBust
from domain.events import RecordedEvent, account_stream, order_stream
from domain.values import FillId, Money
from infrastructure import state_codec
from infrastructure.archives.files import Archive, ArchiveError, write
from infrastructure.audit.checkpoint import LogState, sign
from infrastructure.postgres import archiving, arrays, event_store, log_tree
from infrastructure.postgres.archived import archived_until
from infrastructure.postgres.archiving import ArchivingError, archive, closed_partitions, older_than, restore
from infrastructure.postgres.chain import GENESIS
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.log_rows import examine
from infrastructure.postgres.log_state import TamperedLogError, log_state
from infrastructure.postgres.log_tree import LogTree
from infrastructure.postgres.past import past_of
from infrastructure.postgres.snapshots import folded, keep_snapshots, save
from projections.positions import POSITIONS
from tests.application.world import trading_on
from tests.conftest import execute, tamper
from tests.domain.orders import ALICE, ORDER_ID
from tests.infrastructure.archives.test_files import chained
from tests.infrastructure.postgres.partitioned import first, partitions_of, take, three_partitions, unseen
from tests.infrastructure.postgres.pools import pool_of
from tests.projections.histories import BOB

ORDER = order_stream(ORDER_ID)
CHECKPOINT = sign(
    LogState(14, GENESIS, GENESIS, None), datetime(2026, 11, 25, tzinfo=UTC), Ed25519PrivateKey.generate()
)
CALLER = Caller("venue", "report", "report")


@pytest.fixture
async def log(database_url: str, monkeypatch: pytest.MonkeyPatch) -> list[RecordedEvent]:
    return await three_partitions(database_url, monkeypatch)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(database_url) as opened:
        yield opened


@pytest.fixture
async def trading(store: PostgresEventStore) -> AsyncIterator[Trading]:
    async with Sequencer(store) as sequencer:
        yield trading_on(store, sequencer)


async def test_full_partitions_are_closed(database_url: str, log: list[RecordedEvent]) -> None:
    closed = closed_partitions(database_url)
    assert [(each.name, each.first_position, each.last_position) for each in closed] == [
        ("events_from_1", 1, 8),
        ("events_from_9", 9, 12),
    ]
    assert [(each.last_hash, each.ended_at) for each in closed] == [
        (log[7].hash, log[7].recorded_at),
        (log[11].hash, log[11].recorded_at),
    ]
    now = log[7].recorded_at.astimezone(UTC) + timedelta(days=3)
    assert older_than(closed, timedelta(days=3), now)[:1] == closed[:1]
    assert older_than(closed, timedelta(days=4), now) == []


async def test_an_archived_partition_is_a_file_and_gone_from_the_database(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    steps: list[int] = []
    file = await asyncio.to_thread(archive, database_url, first(database_url), tmp_path, steps.append)
    assert steps == [8]
    assert (file.manifest.first_hash, file.manifest.last_hash) == (log[0].hash.hex(), log[7].hash.hex())
    assert [event.hash for batch in file.batches() for event in batch] == [event.hash for event in log[:8]]
    assert [name for name, _, _ in partitions_of(database_url)] == ["events_from_9", "events_from_13"]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('events_from_1')").fetchone() == (None,)
        assert archived_until(connection) == 8


async def test_the_engine_goes_on_with_orders_and_accounts_whose_events_are_archived(
    database_url: str, log: list[RecordedEvent], trading: Trading, tmp_path: Path
) -> None:
    assert log
    order, account = await trading.order(ORDER_ID), await trading.account(ALICE)
    assert order is not None
    await take(database_url, tmp_path)
    async with PostgresEventStore(database_url) as afresh, Sequencer(afresh) as sequencer:
        later = trading_on(afresh, sequencer)
        # Only who asked for it first is not known any more.
        assert await later.order(ORDER_ID) == order._replace(correlation_id="")
        assert await later.account(ALICE) == account._replace(correlation_id="")
        # A fact about an order that was over long ago is booked like any other.
        bust = RecordBust(fill_id=FillId("f-1"), execution_id=FillId("b-1"), reason="erroneous")
        await later.report(order.state.terms, [bust], CALLER)
        busted = await later.order(ORDER_ID)
        assert busted is not None
        assert (busted.version, busted.state.filled_quantity) == (order.version + 1, Decimal(0))
        assert (await later.account(ALICE)).state.cash == Decimal(5000)
        assert [event.version for event in (await afresh.load({ORDER: order.version})).streams[ORDER]] == [5]
    assert await trading.order(ORDER_ID) == busted


async def test_whoever_asks_for_archived_events_is_told_so(
    database_url: str, log: list[RecordedEvent], store: PostgresEventStore, tmp_path: Path
) -> None:
    end = log[-1].position
    await take(database_url, tmp_path)
    for ask in (
        store.read(0, 10),
        store.read(7, 10),
        store.raw(0, 10),
        store.raw(3, 1, types=["OrderSent"]),
        store.raw(0, 10, stream_id=ORDER),
        store.raw(0, 10, stream_id=account_stream(BOB)),
        store.load({ORDER: 0}),
        store.load({ORDER: 2}),
        store.load({account_stream(BOB): 0}),
        store.see_that_all_is_here(7),
        store.history([ORDER]),
        store.history([account_stream(BOB), ORDER], version=1),
        store.placed(ALICE, 100, 10),
        store.raw(0, 10, since=log[7].recorded_at),
    ):
        with pytest.raises(EventsArchivedError, match="archived"):
            await ask
    assert [event.position for event in await store.read(8, 10)] == list(range(9, end + 1))
    assert len(await store.raw(8, 10, stream_id=account_stream(BOB))) == end - 8
    assert await store.raw(0, 10, stream_id=order_stream(ALICE)) == []  # type: ignore[arg-type] # any name will do
    assert await store.raw(8, 10, as_of=AsOf(time=log[7].recorded_at - timedelta(seconds=1))) == []
    assert len(await store.raw(8, 10, as_of=AsOf(time=log[-1].recorded_at))) == end - 8
    await store.see_that_all_is_here(8)
    await store.see_that_all_is_here(0, since=log[8].recorded_at + timedelta(microseconds=1))
    assert (await store.history([order_stream(ALICE)])).events == []  # type: ignore[arg-type] # any name will do


async def test_a_program_that_cannot_read_the_snapshots_of_what_is_archived_says_so(
    database_url: str, log: list[RecordedEvent], trading: Trading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log
    await take(database_url, tmp_path)
    state_codec._shape.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(state_codec, "FOLD_VERSION", 2)
        with pytest.raises(EventsArchivedError):
            await trading.move_cash(BOB, Deposit(Money(Decimal(1))), CALLER)
        # Others are not held up by that.
        await trading.move_cash(BOB.replace("bob", "carol"), Deposit(Money(Decimal(1))), CALLER)  # type: ignore[arg-type] # a trader id
    state_codec._shape.cache_clear()
    await trading.move_cash(BOB, Deposit(Money(Decimal(1))), CALLER)


async def test_a_long_stream_whose_beginning_is_away_does_not_keep_others_from_their_snapshots(
    database_url: str, log: list[RecordedEvent], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert log
    await take(database_url, tmp_path)
    execute(database_url, "DELETE FROM snapshots")
    tamper(database_url, "UPDATE events SET version = 200 WHERE position = 9")
    async with pool_of(database_url) as pool:
        await keep_snapshots(pool)
    assert "archived" in caplog.text


async def test_a_correction_that_needs_archived_trades_stops_the_projection_and_tells_why(
    database_url: str, log: list[RecordedEvent], trading: Trading, store: PostgresEventStore, tmp_path: Path
) -> None:
    order = await trading.order(ORDER_ID)
    assert order is not None
    file = await take(database_url, tmp_path)
    bust = RecordBust(fill_id=FillId("f-1"), execution_id=FillId("b-1"), reason="erroneous")
    await trading.report(order.state.terms, [bust], CALLER)
    batch = await store.read(log[-1].position, 10)
    async with pool_of(database_url) as pool, pool.connection() as connection:
        with pytest.raises(EventsArchivedError):
            await past_of(connection, POSITIONS, batch)
        restore(database_url, file.path, unseen)
        past = await past_of(connection, POSITIONS, batch)
    assert [event.version for event in past[account_stream(ALICE)]][:2] == [3, 4]


async def test_the_log_is_verified_over_files_and_database(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    assert log
    before, _ = examine(database_url)
    await take(database_url, tmp_path)
    await take(database_url, tmp_path)
    tree = LogTree(database_url)
    for ask in (lambda: examine(database_url), tree.state, lambda: tree.prove(ORDER_ID, CHECKPOINT)):
        with pytest.raises(EventsArchivedError, match="positions 1 to 12"):
            ask()
    after, difference = examine(database_url, archive=Archive(tmp_path))
    assert (after, difference) == (before, None)
    assert log_state(database_url, Archive(tmp_path)) == before
    tamper(database_url, "DELETE FROM events WHERE position = 13")
    _, difference = examine(database_url, archive=Archive(tmp_path))
    assert difference is not None
    assert difference.position == 13


@pytest.mark.parametrize("block", [1, 2, 8, 1024])
async def test_events_are_proven_over_files_and_database(
    database_url: str, log: list[RecordedEvent], tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tree, "BLOCK", block)
    key = Ed25519PrivateKey.generate()
    tree = LogTree(database_url)
    checkpoint = sign(tree.state(), log[0].recorded_at, key)
    before = tree.prove(ORDER_ID, checkpoint)
    await take(database_url, tmp_path)
    first = Archive(tmp_path)
    await take(database_url, tmp_path)
    whole = LogTree(database_url, Archive(tmp_path))
    state = whole.state()
    assert (state.position, state.root.hex()) == (checkpoint.position, checkpoint.root)
    assert whole.prove(ORDER_ID, checkpoint) == before
    before.check(key.public_key())
    with pytest.raises(EventsArchivedError, match="positions 9 to 12"):
        LogTree(database_url, first).state()


async def test_what_is_in_the_archive_and_in_the_database_is_proven_once(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    file = await take(database_url, tmp_path)
    restore(database_url, file.path, unseen)
    whole, alone = LogTree(database_url, Archive(tmp_path)), LogTree(database_url)
    assert whole.state() == alone.state()
    checkpoint = sign(alone.state(), log[0].recorded_at, Ed25519PrivateKey.generate())
    assert whole.prove(ORDER_ID, checkpoint) == alone.prove(ORDER_ID, checkpoint)


async def test_an_archive_that_was_tampered_with_proves_nothing(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    file = await take(database_url, tmp_path)
    lines = gzip.decompress(file.path.read_bytes()).replace(log[2].stream_id.encode(), b"x" * len(log[2].stream_id))
    file.path.write_bytes(gzip.compress(lines))
    with pytest.raises(TamperedLogError, match="position 3: its hash is"):
        LogTree(database_url, Archive(tmp_path)).state()


async def test_archives_come_back_newest_first_and_nothing_is_different(
    database_url: str, log: list[RecordedEvent], store: PostgresEventStore, tmp_path: Path
) -> None:
    before = await store.raw(0, 100)
    files = [await take(database_url, tmp_path), await take(database_url, tmp_path)]
    with pytest.raises(ArchivingError, match="does not begin at position 9"):
        restore(database_url, files[0].path, unseen)
    steps: list[int] = []
    for file in reversed(files):
        assert restore(database_url, file.path, steps.append) == file
    assert steps == [4, 8]
    assert await store.raw(0, 100) == before
    assert await store.read(0, 100) == log
    assert [last for _, _, last in partitions_of(database_url)] == [8, 12, 16]
    assert examine(database_url).difference is None
    # And may go again.
    await take(database_url, tmp_path)


async def test_an_archive_of_another_log_does_not_come_back(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    assert log
    await take(database_url, tmp_path)
    other = write(tmp_path / "other", GENESIS, [chained(1, 8)])
    with pytest.raises(ArchivingError, match="of another log"):
        restore(database_url, other.path, unseen)


async def test_a_partition_may_be_kept_beside_the_log(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    assert log
    file = await take(database_url, tmp_path, keep=True)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM events_from_1").fetchone() == (8,)
        assert connection.execute("SELECT min(position) FROM events").fetchone() == (9,)
    with pytest.raises(psycopg.errors.DuplicateTable):
        restore(database_url, file.path, unseen)


async def assert_refused(database_url: str, directory: Path, why: str) -> None:
    with pytest.raises(ArchivingError, match=why):
        await take(database_url, directory)
    assert len(partitions_of(database_url)) == 3


async def test_what_a_reader_has_not_read_yet_stays(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    assert log
    execute(database_url, "UPDATE checkpoints SET position = 7 WHERE name = 'fills'")
    await assert_refused(database_url, tmp_path, r"not been read yet by fills \(at 7\)")


async def test_what_an_open_order_began_in_stays(database_url: str, log: list[RecordedEvent], tmp_path: Path) -> None:
    assert log
    execute(database_url, "UPDATE orders SET status = 'ACCEPTED'")
    await assert_refused(database_url, tmp_path, f"1 orders .* still open, the oldest is {ORDER_ID}")


async def test_partitions_go_from_the_front(database_url: str, log: list[RecordedEvent], tmp_path: Path) -> None:
    assert log
    with pytest.raises(ArchivingError, match="events_from_9 is not the first"):
        archive(database_url, closed_partitions(database_url)[1], tmp_path, unseen)


async def test_a_partition_behind_one_that_was_taken_away_otherwise_stays(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    assert log
    execute(database_url, "ALTER TABLE events DETACH PARTITION events_from_1")
    with pytest.raises(ArchivingError, match="Nobody knows the hash of the event before position 9"):
        await take(database_url, tmp_path)


async def test_a_log_that_was_changed_is_not_archived(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    assert log
    tamper(database_url, "UPDATE events SET data = '{}' WHERE position = 4")
    with pytest.raises(ArchiveError, match="position 4 the hash chain breaks"):
        await take(database_url, tmp_path)
    tamper(database_url, "DELETE FROM events WHERE position = 8")
    assert [each.last_position for each in closed_partitions(database_url)] == [12]


async def test_a_last_event_that_changes_meanwhile_is_noticed(
    database_url: str, log: list[RecordedEvent], tmp_path: Path
) -> None:
    assert log
    partition = first(database_url)._replace(last_hash=b"another")
    with pytest.raises(ArchivingError, match="not what was recorded"):
        archive(database_url, partition, tmp_path, unseen)


async def test_an_archiving_that_was_broken_off_is_done_again(
    database_url: str, log: list[RecordedEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log
    with monkeypatch.context() as patch:
        patch.setattr(archiving, "_SAY", "SELECT no_such_function(%s, %s, %s, %s, %s)")
        with pytest.raises(psycopg.errors.UndefinedFunction):
            await take(database_url, tmp_path)
    assert len(partitions_of(database_url)) == 3
    await take(database_url, tmp_path)
    assert len(partitions_of(database_url)) == 2
    assert datetime.now(UTC) - first(database_url).ended_at < timedelta(days=1)  # noqa: TID251 - to compare with the store's clock


# ── What a long log costs ────────────────────────────────────────────────────────────────────────────────────────────


def scanned(database_url: str, statement: str, parameters: Sequence[object]) -> set[str]:
    """The partitions in which the server looks for what the statement wants."""

    def relations(node: dict[str, Any]) -> Iterator[str]:
        if node.get("Actual Loops") and str(node.get("Relation Name", "")).startswith("events_from"):
            yield node["Relation Name"]
        for child in node.get("Plans", ()):
            yield from relations(child)

    with psycopg.connect(database_url) as connection:
        arrays.register(connection)
        row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), parameters).fetchone()
    assert row is not None
    return set(relations(row[0][0]["Plan"]))


async def test_a_stream_with_a_snapshot_is_looked_for_only_where_it_may_go_on(
    database_url: str, log: list[RecordedEvent]
) -> None:
    assert log
    stream_id = account_stream(BOB)
    wanted = arrays.texts([stream_id]), arrays.integers([0]), arrays.texts([state_codec.shape_of(stream_id)])
    every = {"events_from_1", "events_from_9", "events_from_13"}
    assert scanned(database_url, event_store._STREAMS, wanted) == every
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await save(connection, {stream_id: await folded(connection, stream_id)})
    assert scanned(database_url, event_store._STREAMS, wanted) == {"events_from_13"}


def test_a_page_of_the_log_is_looked_for_only_where_it_is(database_url: str, log: list[RecordedEvent]) -> None:
    assert log
    assert scanned(database_url, event_store._READ, (9, 2)) == {"events_from_9"}
    assert scanned(database_url, event_store._READ, (0, 8)) == {"events_from_1"}
    assert scanned(database_url, event_store._READ, (13, 100)) == {"events_from_13"}
