"""A log that several processes look at is judged as it is by one: the same state, and the same first difference."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import psycopg
import pytest

from infrastructure.audit.checkpoint import Checkpoint, sign
from infrastructure.audit.examination import Part
from infrastructure.postgres import log_rows
from infrastructure.postgres.log_parts import PartsTask, _starts, part, parts
from infrastructure.postgres.log_rows import Examined, examine, examine_through
from tests.cli.logs import record
from tests.infrastructure.postgres.test_attacker import KEY, TAKEN_AT, Connection, rehash
from tests.infrastructure.postgres.test_projector import busy

SIZE = 8


@pytest.fixture
async def end(database_url: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The end of a log of some whole parts and a rest."""
    monkeypatch.setattr(log_rows, "PART", SIZE)
    log = await record(database_url, busy(orders=9).log)
    assert len(log) > 4 * SIZE
    assert len(log) % SIZE
    return len(log)


def alone(url: str, checkpoints: Sequence[Checkpoint] = ()) -> Examined:
    with psycopg.connect(url, autocommit=True) as connection:
        return examine_through(connection, checkpoints, lambda _events: lambda _steps: None)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts are looked at here, as the other processes would, whose start takes longer than everything else."""

    @contextmanager
    def looked_at_here(database_url: str, task: PartsTask) -> Iterator[Iterator[Part | None]]:
        with psycopg.connect(database_url, autocommit=True) as connection:
            yield (part(connection, first, first + task.size - 1) for first in _starts(task))

    monkeypatch.setattr(log_rows, "parts", looked_at_here)


def test_parts_lead_to_the_state_that_the_events_lead_to(database_url: str, end: int) -> None:
    told: list[int] = []

    def begun(events: int) -> log_rows.Callable[[int], None]:
        assert events == end
        return told.append

    found = examine(database_url, begun=begun)
    assert found == alone(database_url)
    assert found.difference is None
    assert told == [*[SIZE] * (end // SIZE), end % SIZE]


def test_a_checkpoint_in_the_middle_of_a_part_is_compared_with(database_url: str, end: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica; BEGIN")
        connection.execute("DELETE FROM events WHERE position > %s", (2 * SIZE + 3,))
        rehash(cast("Connection", connection), 2 * SIZE + 3)
        state = examine_through(connection, (), lambda _events: lambda _steps: None).state
        connection.execute("ROLLBACK")
    assert end > state.position
    checkpoint = sign(state, TAKEN_AT, KEY)
    assert examine(database_url, [checkpoint]) == alone(database_url, [checkpoint])
    assert examine(database_url, [checkpoint]).difference is None


@pytest.mark.parametrize(
    ("rehashed", "statement"),
    [
        (False, "UPDATE events SET data = data || ' ' WHERE position = {}"),
        (False, "UPDATE events SET hash = sha256('other') WHERE position = {}"),
        (False, "DELETE FROM events WHERE position = {}"),
        (True, "UPDATE events SET version = version + 100 WHERE position = {}"),
        (True, "UPDATE events SET recorded_at = '2000-01-01 00:00:00+00' WHERE position = {}"),
    ],
)
@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("position", [2 * SIZE, 2 * SIZE + 1, 2 * SIZE + 5])
def test_what_is_wrong_is_found_where_it_begins(
    database_url: str, end: int, position: int, statement: str, *, rehashed: bool
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.format(position).encode())
        if rehashed:
            rehash(cast("Connection", connection), position)
    found = examine(database_url)
    assert found == alone(database_url)
    assert found.difference is not None
    assert end > found.difference.position == position


def test_a_process_that_died_leaves_its_parts_to_be_looked_at_here(
    database_url: str, end: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with parts(database_url, PartsTask(1, 2 * SIZE, SIZE, 1)) as found:
        assert list(found) == [None, None]
    assert examine(database_url) == alone(database_url)
    assert end


def test_a_part_whose_last_event_is_gone_does_not_follow_nor_does_the_one_behind_it(
    database_url: str, end: int
) -> None:
    assert end
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert part(connection, SIZE + 1, 2 * SIZE) is not None
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM events WHERE position = %s", (2 * SIZE,))
        assert part(connection, SIZE + 1, 2 * SIZE) is None
        assert part(connection, 2 * SIZE + 1, 3 * SIZE) is None
