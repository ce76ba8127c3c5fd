"""``orderlog projections`` as an operator uses it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from cli.exits import ExitCode
from infrastructure.postgres.event_store import PostgresEventStore
from projections.registry import PROJECTIONS
from tests.cli.conftest import Run, spawn
from tests.cli.logs import a_short_history, project, record
from tests.conftest import execute

NAMES = [projection.name for projection in PROJECTIONS]


@pytest.fixture
async def projected_at(database_at: str) -> str:
    """A database with a short log that the read models have read to the end."""
    project(database_at, await record(database_at, a_short_history().log))
    return database_at


def values(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_read_models_are_listed_with_what_they_are_folded_from(run: Run, home: object) -> None:
    assert home
    listed = values(run("projections", "list").out)
    assert [each["name"] for each in listed] == NAMES
    assert listed[1]["key"] == ["order_id", "id"]
    assert listed[3] == {
        "name": "positions",
        "version": PROJECTIONS[3].version,
        "key": ["trader_id", "symbol"],
        "events": ["TradeBooked", "TradeCorrected"],
    }
    assert "TradeBooked, TradeCorrected" in run("projections", "list", terminal=True).out


# ── Status ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_status_says_how_far_each_is_behind(run: Run, projected_at: str) -> None:
    execute(projected_at, "UPDATE checkpoints SET position = position - 2 WHERE name = 'fills'")
    found = {each["name"]: each for each in values(run("projections", "status").out)}
    assert list(found) == NAMES
    assert (found["orders"]["state"], found["orders"]["lag_events"], found["orders"]["lag_seconds"]) == ("live", 0, 0.0)
    assert (found["fills"]["lag_events"], found["fills"]["lag_seconds"] > 0) == (2, True)
    assert found["orders"]["position"] == found["orders"]["head_position"] == len(a_short_history().log)


def test_on_a_terminal_status_is_a_table_with_what_is_wrong(run: Run, projected_at: str) -> None:
    execute(
        projected_at,
        """
        UPDATE checkpoints SET position = 3 WHERE name = 'orders';
        UPDATE checkpoints SET version = 0 WHERE name = 'fills';
        INSERT INTO projection_stops VALUES ('orders', 4, 'OrderSent', 'poison', '2026-11-25 12:00Z', now()),
            ('accounts', 1, 'FundsDeposited', 'passed', '2026-11-25 12:00Z', now());
        INSERT INTO building.progress VALUES ('positions', 0, 1, 2, 3, false, now()), ('fills', 0, 1, 1, 0, true, NULL);
        """,
    )
    lines = {
        line.split()[0]: line for line in run("projections", "status", terminal=True).out.splitlines() if line.split()
    }
    assert "stopped" in lines["orders"]
    assert "OrderSent at 4, since 2026-11-25 12:00:00Z: poison" in lines["orders"]
    assert "needs rebuild, version 1 prepared" in lines["fills"]
    assert f"0 (this program: {PROJECTIONS[1].version})" in lines["fills"]
    assert "FundsDeposited at 1, over, was 2026-11-25 12:00:00Z: passed" in lines["accounts"]
    assert "live, building 38%" in lines["positions"]


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("3600", ExitCode.DONE),
        ("3600s", ExitCode.DONE),
        ("0", ExitCode.LAG),
        ("0.000 seconds", ExitCode.LAG),
        ("2e", ExitCode.DONE),
        ("1e", ExitCode.LAG),
        ("1 events", ExitCode.LAG),
        ("much", ExitCode.MISUSE),
        ("-1", ExitCode.MISUSE),
    ],
)
def test_a_lag_over_the_threshold_is_an_exit_code(run: Run, projected_at: str, limit: str, code: ExitCode) -> None:
    execute(projected_at, "UPDATE checkpoints SET position = position - 2 WHERE name = 'fills'")
    result = run("projections", "status", f"--max-lag={limit}")
    assert result.code == code
    if code is ExitCode.LAG:
        assert f"Behind the log by more than {limit}: fills by 2 events and " in result.err
        assert len(values(result.out)) == len(NAMES)
    if code is ExitCode.MISUSE:
        assert "is no lag: say seconds (30 or 30s) or events (500e)" in result.err


# ── Rebuild ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rebuild_says_what_it_made(run: Run, projected_at: str) -> None:
    execute(projected_at, "UPDATE accounts SET cash = 0")
    result = run("projections", "rebuild", "accounts", "orders", "--batch", "3")
    assert result.code == ExitCode.DONE
    orders, accounts = values(result.out)
    assert (orders["name"], accounts["name"], accounts["rows"]) == ("orders", "accounts", 2)
    assert accounts["totals"] == {"cash": "4010", "reserved": "0"}
    assert len(accounts["checksum"]) == 64
    assert run("projections", "verify").code == ExitCode.DONE
    assert {each["name"]: each["has_previous"] for each in values(run("projections", "status").out)} == {
        name: name in {"accounts", "orders"} for name in NAMES
    }


def test_on_a_terminal_a_rebuild_is_a_table(run: Run, projected_at: str) -> None:
    assert projected_at
    result = run("projections", "rebuild", "--all", terminal=True)
    assert "at most" in result.out
    assert "`orderlog projections drop-previous`" in result.err
    assert run("projections", "drop-previous", "orders").err == "Dropped what was before orders\n"
    assert run("projections", "drop-previous").err == f"Dropped what was before {', '.join(NAMES[1:])}\n"
    assert run("projections", "drop-previous").err == "There is nothing to drop\n"


def test_a_dry_run_only_says_what_would_be_done(run: Run, projected_at: str) -> None:
    execute(projected_at, "INSERT INTO building.progress VALUES ('orders', 0, 1, 1, 5, false, now())")
    end = len(a_short_history().log)
    orders, *_ = values(run("projections", "rebuild", "--all", "--dry-run", "--workers", "3").out)
    assert (orders["from_position"], orders["events"], orders["workers"], orders["thrown_away"]) == (0, end, 3, 5)
    (resumed,) = values(run("projections", "rebuild", "--all", "--dry-run", "--resume").out)
    assert (resumed["name"], resumed["from_position"], resumed["events"]) == ("orders", 5, end - 5)
    shown = run("projections", "rebuild", "--all", "--dry-run", terminal=True)
    assert shown.err == "orders: what is built up to 5 would be thrown away; --resume goes on\n"
    assert "from_position" in shown.out
    assert "live" in run("projections", "status").out


@contextmanager
def being_rebuilt(database_url: str, name: str) -> Iterator[None]:
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('rebuild-' || %s, 0))", (name,))
        yield


def test_two_rebuilds_at_once_are_one_too_many(run: Run, projected_at: str) -> None:
    with being_rebuilt(projected_at, "fills"):
        result = run("projections", "rebuild", "--all")
    assert (result.code, result.out) == (ExitCode.ALREADY_RUNNING, "")
    assert result.err == "orderlog: fills is being rebuilt already\n"


def test_a_rebuilt_table_that_is_not_right_is_an_exit_code(run: Run, projected_at: str) -> None:
    execute(
        projected_at,
        """
        CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF to_regclass('building.accounts') IS NOT NULL AND NOT EXISTS (SELECT FROM building.accounts) THEN
                INSERT INTO building.accounts VALUES ('mallory', 'USD', 1, 0, 0, 1);
            END IF;
        END $$;
        CREATE EVENT TRIGGER spoil ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION spoil();
        """,
    )
    result = run("projections", "rebuild", "accounts")
    assert result.code == ExitCode.DIFFERENCE
    assert "accounts trader_id=mallory: the log leads to no row" in result.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("rebuild",), f"Say which: --all, or some of {', '.join(NAMES)}"),
        (("rebuild", "--all", "orders"), f"Say which: --all, or some of {', '.join(NAMES)}"),
        (("rebuild", "ordres"), f"There is no read model ordres; there are {', '.join(NAMES)}"),
        (("verify", "orders", "x"), f"There is no read model x; there are {', '.join(NAMES)}"),
        (("skip", "x", "1", "--reason", "why"), f"There is no read model x; there are {', '.join(NAMES)}"),
        (("skip", "orders", "1", "--reason", " "), "Say why: --reason must not be empty"),
        (("drop-previous", "x"), f"There is no read model x; there are {', '.join(NAMES)}"),
    ],
)
def test_a_wrong_name_is_told_with_the_right_ones(
    run: Run, database_at: str, arguments: tuple[str, ...], sentence: str
) -> None:
    assert database_at
    result = run("projections", *arguments)
    assert (result.code, result.out, result.err) == (ExitCode.MISUSE, "", f"orderlog: {sentence}\n")


# ── Verify ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_right_is_verified(run: Run, projected_at: str) -> None:
    assert projected_at
    assert all(each["equal"] for each in values(run("projections", "verify").out))
    (fills,) = values(run("projections", "verify", "fills").out)
    assert (fills["name"], fills["rows"], fills["totals"]["quantity_filled"]) == ("fills", 1, "100")
    assert "true" in run("projections", "verify", terminal=True).out


def test_the_first_row_that_differs_is_named(run: Run, projected_at: str) -> None:
    execute(projected_at, "UPDATE accounts SET cash = cash + 1 WHERE trader_id = 'alice'")
    result = run("projections", "verify")
    assert result.code == ExitCode.DIFFERENCE
    assert "accounts trader_id=alice: the log leads to cash=4000, the table has cash=4001" in result.err
    assert [each["name"] for each in values(result.out) if not each["equal"]] == ["accounts"]


# ── Skip ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_event_is_skipped_by_name_and_position_and_reason(run: Run, projected_at: str) -> None:
    execute(
        projected_at,
        """
        UPDATE checkpoints SET position = 3 WHERE name = 'orders';
        INSERT INTO projection_stops VALUES ('orders', 4, 'FundsReserved', 'poison', now(), now());
        """,
    )
    for by in ([], ["--by", "olivia"]):
        result = await asyncio.to_thread(run, "projections", "skip", "orders", "4", "--reason", "it is poison", *by)
        execute(projected_at, "UPDATE checkpoints SET position = 3 WHERE name = 'orders'")
        assert result.code == ExitCode.DONE
        assert result.err == "orders passes over the FundsReserved at position 4, for ever; it goes on behind it\n"
    async with PostgresEventStore(projected_at) as store:
        *_, first, second = await store.read(0, 100)
    assert first.metadata.actor.startswith("ops:")
    assert second.metadata.actor == "ops:olivia"


def test_what_is_not_stopped_is_not_skipped(run: Run, projected_at: str) -> None:
    assert projected_at
    result = run("projections", "skip", "orders", "4", "--reason", "why")
    assert result.code == ExitCode.FAILED
    assert (
        result.err == f"orderlog: orders has gone past position 4 already: it stands at {len(a_short_history().log)}\n"
    )


# ── Databases that will not do ───────────────────────────────────────────────────────────────────────────────────────


def test_a_database_that_is_not_migrated_far_enough_says_so(run: Run, database_at: str) -> None:
    execute(database_at, "UPDATE alembic_version SET version_num = '0001'")
    result = run("projections", "status")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert "The database is at revision 0001, and this needs" in result.err
    assert "`orderlog db upgrade` brings it there" in result.err


def test_a_database_that_cannot_be_reached_is_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@/nothing?host={tmp_path}")
    result = run("projections", "status")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert result.err.startswith("orderlog: The database cannot be used: ")


def test_it_works_as_a_process_of_its_own(projected_at: str) -> None:
    assert projected_at
    done = spawn("projections", "rebuild", "orders")
    assert (done.returncode, done.stderr, values(done.stdout)[0]["name"]) == (ExitCode.DONE, "", "orders")
