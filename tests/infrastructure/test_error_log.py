import re
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure import error_log
from infrastructure.error_log import FORMER, NAME, ErrorLog

WRITER = """
import sys
from pathlib import Path
from infrastructure import error_log
error_log.BYTES_MAX = int(sys.argv[3])
log = error_log.ErrorLog(Path(sys.argv[1]))
for number in range(100):
    log.append(f"## {sys.argv[2]}-{number}\\n" + 40 * f"- {sys.argv[2]}\\n" + "\\n")
"""


def entries(home: Path) -> list[str]:
    text = "".join((home / name).read_text() for name in (FORMER, NAME) if (home / name).exists())
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def test_entries_come_one_after_the_other_behind_a_head_and_are_for_the_owner_only(tmp_path: Path) -> None:
    log = ErrorLog(tmp_path)
    log.append("## one\n\n")
    log.append("## two \udc80\n\n")
    text = (tmp_path / NAME).read_text()
    assert text.startswith("# Errors of this engine\n")
    assert text.endswith("## one\n\n## two \\udc80\n\n")
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("bytes_max", [10_000_000, 35_000])
def test_several_processes_append_at_once_and_every_entry_is_there_and_whole(tmp_path: Path, bytes_max: int) -> None:
    names = ["a", "b", "c"]
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name, str(bytes_max)]) for name in names]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert (tmp_path / FORMER).exists() == (bytes_max < 1_000_000)
    found = entries(tmp_path)
    # Each writer's entries are in the order in which they were written.
    assert {name: [each for each in found if each.startswith(name)] for name in names} == {
        name: [f"{name}-{number}" for number in range(100)] for name in names
    }
    for name in (FORMER, NAME):
        if (tmp_path / name).exists():
            for block in (tmp_path / name).read_text().split("## ")[1:]:
                assert len(set(block.split("\n")[1:-2])) == 1, "entries are mixed up"


def test_a_file_that_has_grown_is_put_aside_and_only_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_log, "BYTES_MAX", 1000)
    log = ErrorLog(tmp_path)
    for number in range(10):
        log.append(f"## {number}\n" + 600 * "x" + "\n\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == [FORMER]
    log.append("## last\n\n")
    assert entries(tmp_path)[-1] == "last"
    assert len(entries(tmp_path)) <= 3


def test_a_file_that_was_put_aside_while_we_waited_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ErrorLog(tmp_path)
    log.append("## one\n\n")
    lock, happened = error_log.fcntl.flock, []

    def behind_another(descriptor: int, how: int) -> None:
        lock(descriptor, how)
        happened.append(descriptor)
        if len(happened) == 1:
            (tmp_path / NAME).unlink()
        elif len(happened) == 2:
            (tmp_path / NAME).replace(tmp_path / FORMER)
            (tmp_path / NAME).touch()

    monkeypatch.setattr(error_log.fcntl, "flock", behind_another)
    log.append("## two\n\n")
    assert (tmp_path / FORMER).read_text() == ""
    assert entries(tmp_path) == ["two"]


def test_no_home_is_made_for_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ErrorLog(tmp_path / "none").append("x")
    assert list(tmp_path.iterdir()) == []
