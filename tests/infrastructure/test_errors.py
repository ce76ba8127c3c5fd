import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from application.story import NO_STORY, TOLD, Story
from infrastructure import errors
from infrastructure.errors import ErrorReport, ErrorReports, report_defect, report_of
from infrastructure.sentry import _without_secrets
from tests.post_server import post_server

SECRET = "hunter2"

SCRIPT = """
import logging, os, sys
from application.story import about, go_on, Story
from infrastructure.errors import report_errors, sinks_of
from infrastructure.logs import configure_logs
from infrastructure.settings import load_settings
configure_logs("tester")
report_errors("tester", sinks_of(load_settings(os.environ)))
assert ("sentry_sdk" in sys.modules) == ("SENTRY_DSN" in os.environ)
log = logging.getLogger("somewhere")
def connect(password):
    raise RuntimeError(f"cannot connect to postgresql://me:{password}@host/db with Bearer {password}")
try:
    with about("7"):
        go_on("7", Story("c-1", "order-7/3", "alice", "7", 2))
        connect("hunter2")
except RuntimeError:
    log.exception("an order's work failed")
log.error("the venue reports an order that is not ours: %s", "v-1", extra={"fields": {"symbol": "AAPL"}})
log.warning("this is no error")
"""


def run(home: Path, **variables: str) -> list[dict[str, Any]]:
    """What a process with two errors says of them."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"ORDERLOG_HOME": str(home), **variables}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_error_is_logged_once_and_is_in_the_error_log_under_the_same_id_with_all_that_is_known(
    tmp_path: Path,
) -> None:
    failed, stranger, _ = run(tmp_path)
    text = (tmp_path / "error-log.md").read_text()
    first, second = text.split("\n## ")[1:]
    assert ": an order's work failed\n" in first
    reason = "RuntimeError: cannot connect to postgresql://me:***@host/db with Bearer ***"
    for line in (
        f"- error_id: {failed['error_id']}",
        "- process: tester",
        f"- reason: {reason}",
        "- order_id: 7",
        "- trader_id: alice",
        "- retry_count: 2",
        "- correlation_id: c-1",
        "- causation_id: order-7/3",
    ):
        assert f"\n{line}\n" in first
    assert f"    {reason}\n" in first
    assert "in connect\n" in first
    assert f"- error_id: {stranger['error_id']}\n" in second
    assert "- reason: the venue reports an order that is not ours: v-1\n" in second
    assert "- symbol: AAPL\n" in second
    assert "order_id" not in second
    assert SECRET not in text
    assert (failed["order_id"], failed["correlation_id"], failed["trader_id"]) == ("7", "c-1", "alice")
    assert failed["error_id"] != stranger["error_id"]


def test_without_a_home_an_error_is_in_the_log_all_the_same(tmp_path: Path) -> None:
    lines = run(tmp_path / "none")
    assert [line["event"] for line in lines if line["level"] == "error"] == [
        "an order's work failed",
        "the venue reports an order that is not ours: v-1",
    ]
    assert any(line["event"].startswith("an error cannot be reported: ") for line in lines)
    assert not (tmp_path / "none").exists()


def test_sentry_gets_each_error_with_its_ids_and_without_secrets_or_variables(tmp_path: Path) -> None:
    with post_server() as (host, taken):
        failed, stranger, *_ = run(tmp_path, SENTRY_DSN=f"http://public@{host}/42")
    assert [path for path, _ in taken] == ["/api/42/envelope/"] * 2
    first, second = (json.loads(body.split(b"\n")[2]) for _, body in taken)
    assert first["tags"] == {
        "error_id": failed["error_id"],
        "order_id": "7",
        "correlation_id": "c-1",
        "process": "tester",
    }
    assert first["user"] == {"id": "alice"}
    assert first["contexts"]["orderlog"]["retry_count"] == 2
    (exception,) = first["exception"]["values"]
    assert exception["type"] == "RuntimeError"
    assert exception["value"] == "cannot connect to postgresql://me:***@host/db with Bearer ***"
    assert all("vars" not in frame for frame in exception["stacktrace"]["frames"])
    assert second["message"] == "the venue reports an order that is not ours: v-1"
    assert second["tags"] == {"error_id": stranger["error_id"], "process": "tester"}
    assert second["contexts"]["orderlog"]["symbol"] == "AAPL"
    assert SECRET.encode() not in b"".join(body for _, body in taken)


def test_what_is_called_a_secret_is_none_of_sentry_s_business_whatever_it_looks_like() -> None:
    event = {"a": [{"Authorization": "opaque"}, 1, "token=opaque"], "b": None}
    assert _without_secrets(event, None) == {"a": [{"Authorization": "***"}, 1, "token=***"], "b": None}


def record(message: str = "it broke", **more: Any) -> logging.LogRecord:
    return logging.getLogger().makeRecord(
        "x", logging.ERROR, "", 0, message, (), more.pop("exc_info", None), extra=more
    )


def test_an_error_that_is_reported_under_an_id_keeps_it_and_a_story_is_that_of_the_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reports: list[ErrorReport] = []
    handler = ErrorReports("tester", [reports.append])
    before = TOLD.set(Story("c-9"))
    handler.emit(record(error_id="e-1"))
    handler.emit(record())
    TOLD.reset(before)
    handler.close()
    handler.close()
    assert reports[0].error_id == "e-1"
    assert {report.story.correlation_id for report in reports} == {"c-9"}
    assert caplog.records == []


def test_a_sink_that_fails_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    def full(_: ErrorReport) -> None:
        raise OSError("disk full")

    reports: list[ErrorReport] = []
    handler = ErrorReports("tester", [full, reports.append])
    handler.emit(record())
    handler.close()
    assert len(reports) == 1
    assert caplog.messages == ["an error cannot be reported: disk full"]


def test_a_flood_of_errors_waits_for_nobody(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_WAITING_MAX", 2)
    going_on, begun = threading.Event(), threading.Event()
    reports: list[ErrorReport] = []

    def slow(report: ErrorReport) -> None:
        begun.set()
        going_on.wait(10)
        reports.append(report)

    handler = ErrorReports("tester", [slow])
    handler.emit(record())
    begun.wait(10)
    for _ in range(3):
        handler.emit(record())
    assert caplog.messages == ["too many errors at once: this one is not in the error log"]
    going_on.set()
    handler.close()
    assert len(reports) == 3


def test_an_entry_is_whole_whatever_is_in_it() -> None:
    text = report_of(record("two\nlines\n## and a forged one", error_id="e-1"), "tester").entry()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [text.splitlines()[0]]
    assert report_of(record(error_id="e"), "tester").story is NO_STORY


@pytest.mark.parametrize("port", ["8000", "no number"])
def test_a_defect_of_a_command_is_reported_where_it_can_be(tmp_path: Path, port: str) -> None:
    error_id = report_defect(ZeroDivisionError("a / b"), {"ORDERLOG_HOME": str(tmp_path), "ORDERLOG_PORT": port})
    log = tmp_path / "error-log.md"
    assert log.exists() == (port == "8000")
    if log.exists():
        assert error_id in log.read_text()
        assert "- reason: ZeroDivisionError: a / b\n- retry_count: 0\n" in log.read_text()
    assert report_defect(ZeroDivisionError("a / b"), {"ORDERLOG_HOME": str(tmp_path / "none")})
