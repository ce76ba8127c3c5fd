"""The recorders against the test cases that eventsourcing has for every recorder."""

from collections.abc import Iterator
from uuid import uuid4  # noqa: TID251 - the upstream test cases want fresh ids

import pytest
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    RecorderTestCase,
    TrackingRecorderTestCase,
)

from infrastructure.postgres.recorder import PostgresAggregateRecorder, PostgresRecorder


@pytest.fixture
def recorder(database_url: str) -> Iterator[PostgresRecorder]:
    recorder = PostgresRecorder(database_url)
    yield recorder
    recorder.close()


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
