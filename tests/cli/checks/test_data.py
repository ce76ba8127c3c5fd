import threading
from datetime import datetime, timedelta

import psycopg
import pytest

from cli.checks.data import event_log
from cli.checks.finding import Finding
from infrastructure.clock import SystemClock
from infrastructure.postgres.migrating import head, upgrade
from infrastructure.postgres.roles import APP, with_role
from tests.cli.logs import a_short_history, project, record
from tests.conftest import tamper


def found(database_url: str, now: datetime | None = None) -> dict[str, Finding]:
    return {finding.check: finding for finding in event_log(database_url, now or SystemClock().now())}


def change(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
async def recorded_at(database_url: str) -> str:
    project(database_url, await record(database_url, a_short_history().log))
    return database_url


def test_a_log_with_read_models_that_are_up_with_it_is_fine(recorded_at: str) -> None:
    findings = found(recorded_at)
    assert list(findings) == ["database", "migrations", "log", "clock", "roles", "projections"]
    assert all(finding.ok for finding in findings.values())


def test_a_database_that_was_never_migrated_is_to_be_migrated(empty_database_url: str) -> None:
    findings = found(empty_database_url)
    assert list(findings) == ["database", "migrations"]
    assert findings["migrations"] == Finding("migrations", "not migrated", "`orderlog db upgrade`")


def test_an_old_database_is_to_be_migrated(empty_database_url: str) -> None:
    upgrade(empty_database_url, "0001")
    assert found(empty_database_url)["migrations"].detail == f"at revision 0001, the newest is {head()}"


def test_a_database_of_a_newer_program_is_left_alone(database_url: str) -> None:
    change(database_url, "UPDATE alembic_version SET version_num = '9999'")
    findings = found(database_url)
    assert "newer than this program" in findings["migrations"].detail
    assert "log" not in findings


def test_a_log_that_lost_its_end_is_said(recorded_at: str) -> None:
    tamper(recorded_at, "DELETE FROM events WHERE position = (SELECT max(position) FROM events)")
    assert not found(recorded_at)["log"].ok


def test_a_clock_that_is_not_the_database_s_is_said(database_url: str) -> None:
    wrong = SystemClock().now() + timedelta(minutes=5)
    assert found(database_url, wrong)["clock"].detail.startswith(("+300.", "+29"))


def test_an_event_from_the_future_is_said(recorded_at: str) -> None:
    tamper(recorded_at, "UPDATE log_head SET recorded_at = now() + interval '1 hour'")
    assert "in the future" in found(recorded_at)["clock"].detail


async def test_read_models_that_stay_behind_are_said(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.checks.data._CATCH_UP_SECONDS", 0.1)
    recorded = await record(database_url, a_short_history().log)
    project(database_url, recorded[:3])
    assert f"orders by {len(recorded) - 3}" in found(database_url)["projections"].detail


async def test_read_models_that_catch_up_are_fine(database_url: str) -> None:
    recorded = await record(database_url, a_short_history().log)
    worker = threading.Timer(0.3, project, (database_url, recorded))
    worker.start()
    assert found(database_url)["projections"].ok
    worker.join()


def test_an_engine_that_cannot_change_the_log_is_fine(recorded_at: str) -> None:
    assert found(recorded_at)["roles"].detail == (
        "the engine works as orderlog_app, which can add to the log and cannot change it"
    )
    assert found(with_role(recorded_at, APP))["roles"].detail == "orderlog_app can add to the log, and cannot change it"


def test_an_engine_that_could_change_the_log_is_said(recorded_at: str) -> None:
    change(recorded_at, "REVOKE INSERT ON events FROM orderlog_app")
    finding = found(recorded_at)["roles"]
    assert finding.detail == "the engine works as postgres, which could change the log"
    assert finding.remedy.endswith("docs/how-to/separate-database-roles.md")


def test_a_read_model_that_cannot_follow_the_log_is_said_with_the_reason(recorded_at: str) -> None:
    change(
        recorded_at,
        """
        UPDATE checkpoints SET position = 3 WHERE name = 'orders';
        INSERT INTO projection_stops VALUES ('orders', 4, 'OrderSent', 'poison', now(), now());
        UPDATE checkpoints SET version = 99 WHERE name = 'fills';
        DELETE FROM checkpoints WHERE name = 'accounts';
        """,
    )
    finding = found(recorded_at)["projections"]
    assert "orders stands before OrderSent at 4, which it cannot apply: poison; fills has rows of" in finding.detail
    assert "fills has rows of version 99, and this program has 1; accounts has no checkpoint" in finding.detail
    assert not finding.ok
