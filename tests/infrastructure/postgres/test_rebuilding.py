"""Read models are rebuilt beside the live ones, checked, and swapped in; what goes wrong leaves the live ones alone."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.events import RecordedEvent
from infrastructure.postgres import rebuilding, swapping
from infrastructure.postgres.building import Builder, BuildError, begin
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.rebuilding import (
    Advance,
    AlreadyRebuildingError,
    Rebuilt,
    RebuiltWronglyError,
    plan,
    rebuild,
    unseen,
)
from infrastructure.postgres.reshaping import reshape
from infrastructure.postgres.swapping import drop_previous
from infrastructure.postgres.verification import verify
from projections.accounts import ACCOUNTS
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.projection import Projection
from projections.registry import PROJECTIONS
from tests.cli.logs import project, record
from tests.conftest import execute
from tests.infrastructure.postgres.test_building import progress, rows
from tests.infrastructure.postgres.test_migrating import schema
from tests.infrastructure.postgres.test_projection_status import tamper
from tests.infrastructure.postgres.test_projector import busy, eventful, poisoned
from tests.infrastructure.postgres.test_skips import skip

Hook = Callable[[], object]


async def rebuilt(
    database_url: str, projections: Sequence[Projection[Any]] = PROJECTIONS, **options: Any
) -> dict[str, Rebuilt]:
    async with PostgresEventStore(database_url) as store:
        return {each.projection: each for each in await rebuild(database_url, store, projections, **options)}


async def assert_verified(database_url: str) -> None:
    async with PostgresEventStore(database_url) as store:
        assert [each.difference for each in await verify(database_url, store)] == [None] * len(PROJECTIONS)


def answer(database_url: str, question: str) -> Any:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(question.encode()).fetchone()
        return row and row[0]


class Stages:
    """Notes what is shown, and does something when a stage begins or has ended."""

    def __init__(self, *, before: Hook | None = None, after: Hook | None = None, stage: str = "Checking") -> None:
        self.titles: list[str] = []
        self.lags: list[int | None] = []
        self.told = 0
        self._hooks = before, after
        self._stage = stage

    @contextmanager
    def __call__(self, title: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        self.titles.append(title)
        self.told = done
        before, after = self._hooks if title.startswith(self._stage) else (None, None)
        if before:
            before()

        def advance(steps: int, *, lag: int | None = None) -> None:
            self.told += steps
            self.lags.append(lag)

        yield advance
        assert self.told >= total
        if after:
            after()


@pytest.fixture
async def log(database_url: str) -> Sequence[RecordedEvent]:
    """What the read models have read to the end."""
    recorded = await record(database_url, eventful().log)
    project(database_url, recorded)
    return recorded


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "PATIENCE_SECONDS", 0.2)


# ── What comes out ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_rebuilt_table_is_the_fold_of_the_log_and_takes_the_live_one_s_place(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    before = schema(database_url)
    execute(database_url, "UPDATE orders SET status = 'LOST'; DELETE FROM fills")
    stages = Stages()
    done = await rebuilt(database_url, batch=50, stage=stages)
    assert list(done) == [projection.name for projection in PROJECTIONS]
    assert {each.position for each in done.values()} == {len(log)}
    for projection in PROJECTIONS:
        assert rows(database_url, projection, "public") == projection.fold({}, log)
        assert done[projection.name].summary.rows == len(projection.fold({}, log))
    assert done["orders"].summary.totals["quantity"] == Decimal(800)
    assert rows(database_url, FILLS, "previous") == {}
    assert progress(database_url) == {}
    assert stages.titles == ["Building 5 read models, events", "Checking 5 read models"]
    assert stages.lags == [*range(len(log) - 50, 0, -50), 0, *[None] * len(PROJECTIONS)]
    assert await drop_previous(database_url, PROJECTIONS) == [projection.name for projection in PROJECTIONS]
    assert await drop_previous(database_url, PROJECTIONS) == []
    assert schema(database_url) == before


async def test_rebuilt_again_it_is_the_same_whatever_the_batches_and_processes(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    assert log
    before = schema(database_url)
    once = await rebuilt(database_url, batch=1)
    again = await rebuilt(database_url, workers=2, batch=50)
    assert {name: each.summary for name, each in once.items()} == {name: each.summary for name, each in again.items()}
    await assert_verified(database_url)
    await drop_previous(database_url, PROJECTIONS)
    assert schema(database_url) == before


async def test_a_table_has_statistics_when_it_takes_the_live_one_s_place(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    assert log
    await rebuilt(database_url, [ORDERS])
    assert answer(database_url, "SELECT reltuples FROM pg_class WHERE oid = 'orders'::regclass") == 16


async def test_an_empty_log_is_built_by_several_as_well(database_url: str) -> None:
    assert (await rebuilt(database_url, [ORDERS], workers=2))["orders"].summary.rows == 0


async def test_a_shape_that_a_migration_prepared_has_the_indexes_that_it_gave_it(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    with psycopg.connect(database_url) as connection:
        reshape(connection, "orders", 7, "DROP INDEX building.orders_over; ALTER TABLE {table} SET (fillfactor = 70)")
    newer = replace(ORDERS, version=7)
    await rebuilt(database_url, [newer])
    assert rows(database_url, newer, "public") == ORDERS.fold({}, log)
    assert answer(database_url, "SELECT to_regclass('orders_over')") is None
    assert answer(database_url, "SELECT to_regclass('orders_open')::text") == "orders_open"


async def test_a_live_table_that_has_read_more_is_caught_up_with_before_the_swap(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = busy(orders=10)
    recorded = await record(database_url, history.log[:20])
    project(database_url, recorded)
    monkeypatch.setattr(rebuilding, "_LEFT_MAX", 5)

    def more() -> None:
        with asyncio.Runner() as runner:  # in a thread, because this one has a loop
            everything = runner.run(record(database_url, history.log[20:]))
        execute(database_url, "TRUNCATE orders, fills, accounts, positions, execution_log")
        project(database_url, everything)

    stages = Stages(after=lambda: in_a_thread(more))
    done = await rebuilt(database_url, batch=7, stage=stages)
    assert [title.partition(" ")[0] for title in stages.titles] == ["Building", "Checking"]
    assert {each.checked_position for each in done.values()} == {20}
    assert {each.position for each in done.values()} == {len(history.log)}
    await assert_verified(database_url)


def in_a_thread(work: Hook) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for this one

    with ThreadPoolExecutor(1) as threads:
        threads.submit(work).result()


async def test_what_is_recorded_while_it_builds_is_built_too(
    database_url: str, log: Sequence[RecordedEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_LEFT_MAX", 5)
    ends = iter([9, 20])
    position = PostgresEventStore.position

    async def growing(store: PostgresEventStore) -> int:
        return next(ends, 0) or await position(store)

    monkeypatch.setattr(PostgresEventStore, "position", growing)
    done = await rebuilt(database_url, [ORDERS])
    assert (done["orders"].checked_position, done["orders"].position) == (len(log), len(log))


async def test_a_live_table_that_is_behind_is_overtaken(database_url: str) -> None:
    log = await record(database_url, busy(orders=5).log)
    project(database_url, log[:3])
    await rebuilt(database_url, [ORDERS])
    assert answer(database_url, "SELECT position FROM checkpoints WHERE name = 'orders'") == len(log)
    assert answer(database_url, "SELECT position FROM checkpoints WHERE name = 'fills'") == 3
    assert rows(database_url, ORDERS, "public") == ORDERS.fold({}, log)


async def test_what_was_skipped_stays_skipped(database_url: str) -> None:
    log = await record(database_url, busy(orders=3).log)
    fill = next(recorded for recorded in log if type(recorded.event) in FILLS.events)
    await skip(database_url, "fills", fill.position, version=1)
    done = await rebuilt(database_url, workers=2)
    assert rows(database_url, FILLS, "public") == FILLS.fold({}, [each for each in log if each is not fill])
    assert done["fills"].summary.rows == 2
    await assert_verified(database_url)


# ── Interrupted ──────────────────────────────────────────────────────────────────────────────────────────────────────


class PowerError(Exception):
    """The lights go out."""


def cut_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """The lights go out after so many batches, once."""
    left = iter(range(batches + 1))
    apply = Builder._apply

    async def applying(builder: Builder, *what: Any) -> None:
        if next(left, None) == batches:
            raise PowerError
        await apply(builder, *what)

    monkeypatch.setattr(Builder, "_apply", applying)


@pytest.mark.parametrize("batch", [10, 20, 1000])
async def test_an_interrupted_rebuild_goes_on_where_it_was_whatever_its_batches(
    database_url: str, log: Sequence[RecordedEvent], monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    once = await rebuilt(database_url)
    cut_after(monkeypatch, 5)
    with pytest.raises(PowerError):
        await rebuilt(database_url, batch=10)
    assert set(progress(database_url).values()) == {50}
    await assert_verified(database_url)
    (orders, *_) = await plan(database_url, PROJECTIONS, resume=True)
    assert (orders.resumes, orders.position, orders.abandoned) == (True, 50, None)
    stages = Stages(stage="Building", before=lambda: None)
    again = await rebuilt(database_url, batch=batch, resume=True, stage=stages)
    assert {name: each.summary for name, each in once.items()} == {name: each.summary for name, each in again.items()}
    await assert_verified(database_url)
    assert len(log) > 50


async def test_without_resume_it_begins_anew(
    database_url: str, log: Sequence[RecordedEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log
    cut_after(monkeypatch, 2)
    with pytest.raises(PowerError):
        await rebuilt(database_url, [ORDERS], batch=10)
    execute(database_url, "UPDATE building.orders SET status = 'LOST'")
    (orders,) = await plan(database_url, [ORDERS])
    assert (orders.resumes, orders.position, orders.abandoned) == (False, 0, 20)
    await rebuilt(database_url, [ORDERS], batch=10)
    await assert_verified(database_url)


async def test_of_several_only_those_go_on_that_were_interrupted(
    database_url: str, log: Sequence[RecordedEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log
    cut_after(monkeypatch, 2)
    with pytest.raises(PowerError):
        await rebuilt(database_url, [ORDERS, FILLS], batch=10)
    assert list(await rebuilt(database_url, resume=True)) == ["orders", "fills"]
    assert list(await rebuilt(database_url, [ACCOUNTS], resume=True)) == ["accounts"]
    await assert_verified(database_url)


async def test_an_interrupted_build_in_shards_goes_on_in_as_many(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        await begin(connection, ORDERS, shards=2)
    (orders,) = await plan(database_url, [ORDERS], workers=5, resume=True)
    assert orders.shards == 2
    stages = Stages()
    await rebuilt(database_url, [ORDERS], workers=5, resume=True, stage=stages)
    assert stages.titles[0] == "Building orders in 2 processes, events"
    assert rows(database_url, ORDERS, "public") == ORDERS.fold({}, log)


async def test_a_build_of_another_version_is_not_gone_on_with(database_url: str, log: Sequence[RecordedEvent]) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        await begin(connection, replace(ORDERS, version=7))
    (orders,) = await plan(database_url, [ORDERS], resume=True)
    assert (orders.resumes, orders.abandoned) == (False, 0)
    await rebuilt(database_url, [ORDERS], resume=True)
    assert rows(database_url, ORDERS, "public") == ORDERS.fold({}, log)


# ── Refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_at_once_are_one_too_many(database_url: str, log: Sequence[RecordedEvent]) -> None:
    assert log
    told: list[str] = []

    def another() -> None:
        with asyncio.Runner() as runner, pytest.raises(AlreadyRebuildingError) as refused:
            runner.run(rebuilt(database_url, [ACCOUNTS, ORDERS]))
        told.append(str(refused.value))
        with asyncio.Runner() as runner:
            assert runner.run(rebuilt(database_url, [ACCOUNTS]))

    await rebuilt(database_url, [ORDERS], stage=Stages(before=lambda: in_a_thread(another)))
    assert told == ["orders is being rebuilt already"]
    await assert_verified(database_url)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE building.accounts SET cash = cash + 1", "accounts trader_id=alice: the log leads to cash="),
        ("DELETE FROM building.accounts", "the table has no row"),
        ("INSERT INTO building.accounts SELECT 'mallory', 'USD', 1, 0, 0, 1", "the log leads to no row"),
    ],
)
async def test_a_table_that_is_not_what_a_fold_of_its_own_leads_to_is_not_swapped_in(
    database_url: str, log: Sequence[RecordedEvent], damage: str, sentence: str
) -> None:
    assert log
    with pytest.raises(RebuiltWronglyError, match=sentence):
        await rebuilt(database_url, [ACCOUNTS], stage=Stages(before=lambda: execute(database_url, damage)))
    await assert_verified(database_url)
    assert answer(database_url, "SELECT to_regclass('previous.accounts')") is None


async def test_what_goes_wrong_after_the_check_is_found_too(database_url: str) -> None:
    history = busy(orders=4)
    recorded = await record(database_url, history.log[:10])
    project(database_url, recorded)

    def damage() -> None:
        with asyncio.Runner() as runner:
            everything = runner.run(record(database_url, history.log[10:]))
        execute(
            database_url,
            """
            TRUNCATE orders, fills, accounts, positions, execution_log;
            CREATE FUNCTION building.spoil() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.commission = NEW.commission + 1; RETURN NEW; END $$;
            CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON building.fills FOR EACH ROW EXECUTE FUNCTION building.spoil();
            """,
        )
        project(database_url, everything)

    with pytest.raises(RebuiltWronglyError, match="the log leads to commission=0, the table has commission=1"):
        await rebuilt(database_url, [FILLS], stage=Stages(after=lambda: in_a_thread(damage)))
    await assert_verified(database_url)


async def test_an_event_that_cannot_be_applied_ends_it_and_the_live_table_goes_on(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    assert log
    with pytest.raises(BuildError, match="orders cannot apply OrderPlaced at position 2: poison"):
        await rebuilt(database_url, [poisoned(ORDERS, position=2, times=10**6)])
    await assert_verified(database_url)


async def test_a_process_of_several_that_cannot_go_on_ends_it(database_url: str, log: Sequence[RecordedEvent]) -> None:
    assert log
    tamper(database_url, "UPDATE events SET data = '{\"odd\":1}' WHERE position = 2")
    with pytest.raises(BuildError, match="OrderPlaced at position 2"):
        await rebuilt(database_url, [ORDERS], workers=2)


async def test_a_process_of_several_that_finds_another_row_ends_it(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    assert log
    spoiling = """
        CREATE FUNCTION building.spoil() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.commission = NEW.commission + 1; RETURN NEW; END $$;
        CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON building.fills FOR EACH ROW EXECUTE FUNCTION building.spoil();
    """
    stage = Stages(before=lambda: execute(database_url, spoiling), stage="Building")
    with pytest.raises(RebuiltWronglyError, match="the log leads to commission=0, the table has commission=1"):
        await rebuilt(database_url, [FILLS], workers=2, stage=stage)
    await assert_verified(database_url)


async def test_what_a_newer_program_has_written_is_left_to_it(database_url: str) -> None:
    execute(database_url, "UPDATE checkpoints SET version = 7 WHERE name = 'orders'")
    with pytest.raises(BuildError, match="orders was written by version 7 of the projection, and this program has"):
        await rebuilt(database_url, [ORDERS])


async def test_a_newer_program_may_be_faster(database_url: str, log: Sequence[RecordedEvent]) -> None:
    assert log
    newer = "UPDATE checkpoints SET version = 7 WHERE name = 'orders'"
    with pytest.raises(BuildError, match="orders was rebuilt by a newer program meanwhile, which has version 7"):
        await rebuilt(database_url, [ORDERS], stage=Stages(after=lambda: execute(database_url, newer)))


async def test_a_projection_without_a_checkpoint_is_not_rebuilt(database_url: str) -> None:
    execute(database_url, "DELETE FROM checkpoints WHERE name = 'orders'")
    with pytest.raises(BuildError, match="There is no checkpoint of orders: `orderlog db upgrade` makes it"):
        await rebuilt(database_url, [ORDERS])


# ── Readers in the way ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_reads_the_live_table_for_long_is_named_and_not_waited_for(
    database_url: str, log: Sequence[RecordedEvent]
) -> None:
    assert log
    with psycopg.connect(database_url, application_name="a long report") as reader:
        reader.execute("SELECT count(*) FROM orders")
        with pytest.raises(
            BuildError, match=r"is being read by process \d+ \(a long report\), for \d+ s\. Nothing is lost"
        ):
            await rebuilt(database_url, [ORDERS])
        assert reader.execute("SELECT count(*) FROM orders WHERE status = 'LOST'").fetchone() == (0,)
    assert set(progress(database_url).values()) == {len(log)}
    assert list(await rebuilt(database_url, resume=True)) == ["orders"]
    await assert_verified(database_url)


async def test_who_reads_it_for_a_moment_is(
    database_url: str, log: Sequence[RecordedEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log
    monkeypatch.setattr(swapping, "PATIENCE_SECONDS", 20)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM orders")
        work = asyncio.create_task(rebuilt(database_url, [ORDERS]))
        with psycopg.connect(database_url, autocommit=True) as watcher:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass"
            while watcher.execute(waiting).fetchone() == (0,):
                await asyncio.sleep(0.01)
        reader.rollback()
        assert list(await work) == ["orders"]
    await assert_verified(database_url)


async def test_too_much_for_the_transaction_that_swaps_is_caught_up_with_before(
    database_url: str, log: Sequence[RecordedEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_LEFT_MAX", 1)
    began: list[int] = []
    catch_up = rebuilding._Candidate.catch_up

    async def late(candidate: Any) -> None:
        if began:
            await catch_up(candidate)
        began.append(candidate.reached)

    monkeypatch.setattr(rebuilding._Candidate, "catch_up", late)
    ends = iter([len(log) - 9, len(log) - 9])
    position = PostgresEventStore.position

    async def earlier(store: PostgresEventStore) -> int:
        return next(ends, 0) or await position(store)

    monkeypatch.setattr(PostgresEventStore, "position", earlier)
    done = await rebuilt(database_url, [ORDERS], stage=unseen)
    assert (done["orders"].checked_position, done["orders"].position) == (len(log) - 9, len(log))
    assert began == [len(log) - 9, len(log)]
