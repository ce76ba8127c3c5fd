import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.openapi import document_of
from application.ports import StoreUnavailableError
from cli.exits import CommandError, ExitCode, explained
from cli.main import COMMANDS
from infrastructure.settings import SettingsError
from infrastructure.version import VERSION
from tests.cli.conftest import COMMAND, ROOT, Run
from tests.cli.logs import a_short_history, record


def test_help_names_every_command_and_imports_none(run: Run) -> None:
    before = set(sys.modules)
    result = run("--help")
    assert result.code == ExitCode.DONE
    assert all(f"  {name} " in result.out for name in COMMANDS)
    assert not {entry.module for entry in COMMANDS.values()} & (set(sys.modules) - before)


def test_the_version_is_that_of_the_package_and_of_the_api(run: Run) -> None:
    result = run("--version")
    assert (result.code, result.out) == (ExitCode.DONE, f"orderlog {VERSION}\n")
    assert metadata.version("orderlog") == VERSION
    assert document_of(())["info"]["version"] == VERSION


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom cli.main import main\nsys.argv = ['orderlog', '--help']\n"
        "try:\n    main()\nfinally:\n    print(sorted({'pydantic', 'psycopg', 'httpx2', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_says_in_its_own_help_what_the_list_says(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.code == ExitCode.DONE
    assert result.out.startswith(f"Usage: orderlog {name} ")


def test_an_unknown_command_is_misuse(run: Run) -> None:
    result = run("nonsense")
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "No such command 'nonsense'" in result.err


def test_an_unknown_option_is_misuse(run: Run) -> None:
    result = run("token", "--nonsense")
    assert (result.code, result.out) == (ExitCode.MISUSE, "")


def test_an_error_is_one_sentence_on_standard_error(run: Run) -> None:
    result = run("token", "--trader", "not a trader")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert result.err.startswith("orderlog: trader_id must be ")
    assert result.err.count("\n") == 1


def test_a_wrong_setting_is_named_and_is_misuse(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLOG_PORT", "many")
    result = run("token", "--trader", "alice")
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "ORDERLOG_PORT is 'many'" in result.err


def test_a_database_that_is_away_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    result = run("db", "status")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert result.err.startswith("orderlog: The database cannot be used: ")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (CommandError("It is late", ExitCode.LAG), "It is late", ExitCode.LAG),
        (SettingsError("X is wrong"), "X is wrong", ExitCode.MISUSE),
        (StoreUnavailableError("gone"), "The database cannot be used: gone", ExitCode.FAILED),
        (FileNotFoundError(2, "No such file", "x"), "[Errno 2] No such file: 'x'", ExitCode.FAILED),
        (TimeoutError(), "TimeoutError", ExitCode.FAILED),
    ],
)
def test_errors_that_can_be_expected_say_themselves(error: Exception, sentence: str, code: ExitCode) -> None:
    failure = explained(error)
    assert (str(failure), failure.exit_code) == (sentence, code)


def test_any_other_error_is_a_defect_that_is_reported_and_says_how_to_find_it(home: Path) -> None:
    home.mkdir()
    said = re.fullmatch(
        r"This is a defect of orderlog \(ZeroDivisionError: a / b\), reported as ([0-9a-f-]{36});"
        r" PYTHONDEVMODE=1 shows where it is",
        str(explained(ZeroDivisionError("a / b"))),
    )
    assert said
    assert f"- error_id: {said[1]}\n" in (home / "error-log.md").read_text()


def test_development_mode_shows_a_defect_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "flags", SimpleNamespace(dev_mode=True))
    with pytest.raises(ZeroDivisionError):
        explained(ZeroDivisionError("a / b"))


async def test_a_reader_that_has_had_enough_is_no_failure(database_at: str, tmp_path: Path) -> None:
    log = a_short_history().log
    await record(database_at, log[:3])
    errors = tmp_path / "errors"
    with errors.open("w") as err:
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs here
            [*COMMAND, "events", "tail", "--follow"], cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=err
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"position":1,')
        process.stdout.close()
        await record(database_at, log[3:])
        assert process.wait(20) == ExitCode.DONE
    assert errors.read_text() == ""
