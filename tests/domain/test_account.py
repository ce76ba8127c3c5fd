from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain import account as accounts
from domain import order as orders
from domain.account import Account, Holding
from domain.commands import Deposit, Withdraw
from domain.events import (
    AccountEvent,
    FundsDeposited,
    FundsReleased,
    FundsReserved,
    FundsWithdrawn,
    OrderEvent,
    ReservationChanged,
    SharesReleased,
    SharesReserved,
    TradeBooked,
    TradeCorrected,
)
from domain.lifecycle import Flag, Status
from domain.order import Order
from domain.refusals import InsufficientFundsToWithdraw
from domain.values import Currency, FillId, OrderId, OrderType, Price, Side
from tests.domain.conftest import after
from tests.domain.orders import (
    ACME,
    CANCEL_ASKED,
    CANCELLED,
    ORDER_ID,
    accepted,
    busted,
    cancel_refused,
    corrected,
    dollars,
    filled,
    placed,
    price_of,
    replace_refused,
    replaced,
    sent,
    units,
    wished,
)

WORKING = (placed(), sent(), accepted())
PART = filled(40, 40, Status.PARTIALLY_FILLED)


def follow(before: Order | None, event: OrderEvent) -> list[AccountEvent]:
    return accounts.follow(before, event, orders.evolve(before, event))


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


DEPOSITED = FundsDeposited(amount=dollars(5000), currency=Currency.USD)
# Nobody has just asked for it, so that limits over time do not count it.
UNASKED: Any = {"asked_at": None, "notional": None, "terms": None}
RESERVED = FundsReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(100), amount=dollars(1000), **UNASKED)


def test_cash_comes_and_goes() -> None:
    assert accounts.decide(account(), Deposit(dollars(5000))) == [DEPOSITED]
    withdrawn = FundsWithdrawn(amount=dollars(4000), currency=Currency.USD)
    assert accounts.decide(account(DEPOSITED, RESERVED), Withdraw(dollars(4000))) == [withdrawn]
    assert account(DEPOSITED, withdrawn).cash == 1000


def test_held_cash_cannot_be_withdrawn() -> None:
    with pytest.raises(InsufficientFundsToWithdraw) as caught:
        accounts.decide(account(DEPOSITED, RESERVED), Withdraw(dollars("4000.01")))
    assert caught.value.message == "Insufficient funds to withdraw $4,000.01; available: $4,000.00"


def changed(quantity: int, amount: int, side: Side = Side.BUY) -> ReservationChanged:
    return ReservationChanged(
        order_id=ORDER_ID,
        symbol=ACME,
        side=side,
        quantity=units(quantity),
        amount=dollars(amount),
        asked_at=None,
        notional=None,
    )


def trade_corrected(now: tuple[int, int], before: tuple[int, int]) -> TradeCorrected:
    return TradeCorrected(
        order_id=ORDER_ID,
        fill_id=FillId("f-1"),
        symbol=ACME,
        side=Side.BUY,
        quantity=units(now[0]),
        price=price_of(now[1]),
        commission=dollars(0),
        previous_quantity=units(before[0]),
        previous_price=price_of(before[1]),
        previous_commission=dollars(0),
    )


def test_a_placed_buy_holds_cash_and_a_placed_sell_holds_units() -> None:
    assert follow(None, placed()) == [RESERVED]
    selling = placed(side=Side.SELL, reserve_price=None)
    assert follow(None, selling) == [SharesReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(100), **UNASKED)]
    held = account(DEPOSITED, RESERVED)
    assert (held.cash, held.reserved, held.available, held.open_orders) == (5000, 1000, 4000, 1)
    assert held.holding(ACME).working_buys == 100


def test_a_leg_counts_as_an_order_and_holds_nothing_of_its_own() -> None:
    leg = placed(
        side=Side.SELL,
        order_type=OrderType.STOP,
        price=None,
        stop_price=price_of(8),
        reserve_price=None,
        oco_order_id=OrderId("other"),
    )
    nothing = SharesReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(0), **UNASKED)
    assert follow(None, leg) == [nothing]
    assert account(nothing).open_orders == 1
    assert follow(after(leg), CANCELLED) == [SharesReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(0))]


def test_a_fill_moves_money_and_uses_the_reservation_up() -> None:
    assert follow(after(*WORKING), PART) == [booked(Side.BUY, 40, released=40)]
    later = account(DEPOSITED, RESERVED, booked(Side.BUY, 40, released=40, commission="0.5"))
    assert (later.cash, later.reserved, later.open_orders) == (Decimal("4599.5"), 600, 1)
    assert later.holding(ACME).quantity == 40
    assert later.holding(ACME).working_buys == 60


def test_an_overfill_releases_no_more_than_was_held() -> None:
    (event,) = follow(after(*WORKING), filled(130, 130, Status.FILLED, flags=(Flag.OVERFILLED,)))
    assert event == booked(Side.BUY, 130, released=100, closed=True)
    later = account(DEPOSITED, RESERVED, event)
    assert (later.cash, later.reserved, later.open_orders) == (3700, 0, 0)


def test_a_late_fill_releases_nothing_and_closes_nothing() -> None:
    late = filled(40, 40, Status.CANCELLED, leaves=0)
    assert follow(after(*WORKING, CANCELLED), late) == [booked(Side.BUY, 40, released=0)]


def test_the_end_of_a_buy_releases_what_is_left() -> None:
    released = FundsReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(60), amount=dollars(600))
    assert follow(after(*WORKING, PART), CANCELLED) == [released]
    later = account(DEPOSITED, RESERVED, booked(Side.BUY, 40, released=40), released)
    assert (later.cash, later.reserved, later.available, later.open_orders) == (4600, 0, 4600, 0)
    assert later.holding(ACME).working_buys == 0


def test_the_end_of_a_sell_releases_its_units() -> None:
    bought = booked(Side.BUY, 100, released=0)
    reserved = SharesReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(100), **UNASKED)
    sold = booked(Side.SELL, 40, released=40)
    selling = after(placed(side=Side.SELL, reserve_price=None), PART)
    released = SharesReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(60))
    assert follow(selling, CANCELLED) == [released]
    assert account(DEPOSITED, bought, reserved).holding(ACME).available == 0
    later = account(DEPOSITED, bought, reserved, sold, released)
    assert (later.cash, later.open_orders, later.holding(ACME).available) == (4400, 0, 60)


def test_other_order_events_leave_the_account_alone() -> None:
    assert follow(after(placed(), sent()), accepted()) == []
    assert follow(after(*WORKING), CANCEL_ASKED) == []


# ── Replacements ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_while_a_replacement_is_pending_the_larger_hold_counts() -> None:
    assert follow(after(*WORKING), wished(1, 150)) == [changed(50, 500)]
    assert follow(after(*WORKING), wished(1, 50)) == []
    assert follow(after(*WORKING), wished(1, 100, 12)) == [changed(0, 200)]
    held = account(DEPOSITED, RESERVED, changed(50, 500))
    assert (held.reserved, held.holding(ACME).working_buys, held.open_orders) == (1500, 150, 1)


def test_what_the_venue_made_of_it_frees_the_rest() -> None:
    assert follow(after(*WORKING, wished(1, 150)), replace_refused(1, Status.ACCEPTED)) == [changed(-50, -500)]
    assert follow(after(*WORKING, wished(1, 50)), replaced(1, Status.ACCEPTED, quantity=50)) == [changed(-50, -500)]
    assert follow(after(*WORKING, wished(1, 150)), replaced(1, Status.ACCEPTED, quantity=150)) == []


def test_a_sell_that_becomes_larger_holds_more_units() -> None:
    selling = after(placed(side=Side.SELL, reserve_price=None), sent(), accepted())
    larger = replace(wished(1, 150), reserve_price=None)
    assert follow(selling, larger) == [changed(50, 0, Side.SELL)]
    reserved = SharesReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(100), **UNASKED)
    held = account(reserved, changed(50, 0, Side.SELL))
    assert (held.holding(ACME).working_sells, held.reserved) == (150, 0)


def test_a_full_fill_with_a_larger_wish_pending_frees_all_of_it() -> None:
    crossing = filled(100, 100, Status.PENDING_REPLACE)
    assert follow(after(*WORKING, wished(1, 150)), crossing) == [booked(Side.BUY, 100, released=100)]
    left = FundsReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(50), amount=dollars(500))
    pending = after(*WORKING, wished(1, 150), crossing)
    assert follow(pending, replace_refused(1, Status.FILLED)) == [left]
    asked = after(*WORKING, CANCEL_ASKED, filled(100, 100, Status.PENDING_CANCEL))
    nothing = FundsReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(0), amount=dollars(0))
    assert follow(asked, cancel_refused(Status.FILLED)) == [nothing]


def test_a_filled_order_that_works_again_holds_again() -> None:
    full = after(*WORKING, filled(100, 100, Status.FILLED))
    again = FundsReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(50), amount=dollars(500), **UNASKED)
    assert follow(full, replaced(1, Status.PARTIALLY_FILLED, quantity=150, leaves=50)) == [again]
    selling = after(placed(side=Side.SELL, reserve_price=None), sent(), filled(100, 100, Status.FILLED))
    larger = replace(replaced(1, Status.PARTIALLY_FILLED, quantity=150, leaves=50), reserve_price=None)
    assert follow(selling, larger) == [SharesReserved(order_id=ORDER_ID, symbol=ACME, quantity=units(50), **UNASKED)]


# ── Busts and corrections ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bust_gives_the_money_back_and_holds_it_again() -> None:
    undone = trade_corrected((0, 0), (40, 10))
    assert follow(after(*WORKING, PART), busted(40, 0, Status.ACCEPTED)) == [undone, changed(40, 400)]
    over = after(*WORKING, PART, CANCELLED)
    assert follow(over, busted(40, 0, Status.CANCELLED, leaves=0)) == [undone]
    later = account(DEPOSITED, RESERVED, booked(Side.BUY, 40, released=40), undone, changed(40, 400))
    assert (later.cash, later.reserved, later.holding(ACME)) == (5000, 1000, Holding(working_buys=units(100)))


def test_a_bust_of_a_fill_that_never_came_moves_nothing() -> None:
    assert follow(after(*WORKING), busted(0, 0, Status.ACCEPTED)) == []


def test_a_bust_of_a_filled_order_reserves_anew() -> None:
    full = after(*WORKING, filled(100, 100, Status.FILLED))
    assert follow(full, busted(100, 0, Status.ACCEPTED)) == [trade_corrected((0, 0), (100, 10)), RESERVED]


def test_a_correction_books_the_difference() -> None:
    event = corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED)
    right = trade_corrected((30, 9), (40, 10))
    assert follow(after(*WORKING, PART), event) == [right, changed(10, 100)]
    later = account(DEPOSITED, RESERVED, booked(Side.BUY, 40, released=40, commission="0.5"), right)
    assert later.cash == Decimal("4729.5")
    assert later.holding(ACME).quantity == 30


def test_a_correction_before_its_fill_is_a_trade() -> None:
    event = corrected((0, 0), (30, 9), 30, Status.PARTIALLY_FILLED)
    right = trade_corrected((30, 9), (0, 0))
    assert follow(after(*WORKING), event) == [right, changed(-30, -300)]
    later = account(DEPOSITED, RESERVED, right, changed(-30, -300))
    assert (later.cash, later.reserved, later.holding(ACME).quantity) == (4730, 700, 30)


def test_a_correction_of_a_sale_moves_the_money_the_other_way() -> None:
    sold = replace(trade_corrected((30, 9), (40, 10)), side=Side.SELL, commission=dollars(2))
    later = account(DEPOSITED, booked(Side.SELL, 40, released=0), sold)
    assert (later.cash, later.holding(ACME).quantity) == (5268, -30)


def test_a_correction_that_fills_the_order_releases_what_was_held() -> None:
    event = corrected((40, 10), (100, 10), 100, Status.FILLED)
    released = FundsReleased(order_id=ORDER_ID, symbol=ACME, quantity=units(60), amount=dollars(600))
    assert follow(after(*WORKING, PART), event) == [trade_corrected((100, 10), (40, 10)), released]
