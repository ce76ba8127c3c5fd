from pathlib import Path

import pytest

from cli import welcome as welcoming
from cli.serve import _announced
from cli.welcome import _without_password, welcome
from infrastructure.settings import load_settings


def test_an_engine_that_is_never_ready_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(welcoming, "_READY_SECONDS_MAX", 0.2)
    welcome(load_settings({}), "http://127.0.0.1:1")
    said = capsys.readouterr()
    assert said.out == ""
    assert "is not ready after 0 seconds" in said.err


def test_where_tokens_come_from_elsewhere_it_is_said_from_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(welcoming, "_is_ready", lambda _: True)
    welcome(load_settings({"ORDERLOG_JWKS_URL": "https://keys.example/jwks"}), "http://127.0.0.1:1")
    said = capsys.readouterr().out
    assert said.endswith("tokens    from whoever signs with the keys at https://keys.example/jwks\n")


def test_passwords_are_not_shown() -> None:
    assert _without_password("redis://:secret@host:1/0") == "redis://:***@host:1/0"
    assert _without_password("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
    assert _without_password("unix:///run/x.sock") == "unix:///run/x.sock"


def test_the_address_of_an_engine_is_there_while_it_runs_and_another_one_s_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "engine.json"
    with _announced(tmp_path, "http://127.0.0.1:1"):
        assert "http://127.0.0.1:1" in file.read_text()
    assert list(tmp_path.iterdir()) == []
    with _announced(tmp_path, "http://127.0.0.1:1"):
        file.write_text('{"url": "http://127.0.0.1:2", "pid": 1}')
    assert file.exists()
