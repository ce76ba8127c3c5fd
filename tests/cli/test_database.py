import json
from pathlib import Path

import pytest

from cli.exits import ExitCode
from infrastructure.postgres.migrating import current, head
from tests.cli.conftest import Run
from tests.cli.logs import a_short_history, record


@pytest.fixture
def empty_at(empty_database_url: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> str:
    assert not home.exists()
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    return empty_database_url


def test_a_database_is_brought_to_the_newest_revision_and_back(run: Run, empty_at: str) -> None:
    result = run("db", "upgrade")
    assert (result.code, result.out) == (ExitCode.DONE, "")
    assert result.err == f"The database was at no revision and is at revision {head()}\n"
    assert current(empty_at) == head()
    assert run("db", "downgrade", "base").code == ExitCode.DONE
    assert current(empty_at) is None


def test_a_downgrade_goes_one_revision_back_by_itself(run: Run, empty_at: str) -> None:
    run("db", "upgrade", "0002")
    assert run("db", "downgrade").code == ExitCode.DONE
    assert current(empty_at) == "0001"
    assert run("db", "downgrade").code == ExitCode.DONE
    assert current(empty_at) is None
    assert run("db", "downgrade").err == "The database was at no revision and is at no revision\n"


def test_nobody_goes_back_to_a_later_revision(run: Run, empty_at: str) -> None:
    run("db", "upgrade", "0001")
    assert run("db", "downgrade", "0002").code == ExitCode.DONE
    assert current(empty_at) == "0001"


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_a_revision_that_does_not_exist_is_misuse(run: Run, database_at: str, direction: str) -> None:
    result = run("db", direction, "9999")
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "there are base, 0001," in result.err
    assert current(database_at) == head()


def test_on_a_terminal_a_downgrade_asks_first(run: Run, database_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    result = run("db", "downgrade", "base")
    assert result.code == ExitCode.FAILED
    assert current(database_at) == head()


async def test_the_status_says_where_revision_and_log_are(run: Run, database_at: str) -> None:
    recorded = await record(database_at, a_short_history().log)
    result = run("db", "status")
    assert result.code == ExitCode.DONE
    assert json.loads(result.out) == {
        "revision": head(),
        "newest": head(),
        "up_to_date": True,
        "position": len(recorded),
        "last_recorded_at": f"{recorded[-1].recorded_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def test_a_database_that_was_never_migrated_has_a_status_too(run: Run, empty_at: str) -> None:
    assert empty_at
    said = json.loads(run("db", "status").out)
    assert (said["revision"], said["up_to_date"], said["position"]) == (None, False, None)


def test_on_a_terminal_the_status_is_a_table(run: Run, database_at: str) -> None:
    assert database_at
    result = run("db", "status", terminal=True)
    assert "revision" in result.out
    assert "{" not in result.out


def test_the_embedded_database_is_used_where_none_is_set(
    run: Run, postgres: str, servers_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert postgres  # it runs, and is shared
    monkeypatch.setenv("ORDERLOG_HOME", str(servers_home))
    assert json.loads(run("db", "status").out)["revision"] is None
