import asyncio
import json
import os
import subprocess

import pytest

from cli.exits import ExitCode
from infrastructure.codec import RawEvent
from infrastructure.postgres.event_store import PostgresEventStore
from tests.cli.conftest import COMMAND, ROOT, Run, spawn
from tests.cli.logs import a_short_history, record
from tests.domain.orders import ORDER_ID

LOG = a_short_history().log


@pytest.fixture
async def recorded_at(database_at: str) -> str:
    await record(database_at, LOG)
    return database_at


async def first_event(database_url: str) -> RawEvent:
    async with PostgresEventStore(database_url) as store:
        (raw,) = await store.raw(0, 1)
        return raw


def positions(out: str) -> list[int]:
    return [json.loads(line)["position"] for line in out.splitlines()]


def test_events_come_as_they_are_stored_one_on_each_line(run: Run, recorded_at: str) -> None:
    result = run("events", "tail")
    assert (result.code, result.err) == (ExitCode.DONE, "")
    assert positions(result.out) == list(range(1, len(LOG) + 1))
    first = json.loads(result.out.splitlines()[0])
    raw = asyncio.run(first_event(recorded_at))
    assert list(first) == ["position", "stream_id", "version", "type", "data", "metadata", "recorded_at", "hash"]
    assert (first["stream_id"], first["type"], first["hash"]) == (raw.stream_id, "FundsDeposited", raw.hash.hex())
    assert f'"data":{raw.data},"metadata":{raw.metadata},' in result.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--after", "2"), range(3, len(LOG) + 1)),
        (("--limit", "2"), (1, 2)),
        (("--after", "1", "--limit", "1"), (2,)),
        (("--after", "999"), ()),
        (("--type", "FundsDeposited"), (1, 2)),
        (("--type", "FundsDeposited", "--type", "OrderPlaced"), (1, 2, 3)),
        (("--trader", "bob"), (2,)),
        (("--order", ORDER_ID.upper()), (3, 5, 6, 7)),
    ],
)
def test_events_can_be_chosen(
    run: Run, recorded_at: str, arguments: tuple[str, ...], expected: tuple[int, ...]
) -> None:
    assert recorded_at
    assert positions(run("events", "tail", *arguments).out) == list(expected)


@pytest.mark.parametrize(
    "arguments",
    [("--after", "-1"), ("--limit", "0"), ("--type", "OrderEaten"), ("--order", "seven")],
)
def test_what_chooses_no_events_is_misuse(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("events", "tail", *arguments)
    assert (result.code, result.out) == (ExitCode.MISUSE, "")


def test_more_events_than_are_read_at_once_all_come(
    run: Run, recorded_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorded_at
    monkeypatch.setattr("cli.events._EVENTS_AT_ONCE", 2)
    assert positions(run("events", "tail").out) == list(range(1, len(LOG) + 1))


def test_on_a_terminal_events_are_a_table(run: Run, recorded_at: str) -> None:
    assert recorded_at
    result = run("events", "tail", "--type", "OrderFilled", terminal=True)
    assert "OrderFilled" in result.out
    assert not result.out.lstrip().startswith("{")
    assert run("events", "tail", "--json", terminal=True).out.startswith('{"position":1,')


def test_a_table_that_goes_on_has_one_header(run: Run, recorded_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded_at
    monkeypatch.setattr("cli.events._EVENTS_AT_ONCE", 2)
    shown = run("events", "tail", terminal=True).out
    assert shown.count("recorded_at") == 1
    assert "OrderFilled" in shown


async def test_following_goes_on_with_what_is_recorded_later(database_at: str) -> None:
    await record(database_at, LOG[:3])
    command = [*COMMAND, "events", "tail", "--follow", "--trader", "alice", "--limit", "3"]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - nothing else runs here
    assert process.stdout is not None
    first = process.stdout.readline() + process.stdout.readline()
    await record(database_at, LOG[3:])
    rest, _ = process.communicate(timeout=20)
    assert (process.returncode, positions(first + rest)) == (ExitCode.DONE, [1, 3, 4])


def test_one_event_is_shown_by_its_position(run: Run, recorded_at: str) -> None:
    assert recorded_at
    assert positions(run("events", "show", "3").out) == [3]


def test_all_events_of_an_order_are_shown_by_its_id(run: Run, recorded_at: str) -> None:
    assert recorded_at
    assert positions(run("events", "show", ORDER_ID).out) == [3, 5, 6, 7]


@pytest.mark.parametrize(
    ("which", "code", "sentence"),
    [
        ("999", ExitCode.FAILED, "There is no event at position 999"),
        ("0", ExitCode.FAILED, "There is no event at position 0"),
        (ORDER_ID, ExitCode.FAILED, f"There is no order {ORDER_ID}"),
        ("seven", ExitCode.MISUSE, "seven is not an order id"),
    ],
)
def test_what_is_not_there_is_not_shown(run: Run, database_at: str, which: str, code: ExitCode, sentence: str) -> None:
    assert database_at
    result = run("events", "show", which)
    assert (result.code, result.out, result.err) == (code, "", f"orderlog: {sentence}\n")


def test_a_database_without_a_log_says_how_to_get_one(
    run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    result = run("events", "tail")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert "`orderlog db upgrade`" in result.err


def test_the_command_works_as_a_process_of_its_own(recorded_at: str) -> None:
    assert recorded_at
    done = spawn("events", "tail", "--limit", "1")
    assert (done.returncode, done.stderr, positions(done.stdout)) == (ExitCode.DONE, "", [1])
