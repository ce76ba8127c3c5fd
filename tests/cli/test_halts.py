import json
from collections.abc import Iterator

import pytest

from cli.exits import ExitCode
from tests.cli.conftest import Run
from tests.engine_process import RunningEngine, wait_for_order

pytestmark = pytest.mark.usefixtures("engine_home")

RESTING = ("--symbol", "AAPL", "--quantity", "1", "--order-type", "LIMIT", "--price", "50")


@pytest.fixture(autouse=True)
def _nothing_is_halted(run: Run) -> Iterator[None]:
    """The engine is everybody's: whatever is halted here goes on afterwards."""
    yield
    for line in run("halts").out.splitlines():
        run("resume", json.loads(line)["scope"])


def test_a_halt_refuses_orders_and_cancels_what_works_until_trading_is_resumed(
    run: Run, engine_home: RunningEngine
) -> None:
    engine_home.fund("hugo")
    working = json.loads(run("orders", "place", *RESTING, "--trader", "hugo").out)
    halted = json.loads(run("halt", "trader:hugo", "--reason", "a drill", "--cancel-open").out)
    assert (halted["scope"], halted["reason"], halted["halted_by"]) == ("trader:hugo", "a drill", "ops:ops")
    with engine_home.client("hugo") as hugo:
        wait_for_order(hugo, working["id"], "CANCELLED")
    refused = run("orders", "place", *RESTING, "--trader", "hugo")
    assert (refused.code, refused.err) == (
        ExitCode.FAILED,
        "orderlog: Your trading is halted; open orders can still be cancelled (TRADING_HALTED)\n",
    )
    resumed = run("resume", "trader:hugo", "--reason", "over")
    assert (resumed.out, resumed.err) == ("", "trader:hugo is no longer halted\n")
    assert run("orders", "place", *RESTING, "--trader", "hugo").code == ExitCode.DONE


def test_what_is_halted_is_listed(run: Run) -> None:
    assert run("halts", terminal=True).err == "Nothing is halted\n"
    run("halt", "symbol:BTC/USD", "--reason", "news pending")
    run("halt", "trader:mallory", "--reason", "spoofing?", "--cancel-open")
    shown = run("halts", terminal=True).out
    assert [word in shown for word in ("symbol:BTC/USD", "news pending", "work on", "ops:ops", "spoofing?")] == [
        True
    ] * 5
    assert "cancels are requested" in shown or "are being cancelled" in shown
    listed = [json.loads(line) for line in run("halts").out.splitlines()]
    assert [each["scope"] for each in listed] == ["symbol:BTC/USD", "trader:mallory"]
    assert json.loads(run("resume", "symbol:BTC/USD").out)["scope"] == "trader:mallory"


def test_on_a_terminal_a_halt_is_a_table(run: Run) -> None:
    shown = run("halt", "trader:nobody", "--reason", "a drill", terminal=True).out
    assert "a drill" in shown
    assert "{" not in shown


def test_what_cannot_be_halted_or_resumed_is_a_sentence(run: Run) -> None:
    assert "scope must be all, trader:TRADER or symbol:SYMBOL" in run("halt", "everything", "--reason", "x").err
    assert "symbol:AAPL is not halted (NOT_FOUND)" in run("resume", "symbol:AAPL").err
    assert run("halt", "all").code == ExitCode.MISUSE


def test_a_halt_needs_an_operator(run: Run, engine_home: RunningEngine) -> None:
    assert "(FORBIDDEN)" in run("halt", "all", "--reason", "x", "--token", engine_home.token("frank")).err
