import json
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.checks.finding import Finding, attempt
from cli.checks.machine import home_directory, programs, python_version
from infrastructure.embedded.home import open_home


def found(directory: Path) -> dict[str, Finding]:
    return {finding.check: finding for finding in home_directory(directory)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return open_home(tmp_path / "home").directory


def test_a_look_that_fails_is_a_finding() -> None:
    def look() -> Finding:
        raise FileNotFoundError("nothing there")

    assert attempt("thing", look, "make one") == Finding("thing", "nothing there", "make one")


def test_this_python_is_new_enough() -> None:
    assert python_version().ok


def test_an_old_python_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert "3.11" in python_version().remedy


def test_the_servers_programs_run_here() -> None:
    said = {finding.check: finding for finding in programs()}
    assert said["postgres program"].detail.startswith("postgres (PostgreSQL) ")
    assert said["valkey program"].detail.startswith("Valkey server ")
    assert all(finding.ok for finding in said.values())


def test_a_program_that_is_missing_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.checks.machine.valkey_program", lambda: "/nowhere/valkey-server")
    (finding,) = [finding for finding in programs() if not finding.ok]
    assert (finding.check, "install orderlog again" in finding.remedy) == ("valkey program", True)


def test_a_home_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    assert all(finding.ok for finding in home_directory(tmp_path / "a" / "b"))


def test_a_private_home_is_fine(home: Path) -> None:
    assert found(home)["home"] == Finding("home", f"{home} (0700)")


def test_a_home_that_others_can_read_is_to_be_closed(home: Path) -> None:
    (home / "file").touch()
    home.chmod(0o755)
    assert found(home)["home"].remedy == f"chmod 700 {home}"


def test_a_home_that_is_no_directory_is_to_be_removed(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.touch(mode=0o600)
    assert "is not a directory" in found(file)["home"].detail


def test_a_home_of_somebody_else_is_to_be_made_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be written" in found(home)["home"].detail


def test_a_disk_that_is_nearly_full_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    assert "free at least 1 GB" in found(home)["disk"].remedy


def test_an_engine_that_was_killed_left_its_address(home: Path) -> None:
    (home / "engine.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": 2**22 + 1}))
    assert f"process {2**22 + 1}, which is gone" in found(home)["stale engine"].detail
    (home / "engine.json").write_text("nonsense")
    assert "a process, which is gone" in found(home)["stale engine"].detail


def test_an_engine_that_runs_left_nothing(home: Path) -> None:
    (home / "engine.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getpid()}))
    assert "stale engine" not in found(home)


def test_servers_that_were_killed_left_their_socket(home: Path) -> None:
    opened = open_home(home)
    opened.make_sockets()
    with socket.socket(socket.AF_UNIX) as guard:
        guard.bind(str(opened.guard_socket))
        guard.listen()
        assert "stale servers" not in found(home)
    assert "were killed" in found(home)["stale servers"].detail
    opened.guard_socket.unlink()
    opened.sockets.rmdir()
