import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from cli.progress import Advance, progress

Shown = Callable[[AbstractContextManager[Advance], Callable[[Advance], None]], tuple[str, str]]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    """What is written to a terminal during the work."""

    def work(bar: AbstractContextManager[Advance], steps: Callable[[Advance], None]) -> tuple[str, str]:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "120")
        with bar as advanced:
            steps(advanced)
        return capsys.readouterr()

    return work


def test_where_nobody_watches_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Sending messages", 1234) as advanced:
        advanced(1)
        advanced(1, lag=7)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_on_a_terminal_a_bar_says_how_far_it_is(shown: Shown) -> None:
    def steps(advanced: Advance) -> None:
        advanced(3)
        advanced(1)

    out, err = shown(progress("Sending messages", 4), steps)
    assert out == ""
    assert "Sending messages" in err
    assert "4/4" in err
    assert "/s" in err
    assert "lag" not in err


def test_an_end_that_moves_is_followed(shown: Shown) -> None:
    _, err = shown(progress("Building orders, events", 10), lambda advanced: advanced(9, lag=1_234))
    assert "9/1243" in err
    assert "lag 1,234" in err


def test_work_that_goes_on_begins_where_it_was_left(shown: Shown) -> None:
    _, err = shown(progress("Building orders, events", 10, done=6), lambda advanced: advanced(1))
    assert "7/10" in err
