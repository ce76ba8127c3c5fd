"""`orderlog venue`."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import typer
from typer.testing import CliRunner

from cli.venue import venue

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "import typer; from cli.venue import venue; typer.run(venue)"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_venue_says_where_it_listens_and_stops_when_it_is_told_to(number: signal.Signals, tmp_path: Path) -> None:
    arguments = ["--port", "0", "--journal", str(tmp_path / "journal"), "--commission-per-share", "0.01"]
    with subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words, _, url = process.stdout.readline().strip().rpartition(" ")
        assert words == "paper venue listening on"
        assert httpx2.get(f"{url}/healthz").json() == {"status": "ok"}
        process.send_signal(number)
        assert process.wait(10) == 0
    assert (tmp_path / "journal").read_text().startswith('{"do":"start"')


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(venue)
    return app


def test_a_venue_that_cannot_start_says_why(app: typer.Typer, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["--port", "0", "--journal", str(tmp_path)])
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith("the paper venue could not start: ")


def test_faults_are_there_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"on": "find", "fault": "malformed", "times": 3}]')
    arguments = ["--port", "0", "--faults", str(tmp_path / "faults.json")]
    with subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert httpx2.get(f"{url}/control/faults").json() == [
            {"on": "find", "fault": "malformed", "times": 3, "fired": 0}
        ]
        process.terminate()


@pytest.mark.parametrize(("rules", "problem"), [(None, "No such file"), ("[5]", "rule 1: Expected `object`, got")])
def test_faults_that_cannot_be_read_are_misuse(
    app: typer.Typer, tmp_path: Path, rules: str | None, problem: str
) -> None:
    if rules is not None:
        (tmp_path / "faults").write_text(rules)
    answer = CliRunner().invoke(app, ["--port", "0", "--faults", str(tmp_path / "faults")], env={"COLUMNS": "300"})
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "--faults" in answer.stderr
    assert problem in answer.stderr


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--commission-per-share", "-1"]])
def test_misuse_is_told_apart(app: typer.Typer, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
