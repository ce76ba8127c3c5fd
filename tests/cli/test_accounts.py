import csv
import json

import pytest

from cli import accounts
from cli.exits import ExitCode
from tests.cli.conftest import Run
from tests.engine_process import RunningEngine

pytestmark = pytest.mark.usefixtures("engine_home")


def test_cash_comes_in_and_goes_out(run: Run) -> None:
    assert json.loads(run("accounts", "deposit", "carol", "1000.50").out)["cash"] == "1000.50"
    assert json.loads(run("accounts", "withdraw", "carol", "0.50").out)["cash"] == "1000.00"


def test_an_account_is_shown(run: Run) -> None:
    result = run("accounts", "show", "nobody-yet")
    account = json.loads(result.out)
    assert (result.code, account["trader_id"], account["cash"]) == (ExitCode.DONE, "nobody-yet", "0.00")


def test_an_account_is_shown_as_it_was(run: Run) -> None:
    before = json.loads(run("accounts", "deposit", "heidi", "12.50").out)
    run("accounts", "deposit", "heidi", "1000")
    then = json.loads(run("accounts", "show", "heidi", "--position", str(before["position"])).out)
    assert then == before
    assert json.loads(run("accounts", "show", "heidi", "--as-of", "1999-01-01T00:00:00Z").out)["cash"] == "0.00"
    assert "as_of" in run("accounts", "show", "heidi", "--as-of", "yesterday").err


def test_on_a_terminal_an_account_is_a_table(run: Run) -> None:
    result = run("accounts", "deposit", "dave", "12.00", terminal=True)
    assert "12.00" in result.out
    assert "unrealised_pnl" in result.out
    assert "{" not in result.out


def test_more_than_is_there_cannot_be_taken_out(run: Run) -> None:
    result = run("accounts", "withdraw", "erin", "1")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert "(INSUFFICIENT_FUNDS)" in result.err


def test_a_trader_s_token_moves_no_cash_and_shows_no_other_account(run: Run, engine_home: RunningEngine) -> None:
    token = engine_home.token("frank")
    assert "(FORBIDDEN)" in run("accounts", "deposit", "frank", "1", "--token", token).err
    assert json.loads(run("accounts", "show", "frank", "--token", token).out)["trader_id"] == "frank"
    assert "The token is frank's" in run("accounts", "show", "grace", "--token", token).err


def test_limits_are_shown_set_and_given_back(run: Run) -> None:
    assert "max_position" in json.loads(run("accounts", "limits", "heidi").out)["defaults"]
    found = json.loads(
        run(
            *("accounts", "limits", "heidi", "--max-position", "10", "--restricted-symbols", "TSLA,AAPL"),
            *("--price-collar-percent", "2.5", "--reason", "new here"),
        ).out
    )
    assert (found["max_position"], found["price_collar_percent"]) == ("10", "2.5")
    assert found["restricted_symbols"] == ["AAPL", "TSLA"]
    shown = run("accounts", "limits", "heidi", terminal=True).out
    assert [word in shown for word in ("max_position", "set for heidi", "default", "AAPL")] == [True] * 4
    found = json.loads(run("accounts", "limits", "heidi", "--max-position", "default", "--restricted-symbols", "").out)
    assert (found["max_position"], found["restricted_symbols"]) == ("100000000", [])
    assert "max_position" in found["defaults"]


def test_a_limit_that_is_none_is_named_and_a_reason_needs_a_limit(run: Run) -> None:
    wrong = run("accounts", "limits", "heidi", "--max-open-orders", "many")
    assert "max_open_orders must be a whole number from 0 to 1,000,000,000" in wrong.err
    alone = run("accounts", "limits", "heidi", "--reason", "none")
    assert (alone.code, "name one" in alone.err) == (ExitCode.MISUSE, True)


def test_a_statement_is_every_movement_of_cash(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_PAGE", 2)
    for amount in ("1000.50", "20", "3"):
        run("accounts", "deposit", "ivan", amount)
    run("accounts", "withdraw", "ivan", "0.50")
    result = run("accounts", "statement", "ivan")
    movements = [json.loads(line) for line in result.out.splitlines()]
    assert [each["amount"] for each in movements] == ["1000.50", "20.00", "3.00", "-0.50"]
    assert "Opening balance: 0.00 USD" in result.err
    assert "Closing balance: 1023.00 USD" in result.err

    second = movements[1]["timestamp"]
    result = run("accounts", "statement", "ivan", "--from", second, "--csv")
    names, *lines = list(csv.reader(result.out.splitlines()))
    assert names == ["timestamp", "amount", "balance", "type", "position", "order_id", "fill_id", "description"]
    assert [line[1:4] for line in lines] == [
        ["3.00", "1023.50", "FundsDeposited"],
        ["-0.50", "1023.00", "FundsWithdrawn"],
    ]
    assert "Opening balance: 1020.50 USD" in result.err
    result = run("accounts", "statement", "ivan", "--to", second, terminal=True)
    assert "Deposit" in result.out
    assert "3.00" not in result.out
    assert "{" not in result.out


def test_a_statement_of_a_wrong_span_or_of_somebody_else_is_refused(run: Run, engine_home: RunningEngine) -> None:
    result = run("accounts", "statement", "judy", "--from", "2026-11-02T00:00:00Z", "--to", "2026-11-01T00:00:00Z")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert "to must not be before from (INVALID_REQUEST)" in result.err
    token = engine_home.token("mallory")
    assert "(NOT_FOUND)" in run("accounts", "statement", "judy", "--token", token).err
