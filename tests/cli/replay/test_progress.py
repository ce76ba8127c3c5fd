import sys

import pytest

from cli.replay.progress import progress


def test_where_nobody_watches_a_line_says_what_begins(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Sending messages", 1234) as advanced:
        advanced(1)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Sending messages: 1,234\n")


def test_on_a_terminal_a_bar_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    with progress("Sending messages", 4) as advanced:
        advanced(3)
        advanced(1)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Sending messages" in said.err
    assert "4/4" in said.err
    assert "/s" in said.err
