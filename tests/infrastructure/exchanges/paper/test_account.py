from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.account import OPENING_CASH, Account
from tests.infrastructure.exchanges.paper.floor import Floor


@pytest.mark.parametrize(
    ("trades", "quantity", "cost"),
    [
        ([("10", "100")], "10", "1000"),
        ([("10", "100"), ("10", "110")], "20", "2100"),
        ([("10", "100"), ("-4", "150")], "6", "600"),
        ([("10", "100"), ("-14", "150")], "-4", "-600"),
        ([("-10", "100")], "-10", "-1000"),
        ([("-10", "100"), ("-10", "110")], "-20", "-2100"),
        ([("-10", "100"), ("4", "50")], "-6", "-600"),
        ([("-10", "100"), ("14", "50")], "4", "200"),
    ],
)
def test_positions_follow_the_trades(trades: list[tuple[str, str]], quantity: str, cost: str) -> None:
    account = Account()
    for traded, price in trades:
        account.trade("AAPL", Decimal(traded), Decimal(price), Decimal(0))
    position = account.positions["AAPL"]
    assert (position.quantity, position.cost) == (Decimal(quantity), Decimal(cost))
    assert position.average_price == Decimal(cost) / Decimal(quantity)


def test_a_position_that_is_closed_is_gone_and_its_gain_is_in_the_cash() -> None:
    account = Account()
    account.trade("AAPL", Decimal(10), Decimal(100), Decimal(1))
    account.trade("AAPL", Decimal(-10), Decimal(120), Decimal(1))
    assert account.positions == {}
    assert account.quantity("AAPL") == Decimal(0)
    assert account.cash == OPENING_CASH + 198


def test_open_sell_orders_hold_a_part_of_the_position() -> None:
    floor = Floor()
    floor.place("buy", "10")
    floor.place("sell", "4", limit="195")
    account = floor.exchange.account
    assert account.available("AAPL") == Decimal(6)
    floor.place("sell", "40", limit="195")
    assert account.available("AAPL") == Decimal(0)
    floor.cancel("o2")
    floor.cancel("o3")
    assert account.available("AAPL") == Decimal(10)
    assert account.available("MSFT") == Decimal(0)


def test_all_of_a_short_position_is_available() -> None:
    floor = Floor()
    floor.place("sell", "10")
    assert floor.exchange.account.available("AAPL") == Decimal(-10)


def test_a_correction_books_every_trade_anew() -> None:
    account = Account()
    account.trade("AAPL", Decimal(10), Decimal(100), Decimal(0))
    account.trade("AAPL", Decimal(10), Decimal(120), Decimal(0))
    account.correct("AAPL", Decimal(100), [(Decimal(10), Decimal(100)), (Decimal(10), Decimal(110))])
    assert (account.positions["AAPL"].cost, account.cash) == (Decimal(2100), OPENING_CASH - 2100)
    account.correct("AAPL", Decimal(2100), [])
    assert (account.positions, account.cash) == ({}, OPENING_CASH)
