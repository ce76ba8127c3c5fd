"""Whoever can do everything to the database changes the log, in every way we can think of, and is found."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.errors import RaiseException
from psycopg.rows import TupleRow

from domain.commands import Deposit
from domain.values import Money
from infrastructure.audit.checkpoint import Checkpoint, sign
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp
from infrastructure.postgres.log_rows import Examined, examine, examine_through
from tests.cli.logs import a_short_history, record
from tests.conftest import fresh_database
from tests.domain.orders import ORDER_ID
from tests.projections.histories import History

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TAKEN_AT = datetime(2026, 11, 25, tzinfo=UTC)
EVENTS = 7

Connection = psycopg.Connection[TupleRow]
Attack = Callable[[Connection], None]


def sql(*statements: str) -> Attack:
    def attack(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement.encode())

    return attack


def rehash(connection: Connection, start: int) -> None:
    """Compute the chain anew from a position on, head included: after this, nothing contradicts itself."""
    columns = "position, stream_id, version, type, data, metadata, recorded_at, hash"
    rows = connection.execute(f"SELECT {columns} FROM events ORDER BY position").fetchall()  # noqa: S608 - our own
    last, end, at = GENESIS, 0, datetime(1970, 1, 1, tzinfo=UTC)
    for position, stream_id, version, type_, data, metadata, at, hash_ in rows:
        end = position
        event = leaf(position, stream_id, version, type_, data.encode(), metadata.encode(), timestamp(at))
        last = link(last, event) if position >= start else hash_
        connection.execute("UPDATE events SET hash = %s WHERE position = %s", (last, position))
    connection.execute("UPDATE log_head SET position = %s, hash = %s, recorded_at = %s", (end, last, at))


def rewriting(start: int, *statements: str) -> Attack:
    def attack(connection: Connection) -> None:
        sql(*statements)(connection)
        rehash(connection, start)

    return attack


_TRUNCATE = (
    "DELETE FROM events WHERE position > 6",
    "UPDATE log_head SET (position, hash, recorded_at) = (SELECT position, hash, recorded_at FROM events WHERE position = 6)",
)
_NO_KEYS = "ALTER TABLE events DROP CONSTRAINT events_pkey; ALTER TABLE events_from_1 DROP CONSTRAINT events_from_1_stream_id_version_key"
_ANYWHERE = "CREATE TABLE events_anywhere PARTITION OF events DEFAULT"


_WITH_TRIGGERS = "SET session_replication_role = origin"
_MORE = "UPDATE events SET data = replace(data, '100', '900') WHERE position = 3"


class Case(NamedTuple):
    attack: Attack
    position: int
    problem: str
    against: Sequence[int] = ()
    """Ends of the checkpoints that were taken before."""
    earliest: int | None = None


# fmt: off
CASES = {
    # Single columns
    "the data of an event are changed": Case(sql("UPDATE events SET data = replace(data, '100', '900') WHERE position = 3"), 3, "its hash is"),
    "a space is put into the data": Case(sql("UPDATE events SET data = replace(data, ':', ': ') WHERE position = 3"), 3, "its hash is"),
    "the fields of the data are put in another order": Case(sql("UPDATE events SET data = data::jsonb::text WHERE position = 3"), 3, "its hash is"),
    "the metadata are changed": Case(sql("UPDATE events SET metadata = replace(metadata, 'test', 'best') WHERE position = 2"), 2, "its hash is"),
    "an event is moved to another trader": Case(sql("UPDATE events SET metadata = replace(metadata, 'alice', 'bob') WHERE position = 3"), 3, "its hash is"),
    "an event is moved to another stream": Case(sql("UPDATE events SET stream_id = 'order-x' WHERE position = 7"), 7, "its hash is"),
    "a version is changed": Case(sql("UPDATE events SET version = 9 WHERE position = 7"), 7, "its hash is"),
    "a type is changed": Case(sql("UPDATE events SET type = 'OrderRejected' WHERE position = 6"), 6, "its hash is"),
    "an event is recorded a microsecond later": Case(sql("UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 5"), 5, "its hash is"),
    "an event is recorded at the end of time": Case(sql("UPDATE events SET recorded_at = 'infinity' WHERE position = 5"), 5, "it has no recorded_at"),
    "a bit of a hash is changed": Case(sql("UPDATE events SET hash = set_bit(hash, 7, 1 - get_bit(hash, 7)) WHERE position = 4"), 4, "its hash is"),
    "a hash is cut off": Case(sql("UPDATE events SET hash = '' WHERE position = 4"), 4, "its hash is , but"),
    "a column is emptied": Case(sql("ALTER TABLE events ALTER data DROP NOT NULL", "UPDATE events SET data = NULL WHERE position = 4"), 4, "it has no data"),
    "a hash is emptied": Case(sql("ALTER TABLE events ALTER hash DROP NOT NULL", "UPDATE events SET hash = NULL WHERE position = 4"), 4, "it has no hash"),
    "the data become real JSON, which respells them": Case(sql("DROP VIEW event_log", "ALTER TABLE events ALTER data TYPE jsonb USING data::jsonb"), 1, "its hash is"),
    # Events that go, come, or change places
    "the first event is deleted": Case(sql("DELETE FROM events WHERE position = 1"), 1, "there is no event, and later ones there are"),
    "an event in the middle is deleted": Case(sql("DELETE FROM events WHERE position = 4"), 4, "there is no event, and later ones there are"),
    "the last event is deleted": Case(sql("DELETE FROM events WHERE position = 7"), 7, "the log ends at 6, but log_head says that it ends at 7"),
    "all events are deleted": Case(sql("TRUNCATE events"), 1, "the log ends at 0, but log_head says that it ends at 7"),
    "an event is deleted and the others move up": Case(sql("DELETE FROM events WHERE position = 4", "UPDATE events SET position = -position WHERE position > 4", "UPDATE events SET position = -position - 1 WHERE position < 0"), 4, "its hash is"),
    "two events change places": Case(sql("UPDATE events SET position = -5 WHERE position = 5", "UPDATE events SET position = 5 WHERE position = 6", "UPDATE events SET position = 6 WHERE position = -5"), 5, "its hash is"),
    "all events are put in another order": Case(sql("UPDATE events SET position = -position", "UPDATE events SET position = 8 + position"), 1, "its hash is"),
    "an event is put at the end": Case(sql("INSERT INTO events SELECT 8, 'order-x', 1, type, data, metadata, recorded_at, hash FROM events WHERE position = 7"), 8, "its hash is"),
    "an event is put far behind the end": Case(sql("INSERT INTO events SELECT 9223372036854775807, 'order-x', 1, type, data, metadata, recorded_at, hash FROM events WHERE position = 7"), 8, "there is no event, and later ones there are"),
    "an event is put in the middle": Case(sql("UPDATE events SET position = -position WHERE position > 3", "UPDATE events SET position = 1 - position WHERE position < 0", "INSERT INTO events SELECT 4, 'order-x', 1, type, data, metadata, recorded_at, hash FROM events WHERE position = 3"), 4, "its hash is"),
    "an event is put before the first": Case(sql("INSERT INTO events SELECT 0, 'order-x', 1, type, data, metadata, recorded_at, hash FROM events WHERE position = 1"), 0, "there is an event before the first"),
    "an event is repeated at its position": Case(sql(_NO_KEYS, "INSERT INTO events SELECT * FROM events WHERE position = 6"), 6, "there is more than one event at this position"),
    "an event is repeated at the end": Case(sql(_NO_KEYS, "INSERT INTO events SELECT 8, stream_id, version, type, data, metadata, recorded_at, hash FROM events WHERE position = 7"), 8, "its hash is"),
    "an event loses its position": Case(sql(_NO_KEYS, "ALTER TABLE events ALTER position DROP NOT NULL", "UPDATE events SET position = NULL WHERE position = 7"), 0, "there is an event without a position"),
    # Triggers, for whoever notices that they are in the way
    "the triggers are switched off for as long as it takes": Case(sql(_WITH_TRIGGERS, "ALTER TABLE events DISABLE TRIGGER ALL", _MORE, "ALTER TABLE events ENABLE TRIGGER ALL"), 3, "its hash is"),
    "the triggers are dropped": Case(sql(_WITH_TRIGGERS, "DROP FUNCTION refuse_change CASCADE", _MORE), 3, "its hash is"),
    "the triggers do nothing any more": Case(sql(_WITH_TRIGGERS, "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", _MORE), 3, "its hash is"),
    # The head
    "the head goes back": Case(sql("UPDATE log_head SET position = 5"), 6, "the log goes on to 7, but log_head says that it ends at 5"),
    "the head goes ahead": Case(sql("UPDATE log_head SET position = 8"), 8, "the log ends at 7, but log_head says that it ends at 8"),
    "the head gets another hash": Case(sql("UPDATE log_head SET hash = '\\x00'"), 7, "log_head has the hash 00 for it"),
    "the head gets another time": Case(sql("UPDATE log_head SET recorded_at = '2000-01-01 00:00:00+00'"), 7, "log_head has 2000-01-01T00:00:00.000000Z as its time"),
    "the head is deleted": Case(sql("DELETE FROM log_head"), 7, "log_head has 0 rows instead of one"),
    "the head is emptied": Case(sql("ALTER TABLE log_head ALTER hash DROP NOT NULL", "UPDATE log_head SET hash = NULL"), 7, "log_head has the hash  for it"),
    "there are two heads": Case(sql("ALTER TABLE log_head DROP CONSTRAINT log_head_singleton_check", "INSERT INTO log_head SELECT false, position, hash, recorded_at FROM log_head"), 7, "log_head has 2 rows instead of one"),
    # Whole chains, by somebody who knows how they are made
    "a version is left out, and the chain computed anew": Case(rewriting(6, "UPDATE events SET version = 5 WHERE position = 7"), 7, f"it is version 5 of order-{ORDER_ID}, which was at version 3"),
    "a version is used twice, and the chain computed anew": Case(rewriting(6, _NO_KEYS, "UPDATE events SET version = 2 WHERE position = 7"), 7, f"it is version 2 of order-{ORDER_ID}, which was at version 3"),
    "time is turned back, and the chain computed anew": Case(rewriting(6, "UPDATE events SET recorded_at = '2000-01-01 00:00:00+00' WHERE position = 6"), 6, "it was recorded at 2000-01-01T00:00:00.000000Z, before the event before it"),
    "an event is rewritten, and the chain computed anew": Case(rewriting(3, "UPDATE events SET data = replace(data, '100', '900') WHERE position = 3"), 5, "it was rewritten since 2026-11-25", against=[2, 5, 7], earliest=3),
    "an event is rewritten behind the last checkpoint but one": Case(rewriting(6, "UPDATE events SET metadata = replace(metadata, 'test', 'best') WHERE position = 6"), 7, "it was rewritten since 2026-11-25", against=[5, 7], earliest=6),
    "the log is written anew from its first event": Case(rewriting(1, "UPDATE events SET recorded_at = '2026-11-11 00:00:00+00'"), 5, "it was rewritten since 2026-11-25", against=[5], earliest=1),
    "events are taken off the end, and the head is put there": Case(sql(*_TRUNCATE), 7, "the log ends at 6, but it had 7 events when a checkpoint was taken", against=[5, 7]),
    "all events are deleted, and the head is put at the beginning": Case(sql("TRUNCATE events", "UPDATE log_head SET position = 0, hash = decode(repeat('00', 32), 'hex')"), 1, "the log ends at 0, but it had 5 events when a checkpoint was taken", against=[5]),
}
# fmt: on


def find(connection: Connection, *checkpoints: Checkpoint) -> Examined:
    return examine_through(connection, checkpoints, lambda _events: lambda _steps: None)


@pytest.fixture(scope="module")
def log_url(postgres: str, migrated_template: str) -> Iterator[str]:
    """A log of seven events, each recorded by itself."""
    with fresh_database(postgres, template=migrated_template) as url:

        async def fill() -> None:
            for event in a_short_history().log[:EVENTS]:
                await record(url, [event])

        asyncio.run(fill())
        yield url


@pytest.fixture
def attacker(log_url: str) -> Iterator[Connection]:
    """A superuser whom no trigger and no partition holds back, and whose changes are taken back afterwards."""
    with psycopg.connect(log_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica; BEGIN")
        connection.execute(_ANYWHERE)
        yield connection
        connection.execute("ROLLBACK")


@pytest.fixture(scope="module")
def checkpoints(log_url: str) -> dict[int, Checkpoint]:
    """Checkpoints as they were taken while the log grew."""
    taken = {}
    for end in (2, 5, 7):
        with psycopg.connect(log_url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica; BEGIN")
            connection.execute("DELETE FROM events WHERE position > %s", (end,))
            rehash(connection, end + 1)
            state, difference = find(connection)
            assert difference is None
            taken[end] = sign(state, TAKEN_AT, KEY)
            connection.execute("ROLLBACK")
    return taken


def test_a_log_that_nobody_changed_passes_against_all_checkpoints(
    log_url: str, checkpoints: dict[int, Checkpoint]
) -> None:
    state, difference = examine(log_url, list(checkpoints.values()))
    assert (state.position, difference) == (EVENTS, None)
    assert (state.hash.hex(), state.root.hex()) == (checkpoints[7].hash, checkpoints[7].root)


@pytest.mark.parametrize("name", CASES)
def test_it_is_found_where_it_begins_when(name: str, attacker: Connection, checkpoints: dict[int, Checkpoint]) -> None:
    case = CASES[name]
    case.attack(attacker)
    if case.against:  # else it would not be the checkpoints that found it
        assert find(attacker).difference is None
    _, difference = find(attacker, *(checkpoints[end] for end in case.against))
    assert difference is not None
    assert difference.problem.startswith(case.problem)
    assert (difference.position, difference.earliest) == (case.position, case.earliest or case.position)


def test_the_triggers_are_in_the_way_of_whoever_does_not_notice_them(attacker: Connection) -> None:
    attacker.execute(_WITH_TRIGGERS.encode())
    with pytest.raises(RaiseException, match="only grows: UPDATE is refused"):
        attacker.execute(_MORE.encode())


def test_the_places_where_something_may_have_been_changed_are_named(
    attacker: Connection, checkpoints: dict[int, Checkpoint]
) -> None:
    CASES["an event is rewritten, and the chain computed anew"].attack(attacker)
    difference = find(attacker, *checkpoints.values()).difference
    assert difference is not None
    assert difference.described().startswith("position 3 to 5: it was rewritten since ")


def test_an_empty_log_passes(database_url: str) -> None:
    state, difference = examine(database_url)
    assert (state.position, state.hash, state.recorded_at, difference) == (0, GENESIS, None, None)


def test_a_long_log_is_examined_page_by_page_and_tells_how_far_it_is(
    attacker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.postgres.log_leaves._ROWS_AT_ONCE", 3)
    told: list[int] = []

    def begun(events: int) -> Callable[[int], None]:
        told.append(events)
        return told.append

    assert examine_through(attacker, (), begun).difference is None
    assert told == [7, 3, 3, 1]
    attacker.execute("DELETE FROM events WHERE position IN (3, 4)")
    difference = find(attacker).difference
    assert difference is not None
    assert difference.position == 3


async def test_an_honest_log_passes_while_it_grows(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.postgres.log_leaves._ROWS_AT_ONCE", 5)
    history = History()
    for _ in range(60):
        history.cash(Deposit(Money(Decimal(1))))

    async def grow() -> None:
        for event in history.log:
            await record(database_url, [event])

    growing = asyncio.create_task(grow())
    ends = set()
    while not growing.done():
        state, difference = await asyncio.to_thread(examine, database_url)
        assert difference is None
        ends.add(state.position)
    await growing
    assert len(ends) > 1
