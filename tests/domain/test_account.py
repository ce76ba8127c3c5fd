from decimal import Decimal

import pytest

from domain import account as accounts
from domain.account import Account
from domain.commands import Deposit, Withdraw
from domain.events import (
    AccountEvent,
    FundsDeposited,
    FundsReleased,
    FundsReserved,
    FundsWithdrawn,
    OrderCancelled,
    SharesReleased,
    SharesReserved,
    TradeBooked,
)
from domain.lifecycle import Status
from domain.refusals import InsufficientFundsToWithdraw
from domain.values import FillId, Money, Price, Quantity, Side
from tests.domain.conftest import given
from tests.domain.orders import ACME, ORDER_ID, accepted, filled, placed, sent

CANCELLED = OrderCancelled(reason="done", status=Status.CANCELLED)


def dollars(amount: int | str) -> Money:
    return Money(Decimal(amount))


def units(quantity: int) -> Quantity:
    return Quantity(Decimal(quantity))


def account(*events: AccountEvent) -> Account:
    state = Account()
    for event in events:
        state = accounts.evolve(state, event)
    return state


def booked(side: Side, quantity: int, *, released: int, closed: bool = False, commission: str = "0") -> TradeBooked:
    return TradeBooked(
        order_id=ORDER_ID,
        fill_id=FillId("f-1"),
        symbol=ACME,
        side=side,
        quantity=units(quantity),
        price=Price(Decimal(10)),
        commission=dollars(commission),
        released_quantity=units(released),
        released_cash=dollars(released * 10 if side is Side.BUY else 0),
        closed=closed,
    )


DEPOSITED = FundsDeposited(amount=dollars(5000))
RESERVED = FundsReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(100), amount=dollars(1000))


def test_cash_comes_and_goes() -> None:
    assert accounts.decide(account(), Deposit(dollars(5000))) == [DEPOSITED]
    withdrawn = FundsWithdrawn(amount=dollars(4000))
    assert accounts.decide(account(DEPOSITED, RESERVED), Withdraw(dollars(4000))) == [withdrawn]
    assert account(DEPOSITED, withdrawn).cash == 1000


def test_held_cash_cannot_be_withdrawn() -> None:
    with pytest.raises(InsufficientFundsToWithdraw) as caught:
        accounts.decide(account(DEPOSITED, RESERVED), Withdraw(dollars("4000.01")))
    assert caught.value.message == "Insufficient funds to withdraw $4,000.01; available: $4,000.00"


def test_a_placed_buy_holds_cash_and_a_placed_sell_holds_units() -> None:
    assert accounts.follow(None, placed()) == [RESERVED]
    selling = placed(side=Side.SELL, reserve_price=None)
    assert accounts.follow(None, selling) == [SharesReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(100))]
    held = account(DEPOSITED, RESERVED)
    assert (held.cash, held.reserved, held.available, held.open_orders) == (5000, 1000, 4000, 1)
    assert held.holding(ACME).working_buys == 100


def test_a_fill_moves_money_and_uses_the_reservation_up() -> None:
    working = given(placed(), sent(), accepted()).order
    fill = filled(40, 40, Status.PARTIALLY_FILLED)
    assert accounts.follow(working, fill) == [booked(Side.BUY, 40, released=40)]
    after = account(DEPOSITED, RESERVED, booked(Side.BUY, 40, released=40, commission="0.5"))
    assert (after.cash, after.reserved, after.open_orders) == (Decimal("4599.5"), 600, 1)
    assert after.holding(ACME).position.quantity == 40
    assert after.holding(ACME).working_buys == 60


def test_an_overfill_releases_no_more_than_was_held() -> None:
    working = given(placed(), sent(), accepted()).order
    (event,) = accounts.follow(working, filled(130, 130, Status.FILLED))
    assert event == booked(Side.BUY, 130, released=100, closed=True)
    after = account(DEPOSITED, RESERVED, event)
    assert (after.cash, after.reserved, after.open_orders) == (3700, 0, 0)


def test_a_late_fill_releases_nothing_and_closes_nothing() -> None:
    over = given(placed(), sent(), accepted(), CANCELLED).order
    assert accounts.follow(over, filled(40, 40, Status.CANCELLED)) == [booked(Side.BUY, 40, released=0)]


def test_the_end_of_a_buy_releases_what_is_left() -> None:
    part = given(placed(), sent(), accepted(), filled(40, 40, Status.PARTIALLY_FILLED)).order
    released = FundsReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(60), amount=dollars(600))
    assert accounts.follow(part, CANCELLED) == [released]
    after = account(DEPOSITED, RESERVED, booked(Side.BUY, 40, released=40), released)
    assert (after.cash, after.reserved, after.available, after.open_orders) == (4600, 0, 4600, 0)
    assert after.holding(ACME).working_buys == 0


def test_the_end_of_a_sell_releases_its_units() -> None:
    bought = booked(Side.BUY, 100, released=0)
    reserved = SharesReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(100))
    sold = booked(Side.SELL, 40, released=40)
    selling = given(placed(side=Side.SELL, reserve_price=None), filled(40, 40, Status.PARTIALLY_FILLED)).order
    released = SharesReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(60))
    assert accounts.follow(selling, CANCELLED) == [released]
    assert account(DEPOSITED, bought, reserved).holding(ACME).available == 0
    after = account(DEPOSITED, bought, reserved, sold, released)
    assert (after.cash, after.open_orders, after.holding(ACME).available) == (4400, 0, 60)


def test_other_order_events_leave_the_account_alone() -> None:
    working = given(placed(), sent()).order
    assert accounts.follow(working, accepted()) == []
    assert accounts.follow(None, accepted()) == []
