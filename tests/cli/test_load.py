import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.exits import ExitCode
from cli.replay import replay as replays
from cli.replay.sending import Sent
from cli.replay.session import Session
from cli.replay.tally import Tally
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.servers import embedded_servers
from tests.cli.conftest import Result, Run
from tests.cli.stand_in import Scripted, stand_in
from tests.engine_process import RunningEngine

MESSAGES = """\
34200.000000001,1,101,100,5853300,1
34200.000000002,1,102,50,5859100,-1
34200.010000000,1,103,200,5850000,1
34200.010000000,3,103,200,5850000,1
34200.020000000,2,102,10,5859100,-1
34200.020000000,3,999,10,5859100,-1
34200.030000000,4,101,40,5853300,1
34200.040000000,5,0,30,5857900,-1
34200.040000000,5,0,20,5857900,1
34200.050000000,1,104,20000000,5850000,1
34200.050000000,3,104,20000000,5850000,1
"""


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    file = tmp_path / "messages.csv"
    file.write_text(MESSAGES)
    return file


@contextmanager
def database_of(engine: RunningEngine) -> Iterator[psycopg.Connection[Any]]:
    with embedded_servers(engine.home, [Postgres()]) as addresses:
        assert addresses.database_url
        with psycopg.connect(addresses.database_url, autocommit=True) as connection:
            yield connection


def load(run: Run, file: Path, *arguments: str, **how: Any) -> Result:
    return run("load", str(file), "--traders", "3", *arguments, **how)


def test_a_file_goes_through_the_engine_and_everything_is_counted(
    run: Run, engine_home: RunningEngine, messages: Path
) -> None:
    assert engine_home.url
    result = load(run, messages, "--speed", "10")
    assert result.code == ExitCode.DONE, result.err
    done = json.loads(result.out)
    assert done["messages"] == {
        "total": 11,
        "new": 4,
        "delete": 3,
        "partial_cancel": 1,
        "execution": 1,
        "hidden_execution": 2,
    }
    assert done["passed_over"] == {"partial_cancel": 1, "unknown_order": 1}
    orders = done["orders"]
    assert (orders["placed"], orders["cancels"], orders["cancels_of_refused_orders"]) == (6, 1, 1)
    assert sum(orders["by_status"].values()) == 6
    assert orders["with_fills"] >= 2
    assert orders["unsettled"] == 0
    assert done["refusals"] == {"MAX_ORDER_QUANTITY_EXCEEDED": 1}
    assert done["prices"]["shift"] == "-395.62"
    assert set(done["accept_latency_ms"]) == set(done["fill_latency_ms"]) == {"p50", "p95", "p99", "max"}
    assert done["opening"]["shares"] == 50 + 40 + 20
    assert (done["read_tables"]["equal"], done["read_tables"]["difference"]) == (True, None)
    assert "Every price of the file was moved by -395.62 dollars" in result.err


def test_on_a_terminal_the_summary_is_a_table(run: Run, engine_home: RunningEngine, messages: Path) -> None:
    assert engine_home.url
    result = load(run, messages, "--no-rebase", terminal=True)
    assert result.code == ExitCode.DONE, result.err
    assert "accept latency ms" in result.out
    assert "moved by" not in result.err


def test_a_read_table_that_is_not_what_the_log_leads_to_is_named(
    run: Run, engine_home: RunningEngine, messages: Path
) -> None:
    with database_of(engine_home) as connection:
        connection.execute("INSERT INTO accounts VALUES ('mallory', 'USD', 1, 0, 0, 1)")
        result = load(run, messages)
        connection.execute("DELETE FROM accounts WHERE trader_id = 'mallory'")
    assert result.code == ExitCode.DIFFERENCE
    assert "accounts trader_id=mallory: the log leads to no row" in result.err
    assert json.loads(result.out)["read_tables"]["equal"] is False


def test_without_orders_there_is_nothing_to_compare(run: Run, engine_home: RunningEngine, tmp_path: Path) -> None:
    assert engine_home.url
    file = tmp_path / "only.csv"
    file.write_text("34200,2,102,10,5859100,-1\n")
    done = json.loads(load(run, file).out)
    assert done["read_tables"] == {"checked": False, "reason": "no order was placed"}
    assert done["accept_latency_ms"] is None


@pytest.mark.parametrize(
    ("database", "reason"),
    [
        (None, "the engine's database is not known here; DATABASE_URL says where it is"),
        ("another", "the database of these settings is not the engine's"),
        ("away", "the database cannot be read: "),
    ],
)
def test_a_database_that_is_not_the_engine_s_is_not_compared(  # noqa: PLR0917 - fixtures
    run: Run,
    engine: RunningEngine,
    messages: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    database: str | None,
    reason: str,
) -> None:
    monkeypatch.setenv("ORDERLOG_JWT_SECRET", (engine.home / "jwt-secret").read_text())
    urls = {"another": database_url, "away": "postgresql://nobody@127.0.0.1:1/nothing"}
    if database is not None:
        monkeypatch.setenv("DATABASE_URL", urls[database])
    result = load(run, messages, "--url", engine.url)
    checked = json.loads(result.out)["read_tables"]
    assert (result.code, checked["checked"]) == (ExitCode.DONE, False)
    assert checked["reason"].startswith(reason)


@pytest.mark.parametrize("speed", ["-1", "fast", "inf", "nan"])
def test_a_speed_that_is_none_is_misuse(run: Run, messages: Path, speed: str) -> None:
    assert load(run, messages, "--speed", speed).code == ExitCode.MISUSE


def test_a_file_without_messages_cannot_be_sent(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.touch()
    assert load(run, file).err == f"orderlog: {file} has no messages\n"


def test_a_symbol_that_is_not_traded_is_said(run: Run, engine_home: RunningEngine, messages: Path) -> None:
    assert engine_home.url
    result = load(run, messages, "--symbol", "ZZZZ")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert "The venue does not trade ZZZZ" in result.err


def test_a_symbol_without_a_price_is_said(run: Run, messages: Path) -> None:
    unpriced = {"symbol": "AAPL", "tradable": True, "reference_price": None}
    with stand_in(Scripted(200, {"instruments": [unpriced]})) as url:
        assert "has no price for AAPL" in load(run, messages, "--url", url).err


def test_what_goes_wrong_for_one_trader_is_one_sentence(run: Run, messages: Path) -> None:
    instruments = {"instruments": [{"symbol": "AAPL", "tradable": True, "reference_price": "190.00"}], "position": 0}
    refused = Scripted(403, {"code": "FORBIDDEN", "detail": "No"})
    answers = [Scripted(200, instruments)] * 7
    with stand_in(*answers, refused) as url:
        result = load(run, messages, "--url", url)
    assert (result.code, result.err.count("\n")) == (ExitCode.FAILED, 1)
    assert result.err.endswith("(FORBIDDEN)\n")


async def test_orders_that_do_not_settle_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "SETTLE_SECONDS", 0.01)
    tally = Tally()
    await tally.hear({"order_id": "o-1", "status": "ACCEPTED", "position": 1})
    sent = Sent(may_rest={"o-1": True, "o-2": True, "o-3": False})
    async with Session("http://127.0.0.1:1", {}, tally) as session:
        assert await replays._settled(session, tally, sent) == 2
