"""The recorders against the test cases that eventsourcing has for every recorder."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4  # noqa: TID251 - the upstream test cases want fresh ids

import psycopg
import pytest
from eventsourcing import persistence
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    RecorderTestCase,
    TrackingRecorderTestCase,
)

from application.ports import NewEvent
from domain.events import OrderSent, StreamId
from domain.lifecycle import Status
from infrastructure.codec import Codec
from infrastructure.postgres.recorder import PostgresAggregateRecorder, PostgresRecorder
from tests.infrastructure.postgres.wire import Break, Wire
from tests.infrastructure.samples import METADATA


class OnPostgres:
    """Gives a test case of eventsourcing a database of its own, and text for ids."""

    recorder_class: type[PostgresRecorder] = PostgresRecorder

    @pytest.fixture(autouse=True)
    def _database(self, database_url: str) -> Iterator[None]:
        self.recorder = self.recorder_class(database_url)
        yield
        self.recorder.close()

    def create_recorder(self) -> PostgresRecorder:
        return self.recorder

    def new_originator_id(self) -> str:
        return f"stream-{uuid4()}"


class TestAggregateRecorder(OnPostgres, AggregateRecorderTestCase):
    recorder_class = PostgresAggregateRecorder


class TestApplicationRecorder(OnPostgres, ApplicationRecorderTestCase[PostgresRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(OnPostgres, TrackingRecorderTestCase):
    pass


class TestProcessRecorder(OnPostgres, ProcessRecorderTestCase):
    pass


class TestNonInterleavingNotificationIDs(OnPostgres, NonInterleavingNotificationIDsBaseCase):
    pass


del (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    RecorderTestCase,
    TrackingRecorderTestCase,
)


@pytest.fixture
def recorder(database_url: str) -> Iterator[PostgresRecorder]:
    recorder = PostgresRecorder(database_url)
    yield recorder
    recorder.close()


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with Wire(database_url).listening() as wire:
        yield wire


@pytest.fixture
def shaky(wire: Wire) -> Iterator[PostgresRecorder]:
    """A recorder on the wire that breaks."""
    recorder = PostgresRecorder(wire.url)
    yield recorder
    recorder.close()


def event(version: int, stream: str = "a") -> StoredEvent:
    return StoredEvent(stream, version, "topic", b"state")


@pytest.mark.parametrize("breaking", [Break.ANSWER_LOST, Break.NEVER_ARRIVED])
async def test_events_around_which_the_connection_breaks_are_no_conflict_with_themselves(
    recorder: PostgresRecorder, shaky: PostgresRecorder, wire: Wire, breaking: Break
) -> None:
    wire.breaking = breaking
    assert await asyncio.to_thread(shaky.insert_events, [event(1), event(2)]) == [1, 2]
    assert wire.broken.is_set()
    assert recorder.select_events("a") == [event(1), event(2)]


async def test_tracking_around_which_the_connection_breaks_is_no_conflict_with_itself(
    recorder: PostgresRecorder, shaky: PostgresRecorder, wire: Wire
) -> None:
    wire.breaking, wire.marker = Break.ANSWER_LOST, b"checkpoints"
    await asyncio.to_thread(shaky.insert_tracking, Tracking("upstream", 5))
    assert wire.broken.is_set()
    assert recorder.max_tracking_id("upstream") == 5
    wire.breaking, wire.marker = Break.ANSWER_LOST, b"COMMIT\x00"
    assert await asyncio.to_thread(shaky.insert_events, [event(1)], tracking=Tracking("upstream", 6)) == [1]
    assert recorder.max_tracking_id("upstream") == 6


def test_a_tracking_that_is_not_above_what_is_recorded_takes_the_events_with_it(recorder: PostgresRecorder) -> None:
    recorder.insert_tracking(Tracking("upstream", 5))
    with pytest.raises(persistence.IntegrityError):
        recorder.insert_events([event(1)], tracking=Tracking("upstream", 5))
    assert recorder.max_notification_id() is None


def test_events_that_conflict_take_the_tracking_with_them(recorder: PostgresRecorder) -> None:
    recorder.insert_events([event(1)])
    with pytest.raises(persistence.IntegrityError):
        recorder.insert_events([event(1)], tracking=Tracking("upstream", 5))
    assert recorder.max_tracking_id("upstream") is None


@pytest.mark.parametrize("versions", [(3,), (2, 4), (0,), (1,)])
def test_versions_that_do_not_follow_are_refused(recorder: PostgresRecorder, versions: tuple[int, ...]) -> None:
    recorder.insert_events([event(0), event(1)])
    with pytest.raises(persistence.IntegrityError):
        recorder.insert_events([event(version) for version in versions])
    assert len(recorder.select_events("a")) == 2


def test_a_first_version_of_zero_is_taken_only_once(recorder: PostgresRecorder) -> None:
    recorder.insert_events([event(0)])
    with pytest.raises(persistence.IntegrityError):
        recorder.insert_events([event(0)])


def test_a_state_that_is_no_text_is_refused(recorder: PostgresRecorder) -> None:
    with pytest.raises(persistence.DataError):
        recorder.insert_events([StoredEvent("a", 1, "topic", b"\xff")])
    assert recorder.insert_events([event(1)]) == [1]


def test_a_database_that_is_away_is_an_operational_error(tmp_path: Path) -> None:
    recorder = PostgresRecorder(f"postgresql://nobody@/nothing?host={tmp_path}", patience_seconds=0.01)
    for ask in (recorder.max_notification_id, lambda: recorder.insert_events([event(1)])):
        with pytest.raises(persistence.OperationalError):
            ask()


def test_a_database_without_tables_is_a_programming_error(empty_database_url: str) -> None:
    recorder = PostgresRecorder(empty_database_url)
    with pytest.raises(persistence.ProgrammingError):
        recorder.max_notification_id()
    recorder.close()


def test_a_subscription_whose_listener_is_killed_goes_on(recorder: PostgresRecorder, database_url: str) -> None:
    with recorder.subscribe(gt=0) as subscription, psycopg.connect(database_url, autocommit=True) as connection:
        recorder.insert_events([event(1)])
        assert next(subscription).id == 1
        listeners = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        while not (rows := connection.execute(listeners).fetchall()):
            time.sleep(0.01)
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", rows[0])
        recorder.insert_events([event(2)])
        assert next(subscription).id == 2


def test_the_framework_stores_and_gets_our_events_by_our_codec(recorder: PostgresRecorder) -> None:
    store = persistence.EventStore(Codec(), recorder)
    new = NewEvent(StreamId("order-1"), 1, OrderSent(attempt=1, status=Status.PENDING), METADATA)
    store.put([new])  # type: ignore[list-item] # the codec's override takes events that do not know their stream
    found: list[object] = list(store.get("order-1"))
    assert found == [new.event]


async def test_a_save_whose_outcome_nobody_knows_is_an_error_of_operation(wire: Wire) -> None:
    recorder = PostgresRecorder(wire.url, patience_seconds=0.05)
    wire.breaking, wire.for_long = Break.NEVER_ARRIVED, True
    with pytest.raises(persistence.OperationalError):
        await asyncio.to_thread(recorder.insert_events, [StoredEvent("a", 0, "OrderSent", b"{}")])
    recorder.close()
