import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from application.story import TOLD, Story
from infrastructure.logs import Lines

SCRIPT = """
import logging, structlog, warnings
from application.story import TOLD, Story
from infrastructure.logs import configure_logs
logging.basicConfig()
configure_logs("tester")
logging.getLogger("somewhere").info("plain %s", "words")
logging.getLogger("httpx2").info("HTTP Request")
TOLD.set(Story("c-1", "order-7/3", "alice", "7", 2))
structlog.get_logger("elsewhere").warning("bus_down", seconds=3, of={1})
warnings.warn("old")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("elsewhere").exception("it broke")
    logging.getLogger("somewhere").error("again", exc_info=True, extra={"error_id": "e-1", "fields": {"more": "Bearer x.y"}})
"""
STORY = {
    "correlation_id": "c-1",
    "causation_id": "order-7/3",
    "trader_id": "alice",
    "order_id": "7",
    "retries": 2,
    "process": "tester",
}


def test_everything_is_one_json_object_on_a_line_of_standard_error_with_its_story() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert said.stdout == ""
    plain, bus, warned, broken, again = lines = [json.loads(line) for line in said.stderr.splitlines()]
    assert all(isinstance(line.pop("pid"), int) and line.pop("timestamp").endswith("Z") for line in lines)
    assert plain == {"level": "info", "logger": "somewhere", "event": "plain words", "process": "tester"}
    assert bus == {"level": "warning", "logger": "elsewhere", "event": "bus_down", "seconds": 3, "of": [1]} | STORY
    assert "UserWarning: old" in warned["event"]
    assert broken.pop("exception").endswith("ZeroDivisionError: division by zero")
    assert broken == {"level": "error", "logger": "elsewhere", "event": "it broke"} | STORY
    assert again["error_id"] == "e-1"
    assert again["more"] == "Bearer ***"


def test_a_person_at_a_terminal_gets_lines_to_read() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs) as process:
        os.close(theirs)
        said = b""
        try:
            while more := os.read(ours, 65536):
                said += more
        except OSError:  # how Linux says that the other side is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    assert b"plain words" in said
    assert b"tester[%d] elsewhere" % process.pid in said
    assert b"ZeroDivisionError: division by zero\r\n" in said
    assert b'{"' not in said


def record(**more: object) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.INFO, "", 0, "said", (), None)
    made.__dict__.update(more)
    return made


@contextmanager
def telling(story: Story) -> Iterator[None]:
    before = TOLD.set(story)
    yield
    TOLD.reset(before)


def test_a_time_is_that_of_the_record_to_the_microsecond() -> None:
    lines = Lines("tester")
    for seconds, text in ((0.25, "1970-01-01T00:00:00.250000Z"), (60.5, "1970-01-01T00:01:00.500000Z")):
        assert json.loads(lines.format(record(created=seconds)))["timestamp"] == text


def test_an_error_tells_its_own_story_and_not_that_of_whoever_logs_it() -> None:
    error = ValueError("x")
    error.story = Story("the error's")  # type: ignore[attr-defined]
    with telling(Story("another one")):
        said = json.loads(Lines("tester").format(record(exc_info=(ValueError, error, None))))
        other = json.loads(Lines("tester").format(record(exc_info=(ValueError, ValueError(), None))))
    assert said["correlation_id"] == "the error's"
    assert other["correlation_id"] == "another one"


@pytest.mark.parametrize("level", [5, 25])
def test_a_level_without_a_name_has_a_number(level: int) -> None:
    assert json.loads(Lines("tester").format(record(levelno=level)))["level"] == str(level)
