import json
import os
from pathlib import Path

import pytest

from cli.engine import ADDRESS_FILE, EngineClient, engine_url, running_engine, token_of
from cli.exits import CommandError, ExitCode
from infrastructure.settings import load_settings
from tests.cli.conftest import SECRET
from tests.cli.stand_in import Scripted, stand_in

GONE = 2**22 + 1  # above every process id


def announce(home: Path, pid: int) -> None:
    home.mkdir(exist_ok=True)
    (home / ADDRESS_FILE).write_text(json.dumps({"url": "http://127.0.0.1:1234/", "pid": pid}))


def test_a_running_engine_says_in_its_home_where_it_is(tmp_path: Path) -> None:
    announce(tmp_path, os.getpid())
    assert running_engine(tmp_path) == "http://127.0.0.1:1234"


def test_an_engine_of_another_user_runs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    announce(tmp_path, os.getpid())
    monkeypatch.setattr(os, "kill", refuse)
    assert running_engine(tmp_path) == "http://127.0.0.1:1234"


def test_an_engine_that_was_killed_does_not_run(tmp_path: Path) -> None:
    announce(tmp_path, GONE)
    assert running_engine(tmp_path) is None


@pytest.mark.parametrize("said", ["", "[]", '{"url": "http://127.0.0.1:1"}', '{"url": "x", "pid": "many"}'])
def test_what_is_no_announcement_announces_nothing(tmp_path: Path, said: str) -> None:
    (tmp_path / ADDRESS_FILE).write_text(said)
    assert running_engine(tmp_path) is None


def test_the_engine_is_where_we_are_told_or_where_it_says_or_where_it_would_be(tmp_path: Path) -> None:
    known = load_settings({"ORDERLOG_HOME": str(tmp_path), "ORDERLOG_HOST": "::1", "ORDERLOG_PORT": "9000"})
    assert engine_url(known, None) == "http://[::1]:9000"
    announce(tmp_path, os.getpid())
    assert engine_url(known, None) == "http://127.0.0.1:1234"
    assert engine_url(known, "http://elsewhere/") == "http://elsewhere"


def test_an_engine_at_any_port_has_to_run_to_be_found(tmp_path: Path) -> None:
    known = load_settings({"ORDERLOG_HOME": str(tmp_path), "ORDERLOG_PORT": "0"})
    with pytest.raises(CommandError, match=r"^No engine runs in .*; start it with `orderlog serve`"):
        engine_url(known, None)


def test_somebody_has_to_ask(tmp_path: Path) -> None:
    known = load_settings({"ORDERLOG_HOME": str(tmp_path), "ORDERLOG_JWT_SECRET": SECRET})
    assert token_of(known, None, "a token") == "a token"
    assert token_of(known, "alice", "a token").count(".") == 2
    with pytest.raises(CommandError, match="Say who is asking") as missing:
        token_of(known, None, None)
    assert missing.value.exit_code == ExitCode.MISUSE


def test_a_problem_is_a_sentence_with_its_code() -> None:
    problem = {"detail": "There is no such order", "code": "NOT_FOUND"}
    with (
        stand_in(Scripted(404, problem)) as url,
        EngineClient(url, "token") as client,
        pytest.raises(CommandError, match=r"^There is no such order \(NOT_FOUND\)$"),
    ):
        client.get("/anything")


@pytest.mark.parametrize("body", ["<h1>Bad gateway</h1>", ["nothing"]])
def test_an_error_without_a_problem_is_named_by_its_status(body: object) -> None:
    with (
        stand_in(Scripted(502, body)) as url,
        EngineClient(url, "token") as client,
        pytest.raises(CommandError, match=r"the engine answered 502 Bad Gateway \(HTTP_502\)"),
    ):
        client.post("/anything", {})


def test_whoever_speaks_no_json_is_not_the_engine() -> None:
    with (
        stand_in(Scripted(200, "<h1>Welcome</h1>")) as url,
        EngineClient(url, "token") as client,
        pytest.raises(CommandError, match="does not answer"),
    ):
        client.get("/anything")


def test_an_engine_that_is_not_there_says_how_to_start_it() -> None:
    with (
        EngineClient("http://127.0.0.1:1", "token") as client,
        pytest.raises(CommandError, match="start it with `orderlog serve`"),
    ):
        client.get("/anything")
