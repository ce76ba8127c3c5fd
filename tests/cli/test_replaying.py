import asyncio
import json
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from cli.exits import ExitCode
from domain.events import RecordedEvent
from projections.registry import PROJECTIONS
from tests.cli.conftest import Run
from tests.cli.logs import a_short_history, project, record
from tests.domain.orders import ORDER_ID, bust

NAMES = [projection.name for projection in PROJECTIONS]
LOG = a_short_history().order(bust("f-1")).log


@pytest.fixture
def recorded(database_at: str) -> list[RecordedEvent]:
    return asyncio.run(record(database_at, LOG))


@pytest.fixture
def connection(database_at: str, recorded: list[RecordedEvent]) -> Any:
    assert recorded
    with psycopg.connect(database_at, autocommit=True) as connection:
        yield connection


def rows(connection: psycopg.Connection[TupleRow], schema: str, table: str) -> list[TupleRow]:
    return connection.execute(
        sql.SQL("SELECT * FROM {} AS t ORDER BY t::text").format(sql.Identifier(schema, table))
    ).fetchall()


# ── An order ──


def test_an_order_is_shown_after_each_of_its_events(run: Run, recorded: list[RecordedEvent]) -> None:
    result = run("events", "replay", ORDER_ID.upper())
    assert (result.code, result.err) == (ExitCode.DONE, "")
    life = [json.loads(line) for line in result.out.splitlines()]
    assert [list(each) for each in life] == [["position", "version", "recorded_at", "type", "order"]] * 5
    assert [(each["version"], each["type"], each["order"]["status"]) for each in life] == [
        (1, "OrderPlaced", "PENDING"),
        (2, "OrderSent", "PENDING"),
        (3, "OrderAccepted", "ACCEPTED"),
        (4, "OrderFilled", "FILLED"),
        (5, "OrderFillBusted", "ACCEPTED"),
    ]
    assert [each["order"]["filled_quantity"] for each in life] == ["0", "0", "0", "100", "0"]
    assert [each["position"] for each in life] == [
        event.position for event in recorded if event.stream_id == f"order-{ORDER_ID}"
    ]


def test_an_orders_life_is_shown_up_to_a_moment(run: Run, recorded: list[RecordedEvent]) -> None:
    assert len(run("events", "replay", ORDER_ID, "--to", "5").out.splitlines()) == 2
    at = recorded[-1].recorded_at.isoformat()
    assert len(run("events", "replay", ORDER_ID, "--as-of", at).out.splitlines()) == 5
    for early in (("--as-of", "1999-01-01T00:00:00Z"), ("--to", "2")):
        result = run("events", "replay", ORDER_ID, *early)
        assert (result.code, result.out) == (ExitCode.FAILED, "")
        assert f"There is no order {ORDER_ID}, or there was none then" in result.err


@pytest.mark.usefixtures("recorded")
def test_on_a_terminal_an_orders_life_is_a_table(run: Run) -> None:
    shown = run("events", "replay", ORDER_ID, terminal=True).out
    (filled,) = (line.split() for line in shown.splitlines() if "OrderFilled" in line)
    assert (filled[0], filled[3:]) == ("4", ["OrderFilled", "FILLED", "100", "0", "10.00"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("seven",),
        (ORDER_ID, "--projection", "orders"),
        (ORDER_ID, "--drop"),
        ("--projection", "oders"),
        ("--as-of", "noon"),
    ],
)
def test_what_cannot_be_replayed_is_misuse(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("events", "replay", *arguments)
    assert (result.code, result.out) == (ExitCode.MISUSE, "")


# ── Read models ──


def test_read_models_are_rebuilt_in_a_schema_of_their_own(
    run: Run, connection: psycopg.Connection[TupleRow], database_at: str, recorded: list[RecordedEvent]
) -> None:
    project(database_at, recorded)
    before = {name: rows(connection, "public", name) for name in NAMES}
    result = run("events", "replay")
    assert (result.code, result.err) == (ExitCode.DONE, "")
    assert json.loads(result.out) == {
        "schema": "replay",
        "position": len(LOG),
        "recorded_at": f"{recorded[-1].recorded_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "tables": {name: len(before[name]) for name in NAMES},
    }
    for name in NAMES:
        assert rows(connection, "replay", name) == before[name] == rows(connection, "public", name)


def test_read_models_are_rebuilt_as_they_were(
    run: Run, connection: psycopg.Connection[TupleRow], database_at: str, recorded: list[RecordedEvent]
) -> None:
    project(database_at, recorded[:7])
    then = rows(connection, "public", "orders")
    assert json.loads(run("events", "replay", "--to", "7", "--projection", "orders").out)["tables"] == {"orders": 1}
    assert rows(connection, "replay", "orders") == then
    # All was recorded in one commit, and so at one time.
    for as_of, position in ((recorded[0].recorded_at.isoformat(), len(LOG)), ("1999-01-01T00:00:00Z", 0)):
        replayed = json.loads(run("events", "replay", "--as-of", as_of, "--schema", "then").out)
        assert (replayed["position"], bool(replayed["recorded_at"])) == (position, bool(position))
        assert len(rows(connection, "then", "orders")) == bool(position)


def test_what_a_replay_made_is_replaced_and_dropped_and_nothing_else_is(
    run: Run, connection: psycopg.Connection[TupleRow]
) -> None:
    connection.execute("CREATE SCHEMA mine")
    connection.execute("CREATE SCHEMA told; COMMENT ON SCHEMA told IS 'Mine too'")
    for schema in ("mine", "told", "public", "building", "pg_catalog"):
        for how in ((), ("--drop",)):
            result = run("events", "replay", "--schema", schema, *how)
            assert (result.code, result.out) == (ExitCode.FAILED, "")
            assert f"There is a schema {schema} that no replay made" in result.err
    for _ in range(2):
        assert run("events", "replay").code == ExitCode.DONE
    dropped = run("events", "replay", "--drop")
    assert (dropped.code, dropped.err) == (ExitCode.DONE, "The schema replay is dropped\n")
    assert run("events", "replay", "--drop").err == "There is no schema replay\n"
    ((schemas,),) = connection.execute(
        "SELECT array_agg(nspname::text) FROM pg_namespace WHERE nspname IN ('mine', 'told', 'replay')"
    ).fetchall()
    assert sorted(schemas) == ["mine", "told"]


@pytest.mark.usefixtures("recorded")
def test_on_a_terminal_a_replay_says_what_it_made(run: Run) -> None:
    result = run("events", "replay", terminal=True)
    assert "replay.orders" in result.out
    assert "--drop" in result.err


def test_who_may_only_read_is_told_so(
    run: Run, connection: psycopg.Connection[TupleRow], database_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("events", "replay", "--schema", "theirs").code == ExitCode.DONE
    connection.execute("CREATE ROLE replay_reader LOGIN")
    connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO replay_reader")
    try:
        monkeypatch.setenv("DATABASE_URL", database_at.replace("postgres@", "replay_reader@"))
        reading = run("events", "replay", ORDER_ID)
        assert (reading.code, len(reading.out.splitlines())) == (ExitCode.DONE, 5)
        for arguments in ((), ("--drop", "--schema", "theirs")):
            result = run("events", "replay", *arguments)
            assert (result.code, result.out) == (ExitCode.FAILED, "")
            assert "this database role may not (" in result.err
            assert result.err.count("\n") == 1
    finally:
        connection.execute("DROP OWNED BY replay_reader; DROP ROLE replay_reader")
