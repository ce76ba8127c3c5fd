"""What the doctor says of a pooler and of a standby. Databases stand for the servers."""

import json
from collections.abc import Iterator

import pytest

from cli.checks.servers import pooler, standby
from infrastructure.postgres.roles import APP, with_role
from tests.cli.conftest import Run
from tests.cli.logs import a_short_history, record
from tests.conftest import fresh_database


@pytest.fixture
def other_url(postgres: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres, template=migrated_template) as url:
        yield url


def test_behind_a_pooler_the_engine_is_whoever_the_pooler_is(database_url: str) -> None:
    assert pooler(with_role(database_url, APP)).detail.startswith(f"the engine works behind it as {APP}, which can add")
    finding = pooler(database_url)
    assert not finding.ok
    assert "postgres, which could change the log" in finding.detail


async def test_a_standby_has_the_same_log_up_to_where_it_is(database_url: str, other_url: str) -> None:
    assert standby(database_url, other_url).detail == "0 events behind"
    log = await record(database_url, a_short_history().log)
    assert standby(database_url, other_url).detail == f"{len(log)} events behind"
    assert standby(database_url, database_url).detail == "0 events behind"
    await record(other_url, a_short_history().log[:1])
    finding = standby(database_url, other_url)
    assert not finding.ok
    assert finding.detail == "its log is not the database's: it ends at 1 with another hash"


def test_the_doctor_looks_at_those_that_are_set(run: Run, database_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLOG_DIRECT_DATABASE_URL", database_at)
    monkeypatch.setenv("ORDERLOG_READ_DATABASE_URL", "postgresql://x@127.0.0.1:1/x")
    findings = {finding["check"]: finding for finding in map(json.loads, run("doctor").out.splitlines())}
    assert "could change the log" in findings["pooler"]["detail"]
    assert "The database cannot be used" in findings["standby"]["detail"]
    assert "until then the primary answers" in findings["standby"]["remedy"]
