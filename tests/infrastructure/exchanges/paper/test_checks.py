from collections.abc import Callable
from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.account import OPENING_CASH
from infrastructure.exchanges.paper.refusals import (
    ClientOrderIdTaken,
    InsufficientBuyingPower,
    NotCancelable,
    NotReplaceable,
    OrderNotFound,
    PriceOffIncrement,
    QuantityNotTraded,
    Refusal,
)
from tests.infrastructure.exchanges.paper.floor import Floor


def filled(floor: Floor) -> None:
    floor.place("buy", "1", name="it")


def resting(floor: Floor) -> None:
    floor.place("buy", "10", limit="185", name="it")


def half_filled(floor: Floor) -> None:
    floor.place("buy", "2000", limit="190.01", name="it")


def working_for_the_day(floor: Floor) -> None:
    floor.place("buy", "10.5", limit="185", name="it")


def waiting(floor: Floor) -> None:
    floor.place("sell", "10", stop="185", name="it")


def replaced(floor: Floor) -> None:
    resting(floor)
    floor.replace("it", limit="186")


def nothing(_floor: Floor) -> None:
    """No order at all."""


@pytest.mark.parametrize(
    ("before", "action", "refusal", "message"),
    [
        (resting, lambda f: f.place("buy", "1", name="it"), ClientOrderIdTaken, "client_order_id must be unique"),
        (filled, lambda f: f.place("buy", "1", name="it"), ClientOrderIdTaken, "client_order_id must be unique"),
        (
            nothing,
            lambda f: f.place("buy", "1", limit="185.005"),
            PriceOffIncrement,
            "invalid limit_price 185.005. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        (nothing, lambda f: f.place("buy", "1", stop="195.001"), PriceOffIncrement, "stop_price 195.001"),
        (nothing, lambda f: f.place("buy", "1", limit="0.00001"), PriceOffIncrement, "limit_price 0.00001"),
        (working_for_the_day, lambda f: f.replace("it", tif="gtc"), QuantityNotTraded, "must be DAY orders"),
        (resting, lambda f: f.replace("it", quantity="10.5", tif="gtc"), QuantityNotTraded, "must be DAY orders"),
        (nothing, lambda f: f.move("190.001"), PriceOffIncrement, "invalid price 190.001"),
        (nothing, lambda f: f.place("buy", "999999999999"), InsufficientBuyingPower, "insufficient buying power"),
        (nothing, lambda f: f.place("buy", "99999999999", limit="11"), InsufficientBuyingPower, "insufficient"),
        (nothing, lambda f: f.place("buy", "9999999999", stop="195"), InsufficientBuyingPower, "insufficient"),
        (nothing, lambda f: f.cancel("it"), OrderNotFound, "order not found for 00000000"),
        (filled, lambda f: f.cancel("it"), NotCancelable, 'order is already in "filled" state'),
        (replaced, lambda f: f.cancel("it"), NotCancelable, 'order is already in "replaced" state'),
        (nothing, lambda f: f.replace("it", quantity="1"), OrderNotFound, "order not found"),
        (filled, lambda f: f.replace("it", quantity="2"), NotReplaceable, "cannot replace order in filled status"),
        (replaced, lambda f: f.replace("it", quantity="2"), NotReplaceable, "order already replaced"),
        (resting, lambda f: f.replace("it", limit="184", new_name="it"), ClientOrderIdTaken, "must be unique"),
        (resting, lambda f: f.replace("it", stop="195"), NotReplaceable, "limit orders require no stop price"),
        (waiting, lambda f: f.replace("it", limit="180"), NotReplaceable, "stop orders require no limit price"),
        (resting, lambda f: f.replace("it", limit="185.005"), PriceOffIncrement, "limit_price 185.005"),
        (waiting, lambda f: f.replace("it", stop="185.005"), PriceOffIncrement, "stop_price 185.005"),
        (resting, lambda f: f.replace("it"), NotReplaceable, "order parameters are not changed"),
        (
            resting,
            lambda f: f.replace("it", quantity="10.0", limit="185.00", tif="day"),
            NotReplaceable,
            "order parameters are not changed",
        ),
        (half_filled, lambda f: f.replace("it", quantity="1000"), NotReplaceable, "qty must be > filled_qty"),
        (resting, lambda f: f.replace("it", quantity="99999999999"), InsufficientBuyingPower, "insufficient"),
    ],
)
def test_a_command_that_cannot_be_met_is_refused_and_changes_nothing(
    before: Callable[[Floor], None],
    action: Callable[[Floor], object],
    refusal: type[Refusal],
    message: str,
) -> None:
    floor = Floor()
    before(floor)
    count, cash = len(floor.exchange.orders), floor.exchange.account.buying_power
    with pytest.raises(refusal, match=message.replace(".", r"\.")):
        action(floor)
    assert (len(floor.exchange.orders), floor.exchange.account.buying_power) == (count, cash)


def test_prices_under_a_dollar_may_have_four_decimals() -> None:
    assert Floor().place("buy", "1", limit="0.1234") == ["new o1"]


def test_prices_of_coins_may_have_nine_decimals() -> None:
    assert Floor().place("buy", "1", limit="64000.123456789", symbol="BTC/USD") == ["new o1"]


def test_open_buy_orders_hold_buying_power_back_until_they_are_over() -> None:
    floor = Floor()
    account = floor.exchange.account
    floor.place("buy", "10", limit="185")
    assert account.buying_power == OPENING_CASH - 1850
    floor.replace("o1", quantity="20")
    assert account.buying_power == OPENING_CASH - 3700
    floor.cancel("o2")
    assert account.buying_power == OPENING_CASH


def test_a_replacement_is_paid_from_what_its_predecessor_held() -> None:
    floor = Floor()
    floor.place("buy", "100000000000", limit="9")
    assert floor.replace("o1", limit="10") == ["replaced o1", "new o2"]


def test_selling_short_is_allowed() -> None:
    floor = Floor()
    assert floor.place("sell", "5")[-1] == "fill o1 5 @ 189.99"
    assert floor.exchange.account.quantity("AAPL") == Decimal(-5)


def test_replacing_the_end_of_a_sell_order_needs_no_buying_power() -> None:
    floor = Floor()
    floor.place("sell", "10", limit="195")
    assert floor.replace("o1", quantity="999999999999") == ["replaced o1", "new o2"]
