import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from cli.exits import ExitCode
from tests.cli.conftest import Result, Run
from tests.engine_process import RunningEngine, wait_for_order

BUY = ("--symbol", "AAPL", "--quantity", "10", "--order-type", "LIMIT", "--price", "1.00")
NUMBERS = itertools.count(1)
Orders = Callable[..., Any]


@pytest.fixture
def funded(run: Run, engine_home: RunningEngine) -> str:
    """A trader of the test's own, with a million dollars."""
    trader = f"t-{next(NUMBERS)}"
    assert run("accounts", "deposit", trader, "1000000", "--url", engine_home.url).code == ExitCode.DONE
    return trader


@pytest.fixture
def orders(run: Run, funded: str) -> Callable[..., Result]:
    """Call ``orderlog orders`` as the trader."""
    return lambda *arguments, **how: run("orders", *arguments, "--trader", funded, **how)


def test_an_order_is_placed_shown_and_cancelled(orders: Orders, engine_home: RunningEngine, funded: str) -> None:
    placed = orders("place", *BUY, "--client-order-id", "mine-1")
    assert (placed.code, placed.err) == (ExitCode.DONE, "")
    order = json.loads(placed.out)
    assert (order["trader_id"], order["side"], order["price"], order["client_order_id"]) == (
        funded,
        "BUY",
        "1.00",
        "mine-1",
    )
    with engine_home.client(funded) as client:
        wait_for_order(client, order["id"], "ACCEPTED")
        assert json.loads(orders("show", order["id"]).out)["status"] == "ACCEPTED"
        assert json.loads(orders("show", order["id"], "--version", "1").out)["status"] == "PENDING"
        assert json.loads(orders("show", order["id"], "--as-of", order["created_at"]).out)["version"] == 1
        assert json.loads(orders("show", order["id"], "--position", str(order["position"])).out)["version"] == 1
        (listed,) = orders("list", "--as-of", order["created_at"]).out.splitlines()
        assert json.loads(listed) == order
        assert orders("list", "--position", str(order["position"] - 1)).out == ""
        assert orders("cancel", order["id"]).code == ExitCode.DONE
        wait_for_order(client, order["id"], "CANCELLED")


def test_an_order_goes_on_with_other_terms(orders: Orders, engine_home: RunningEngine, funded: str) -> None:
    order_id = json.loads(orders("place", *BUY).out)["id"]
    with engine_home.client(funded) as client:
        wait_for_order(client, order_id, "ACCEPTED")
        replaced = orders("replace", order_id, "--quantity", "12", "--price", "1.01")
        assert (replaced.code, replaced.err) == (ExitCode.DONE, "")
        assert json.loads(replaced.out)["id"] == order_id
        order = wait_for_order(client, order_id, "ACCEPTED")
        assert (order["quantity"], order["price"], order["stop_price"]) == ("12", "1.01", None)


def test_a_stop_price_can_be_replaced_and_exits_be_asked_for(orders: Orders) -> None:
    stop = ("--symbol", "AAPL", "--quantity", "1", "--order-type", "STOP", "--stop-price", "10000")
    placed = json.loads(orders("place", *stop, "--stop-loss", "9000.5", "--take-profit", "11000").out)
    assert (placed["stop_loss"], placed["take_profit"]) == ("9000.50", "11000.00")
    assert json.loads(orders("replace", placed["id"], "--stop-price", "10001").out)["id"] == placed["id"]


def test_orders_are_listed_one_on_each_line_however_many(
    orders: Orders, monkeypatch: pytest.MonkeyPatch, engine_home: RunningEngine, funded: str
) -> None:
    placed = [json.loads(orders("place", *BUY).out) for _ in range(3)]
    with engine_home.client(funded) as client:
        for order in placed:
            wait_for_order(client, order["id"], "ACCEPTED")
        client.get("/api/v1/orders", params={"min_position": str(max(order["position"] for order in placed))})
    monkeypatch.setattr("cli.orders._PAGE_MAX", 2)
    newest_first = [order["id"] for order in reversed(placed)]
    assert [json.loads(line)["id"] for line in orders("list").out.splitlines()] == newest_first
    assert [json.loads(line)["id"] for line in orders("list", "--limit", "1").out.splitlines()] == newest_first[:1]
    assert orders("list", "--symbol", "MSFT").out == ""
    assert orders("list", "--status", "FILLED").out == ""


def test_on_a_terminal_orders_are_tables(orders: Orders) -> None:
    shown = orders("place", *BUY, terminal=True)
    assert "AAPL" in shown.out
    assert "{" not in shown.out
    assert "LIMIT" in orders("list", terminal=True).out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("place", *BUY[:-1], "0"), "INVALID_PRICE"),
        (("place", *BUY, "--side", "SELL"), "INSUFFICIENT_POSITION"),
        (("show", "seven"), "NOT_FOUND"),
        (("cancel", "../../livez"), "NOT_FOUND"),
        (("replace", "seven", "--price", "2"), "NOT_FOUND"),
        (("replace", "seven"), "INVALID_REQUEST"),
        (("place", *BUY, "--stop-loss", "1.00"), "INVALID_PRICE"),
        (("list", "--status", "EATEN"), "INVALID_REQUEST"),
    ],
)
def test_a_refusal_is_a_sentence_with_its_code(orders: Orders, arguments: tuple[str, ...], sentence: str) -> None:
    result = orders(*arguments)
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert result.err.endswith(f"({sentence})\n")


def test_without_a_trader_the_token_says_who_asks(
    run: Run, engine_home: RunningEngine, monkeypatch: pytest.MonkeyPatch, funded: str
) -> None:
    monkeypatch.setenv("ORDERLOG_TOKEN", engine_home.token(funded))
    assert json.loads(run("orders", "place", *BUY).out)["trader_id"] == funded


def test_without_anybody_it_is_misuse(run: Run) -> None:
    assert run("orders", "list").code == ExitCode.MISUSE
