import json
from pathlib import Path

import pytest

from cli.exits import ExitCode
from tests.cli.conftest import Run
from tests.engine_process import RunningEngine


def test_a_running_engine_is_healthy(run: Run, engine_home: RunningEngine) -> None:
    result = run("doctor")
    findings = {finding["check"]: finding for finding in map(json.loads, result.out.splitlines())}
    assert result.code == ExitCode.DONE, result.out
    assert all(finding["ok"] and finding["remedy"] is None for finding in findings.values())
    assert findings["engine"]["detail"].startswith(engine_home.url)
    assert findings["bus"]["detail"] == "the embedded Valkey answers"
    assert findings["venue"]["detail"].startswith("paper answers at ")


def test_on_a_terminal_each_check_is_a_line_with_what_to_do(run: Run) -> None:
    result = run("doctor", "--url", "http://127.0.0.1:1", terminal=True)
    lines = result.out.splitlines()
    assert result.code == ExitCode.FAILED
    assert "✓ settings: every value is usable" in lines
    assert "✓ database: embedded, not made yet; the first `orderlog serve` makes it" in lines
    assert lines[-2].startswith("✗ engine: ")
    assert lines[-1] == "  to do: start it with `orderlog serve`, or say where it is with --url"


def test_a_wrong_setting_is_said_and_nothing_is_looked_at_with_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLOG_PORT", "many")
    result = run("doctor")
    last = json.loads(result.out.splitlines()[-1])
    assert (result.code, last["check"], last["ok"]) == (ExitCode.FAILED, "settings", False)
    assert "ORDERLOG_PORT" in last["detail"]


def test_a_database_that_is_away_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    findings = {finding["check"]: finding for finding in map(json.loads, run("doctor").out.splitlines())}
    assert findings["database"]["remedy"] == "start it, or set DATABASE_URL right"


def test_an_embedded_database_that_does_not_start_is_said(run: Run, home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "postgres").mkdir(mode=0o700)
    (home / "postgres" / "data").mkdir(mode=0o700)
    findings = {finding["check"]: finding for finding in map(json.loads, run("doctor").out.splitlines())}
    assert findings["database"]["remedy"] == "see postgres/server.log in the home"
