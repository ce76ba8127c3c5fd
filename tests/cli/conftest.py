"""The command line as it is called: in this process, or as a process of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.main import main
from infrastructure.settings import Settings
from tests.engine_process import RunningEngine, running_engine

ROOT = Path(__file__).parents[2]
SECRET = "a secret that is long enough for HS256"
COMMAND = (sys.executable, "-c", "from cli.main import main; main()")


class Result(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that does not exist yet, and no other setting."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    monkeypatch.delenv("ORDERLOG_TOKEN", raising=False)
    directory = tmp_path / "home"
    monkeypatch.setenv("ORDERLOG_HOME", str(directory))
    monkeypatch.setenv("COLUMNS", "250")  # of a terminal
    return directory


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process, which has nothing but a home."""
    assert not home.exists()

    def call(*arguments: str, terminal: bool = False) -> Result:
        monkeypatch.setattr(sys, "argv", ["orderlog", *arguments])
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Result(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def database_at(database_url: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> str:
    """A migrated database, set as the one to use."""
    assert not home.exists()
    monkeypatch.setenv("DATABASE_URL", database_url)
    return database_url


def spawn(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the command line as a process of its own, with the environment as it is."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def engine() -> Iterator[RunningEngine]:
    """A whole engine for all tests of the command line."""
    directory = Path(tempfile.mkdtemp(prefix="orderlog-cli-"))
    with running_engine(directory) as started:
        yield started
    shutil.rmtree(directory)


@pytest.fixture
def engine_home(engine: RunningEngine, home: Path, monkeypatch: pytest.MonkeyPatch) -> RunningEngine:
    """The engine, found by its home."""
    assert not home.exists()
    monkeypatch.setenv("ORDERLOG_HOME", str(engine.home))
    return engine
