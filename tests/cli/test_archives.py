"""Old partitions of the log as files, from the command line."""

import asyncio
import json
from pathlib import Path

import pytest

from cli.exits import ExitCode
from domain.commands import Deposit
from domain.values import Money
from infrastructure.postgres import partitions
from tests.cli.conftest import Run
from tests.cli.logs import a_short_history, project, record
from tests.cli.test_events import positions
from tests.conftest import execute, tamper
from tests.domain.orders import ORDER_ID
from tests.infrastructure.postgres.partitioned import let_first_partition_end_at
from tests.infrastructure.samples import money
from tests.projections.histories import BOB


@pytest.fixture
def recorded_at(database_at: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log of eleven events; the first eight are a partition, the others begin the next."""
    let_first_partition_end_at(database_at, 8)
    monkeypatch.setattr(partitions, "SIZE", 8)
    history = a_short_history()
    for amount in ("1", "2", "3"):
        history.cash(Deposit(Money(money(amount))), BOB)
    project(database_at, asyncio.run(record(database_at, history.log)))
    return database_at


def test_a_log_reads_the_same_before_and_after_its_beginning_is_archived(
    run: Run, recorded_at: str, tmp_path: Path
) -> None:
    assert recorded_at
    directory = str(tmp_path / "archive")
    questions = (
        ("events", "tail"),
        ("events", "tail", "--after", "3", "--limit", "7"),
        ("events", "tail", "--trader", "bob"),
        ("events", "tail", "--type", "FundsDeposited"),
        ("events", "show", "3"),
        ("events", "show", "10"),
        ("events", "show", ORDER_ID),
        ("events", "export"),
        ("events", "export", "--format", "csv", "--trader", "bob"),
        ("events", "replay", ORDER_ID),
        ("events", "replay", "--to", "9"),
        ("events", "verify"),
    )
    before = [run(*question) for question in questions]
    archived = run("events", "archive", "--before", "9", "--to", directory)
    assert (archived.code, archived.err) == (ExitCode.DONE, "")
    said = json.loads(archived.out)
    assert (said["first_position"], said["last_position"]) == (1, 8)
    assert Path(said["file"]).is_file()
    assert [run(*question, "--archive", directory) for question in questions] == before

    for question in questions:
        without = run(*question)
        if question[-1] == "10":
            assert without.code == ExitCode.DONE
        else:
            assert without.code == ExitCode.FAILED
            assert len(without.out.splitlines()) == ("csv" in question)  # which has a header
            assert "give --archive DIR to a command that takes it" in without.err
    assert run("events", "checkpoint").code == ExitCode.FAILED
    assert json.loads(run("events", "checkpoint", "--archive", directory).out)["position"] == 11

    assert run("events", "prove", ORDER_ID).code == ExitCode.FAILED
    (tmp_path / "proof").write_text(run("events", "prove", ORDER_ID, "--archive", directory).out)
    (tmp_path / "key").write_text(run("events", "public-key").out)
    checked = run("events", "check-proof", str(tmp_path / "proof"), "--public-key", str(tmp_path / "key"), "--json")
    assert (json.loads(checked.out)["events"], json.loads(checked.out)["position"]) == (4, 11)
    assert positions(run("events", "tail", "--after", "8").out) == [9, 10, 11]

    back = run("events", "restore", said["file"])
    assert (back.code, json.loads(back.out)) == (ExitCode.DONE, said)
    assert [run(*question) for question in questions] == before


def test_what_is_old_enough_is_archived_and_shown_to_a_person(run: Run, recorded_at: str, tmp_path: Path) -> None:
    young = run("events", "archive", "--older-than", "1", "--to", str(tmp_path))
    assert (young.code, young.out) == (ExitCode.DONE, "")
    assert "nothing to archive" in young.err
    tamper(recorded_at, "UPDATE events SET recorded_at = now() - interval '40 days' WHERE position = 8")
    # The hash covers the time, so what was changed is not archived.
    changed = run("events", "archive", "--older-than", "30", "--to", str(tmp_path))
    assert changed.code == ExitCode.FAILED
    assert "the hash chain breaks" in changed.err
    done = run("events", "archive", "--older-than", "0", "--to", str(tmp_path), "--keep", terminal=True)
    assert done.code == ExitCode.FAILED


def test_a_person_sees_a_table(run: Run, recorded_at: str, tmp_path: Path) -> None:
    assert recorded_at
    done = run("events", "archive", "--older-than", "0", "--to", str(tmp_path), "--keep", terminal=True)
    assert done.code == ExitCode.DONE
    assert "sha256" in done.out
    assert "events-000000000001-000000000008.ndjson.gz" in done.out


@pytest.mark.parametrize("which", [(), ("--before", "9", "--older-than", "1")])
def test_it_has_to_be_said_what_is_old(run: Run, tmp_path: Path, which: tuple[str, ...]) -> None:
    result = run("events", "archive", "--to", str(tmp_path), *which)
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "either --before POSITION or --older-than DAYS" in result.err


def test_what_is_still_needed_is_named(run: Run, recorded_at: str, tmp_path: Path) -> None:
    execute(recorded_at, "UPDATE orders SET status = 'ACCEPTED'")
    result = run("events", "archive", "--before", "9", "--to", str(tmp_path))
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert f"the oldest is {ORDER_ID}" in result.err


def test_a_directory_without_archives_is_named(run: Run, recorded_at: str, tmp_path: Path) -> None:
    assert recorded_at
    for command in (("tail",), ("verify",), ("show", "3")):
        result = run("events", *command, "--archive", str(tmp_path))
        assert (result.code, result.out) == (ExitCode.FAILED, "")
        assert f"no archives of events in {tmp_path}" in result.err


def test_read_models_are_verified_and_rebuilt_from_a_log_whose_beginning_is_archived(
    run: Run, recorded_at: str, tmp_path: Path
) -> None:
    assert recorded_at
    before = run("projections", "verify")
    assert run("events", "archive", "--before", "9", "--to", str(tmp_path)).code == ExitCode.DONE
    without = run("projections", "verify")
    assert without.code == ExitCode.FAILED
    assert "give --archive DIR to a command that takes it" in without.err
    archive = ("--archive", str(tmp_path))
    assert run("projections", "verify", *archive).out == before.out
    rebuilt = run("projections", "rebuild", "--all", *archive)
    assert rebuilt.code == ExitCode.DONE
    checksums = [[json.loads(line)["checksum"] for line in out.splitlines()] for out in (before.out, rebuilt.out)]
    assert checksums[0] == checksums[1]


def test_an_archive_is_read_by_one_process(run: Run, database_at: str, tmp_path: Path) -> None:
    assert database_at
    result = run("projections", "rebuild", "--all", "--workers", "2", "--archive", str(tmp_path))
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "leave out --workers" in result.err
