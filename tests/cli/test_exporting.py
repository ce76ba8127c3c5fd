"""An export is what a third party needs to compute the hash chain again: nothing here reads it with our own code."""

import asyncio
import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from cli.exits import ExitCode
from infrastructure.codec import RawEvent
from infrastructure.exports import exporting, line_of
from tests.cli.conftest import COMMAND, ROOT, Run
from tests.cli.logs import a_short_history, record
from tests.domain.orders import ORDER_ID
from tests.infrastructure.stored_events import old_log

LOG = a_short_history().log
FIELDS = ["position", "stream_id", "version", "type", "data", "metadata", "recorded_at", "hash"]
Rows = list[dict[str, Any]]


@pytest.fixture
async def recorded_at(database_at: str) -> str:
    await record(database_at, LOG)
    return database_at


def of_ndjson(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def of_csv(path: Path) -> Rows:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row | {"position": int(row["position"]), "version": int(row["version"])} for row in rows]


def of_parquet(path: Path) -> Rows:
    rows: Rows = pq.read_table(path).to_pylist()
    return [
        row | {"recorded_at": f"{row['recorded_at']:%Y-%m-%dT%H:%M:%S.%fZ}", "hash": row["hash"].hex()} for row in rows
    ]


READERS = {"ndjson": of_ndjson, "csv": of_csv, "parquet": of_parquet}
every_format = pytest.mark.parametrize("form", READERS)


def chain_of(rows: Rows) -> list[str]:
    """The hash chain as the documentation describes it, and nothing else."""
    last, hashes = bytes(32), []
    for row in rows:
        fields = [str(row[name]).encode() for name in FIELDS[:-1]]
        leaf = hashlib.sha256(b"\x00" + b"".join(len(field).to_bytes(4, "big") + field for field in fields)).digest()
        last = hashlib.sha256(last + leaf).digest()
        hashes.append(last.hex())
    return hashes


def of(raws: Sequence[RawEvent]) -> Rows:
    """What a file of these events has in it."""
    return [
        raw._asdict() | {"recorded_at": f"{raw.recorded_at:%Y-%m-%dT%H:%M:%S.%fZ}", "hash": raw.hash.hex()}
        for raw in raws
    ]


@every_format
def test_who_has_an_export_can_compute_the_hash_chain(run: Run, recorded_at: str, tmp_path: Path, form: str) -> None:
    assert recorded_at
    path = tmp_path / "events"
    result = run("events", "export", "--format", form, "--output", str(path))
    assert (result.code, result.err) == (ExitCode.DONE, "")
    rows = READERS[form](path)
    assert [list(row) for row in rows] == [FIELDS] * len(LOG)
    assert [row["position"] for row in rows] == list(range(1, len(LOG) + 1))
    assert chain_of(rows) == [row["hash"] for row in rows]
    assert json.loads(result.out) == {
        "file": str(path),
        "format": form,
        "events": len(LOG),
        "first_position": 1,
        "first_hash": rows[0]["hash"],
        "last_position": len(LOG),
        "last_hash": rows[-1]["hash"],
        "log_ended_at": len(LOG),
    }
    rows[3]["data"] = rows[3]["data"].replace("1000", "1001")
    assert chain_of(rows)[3:] != [row["hash"] for row in rows][3:]


@every_format
def test_whatever_is_stored_survives_byte_for_byte(tmp_path: Path, form: str) -> None:
    """Also what no program of ours would write: spaces, line breaks, commas and quotes, and no JSON at all."""
    odd = (
        '{ "a" : 1,\t"b":[ ] }\n',
        ' {"a":"\u2028\r\n,;\'\\""} ',
        "=1+1",
        "no json",
        "",
        "\r",
        '"',
        "漢 é 🐘",
        "\ufeff",
    )
    at = datetime(2026, 11, 22, 14, 30, 0, 7, tzinfo=UTC)
    raws = [
        RawEvent(position, "a,\nb", position, "Odd", text, text[::-1], at, hashlib.sha256(text.encode()).digest())
        for position, text in enumerate(odd, 1)
    ]
    path = tmp_path / "events"
    with path.open("wb") as file, exporting(form, file) as write:
        for some in (raws[:2], raws[2:], old_log()):
            write(list(map(line_of, some)))
    assert READERS[form](path) == of([*raws, *old_log()])
    assert len(chain_of(READERS[form](path)[len(raws) :])) == len(old_log())
    assert chain_of(of(old_log())) == [raw.hash.hex() for raw in old_log()]


def test_an_export_of_old_and_new_events_is_what_the_database_has(run: Run, database_at: str, tmp_path: Path) -> None:
    asyncio.run(record(database_at, LOG))
    with psycopg.connect(database_at) as connection:
        stored = connection.execute("SELECT position, data, metadata FROM events ORDER BY position").fetchall()
    path = tmp_path / "events"
    run("events", "export", "-o", str(path))
    assert [(row["position"], row["data"], row["metadata"]) for row in of_ndjson(path)] == stored


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), range(1, len(LOG) + 1)),
        (("--after", "2", "--to", "4"), (3, 4)),
        (("--to", "999", "--type", "FundsDeposited"), (1, 2)),
        (("--trader", "bob"), (2,)),
        (("--order", ORDER_ID), (3, 5, 6, 7)),
        (("--since", "2099-01-01T00:00:00Z"), ()),
        (("--until", "1999-01-01T00:00:00+01:00"), ()),
        (("--after", "999"), ()),
    ],
)
def test_what_is_exported_can_be_chosen_like_what_is_shown(
    run: Run, recorded_at: str, tmp_path: Path, arguments: tuple[str, ...], expected: Sequence[int]
) -> None:
    assert recorded_at
    path = tmp_path / "events.ndjson"
    result = run("events", "export", "-o", str(path), *arguments)
    assert [row["position"] for row in of_ndjson(path)] == list(expected)
    assert json.loads(result.out)["events"] == len(expected)
    shown = run("events", "tail", *arguments).out.splitlines()
    assert [json.loads(line)["position"] for line in shown] == list(expected)


def test_more_events_than_are_read_at_once_all_come(
    run: Run, recorded_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorded_at
    monkeypatch.setattr("cli.exporting._EVENTS_AT_ONCE", 3)
    path = tmp_path / "events.csv"
    run("events", "export", "--format", "csv", "-o", str(path))
    assert [row["position"] for row in of_csv(path)] == list(range(1, len(LOG) + 1))


@pytest.mark.parametrize(("form", "lines"), [("ndjson", len(LOG)), ("csv", len(LOG) + 1)])
def test_without_a_file_an_export_goes_to_standard_output(recorded_at: str, form: str, lines: int) -> None:
    assert recorded_at
    command = [*COMMAND, "events", "export", "--format", form]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.DONE, b"")
    assert done.stdout.count(b"\n") == lines


def test_a_reader_that_has_had_enough_is_no_failure(recorded_at: str) -> None:
    assert recorded_at
    command = [*COMMAND, "events", "export", "--format", "csv"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert (process.wait(60), process.stderr.read()) == (ExitCode.DONE, b"")


def test_on_a_terminal_an_export_says_what_it_wrote(run: Run, recorded_at: str, tmp_path: Path) -> None:
    assert recorded_at
    shown = run("events", "export", "-o", str(tmp_path / "events"), terminal=True).out
    assert "last_hash" in shown
    assert not shown.lstrip().startswith("{")


def test_a_parquet_file_needs_a_name(run: Run) -> None:
    result = run("events", "export", "--format", "parquet")
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "--output FILE" in result.err


def test_without_its_package_parquet_says_how_to_get_it(
    run: Run, recorded_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorded_at
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "events.parquet"
    result = run("events", "export", "--format", "parquet", "-o", str(path))
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert "`pip install 'orderlog[parquet]'`" in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(
    run: Run, recorded_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorded_at
    path = tmp_path / "events.ndjson"
    path.write_text("what was there")

    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        assert run("events", "export", "-o", str(path)).code == ExitCode.FAILED
    assert (path.read_text(), list(tmp_path.iterdir())) == ("what was there", [path])
    assert run("events", "export", "-o", str(path)).code == ExitCode.DONE
    assert len(of_ndjson(path)) == len(LOG)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--since", "yesterday"), "--since yesterday is no time"),
        (("--until", "2026-11-22"), "--until 2026-11-22 is no time"),
        (("--type", "OrderEaten"), "There is no event type OrderEaten"),
        (("--order", "seven"), "seven is not an order id"),
        (("--format", "xml"), "xml"),
    ],
)
def test_what_chooses_no_events_is_misuse(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    result = run("events", "export", *arguments)
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert sentence in result.err


def test_what_goes_on_has_no_end(run: Run) -> None:
    for end in (("--to", "7"), ("--until", "2099-01-01T00:00:00Z")):
        result = run("events", "tail", "--follow", *end)
        assert (result.code, result.out) == (ExitCode.MISUSE, "")
        assert "--follow" in result.err


def test_the_documented_proof_of_a_copy_works(
    run: Run, recorded_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recorded_at
    monkeypatch.chdir(tmp_path)
    last_hash = json.loads(run("events", "export", "--output", "events.ndjson").out)["last_hash"]
    document = (ROOT / "docs" / "how-to" / "replay-the-log.md").read_text()
    (proof,) = (part.partition("```")[0] for part in document.split("```python\n")[1:])
    exec(proof, {})  # noqa: S102 - it is ours
    assert capsys.readouterr().out == f"{len(LOG)} {last_hash}\n"
    changed = Path("events.ndjson").read_text().replace("5000", "5001", 1)
    Path("events.ndjson").write_text(changed)
    with pytest.raises(AssertionError):
        exec(proof, {})  # noqa: S102 - see above
