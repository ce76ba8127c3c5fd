"""The pre-trade controls: at each limit, what is just within it and what is just not."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import account as accounts
from domain import desk
from domain.account import Account, Holding
from domain.commands import ChangeLimits, PlaceOrder, RecordSent, ReplaceOrder
from domain.events import AccountEvent, FundsReserved, OrderCancelled, OrderCancelRequested, ReservationChanged
from domain.halts import NOTHING_HALTED, Halts, evolve
from domain.limits import DEFAULTS, Limits
from domain.order import Order
from domain.refusals import Refusal, TradingIsHalted
from domain.validation import OrderValidator
from domain.values import OrderId, OrderType, Side, Symbol, exactly
from tests.domain.conftest import after
from tests.domain.orders import ACME, NOON, accepted, dollars, place, placed, price_of, sent, units, wish, wished
from tests.domain.test_halts import halted

SECOND = timedelta(seconds=1)
RICH = dollars(10**12)


def ask(**changes: Any) -> PlaceOrder:
    """What a trader asks for at noon, when the reference price is a minute old."""
    return place(**{"asked_at": NOON, "reference_price_at": NOON - timedelta(minutes=1)} | changes)


def other_terms(at: datetime = NOON, **changes: Any) -> ReplaceOrder:
    """What a trader asks for at noon, when the reference price of 10 is a minute old."""
    asked = {"asked_at": at, "reference_price": price_of(10), "reference_price_at": at - timedelta(minutes=1)}
    return replace(wish(**changes), **asked)


class Trader:
    """A trader whose account is folded from what is decided."""

    def __init__(self, limits: Limits = DEFAULTS, **own: Any) -> None:
        self.validator = OrderValidator(limits)
        holding = Holding(quantity=units(1000))
        self.account = Account(cash=RICH, holdings={ACME: holding})
        self.count = 0
        self.record(accounts.decide(self.account, ChangeLimits(own, "a test")))

    def record(self, events: list[AccountEvent]) -> None:
        for event in events:
            self.account = accounts.evolve(self.account, event)

    def ask(self, **changes: Any) -> str | None:
        """Place an order; returns the code of the refusal, None if there was none."""
        self.count += 1
        order_id = OrderId(f"order {self.count}")
        return self.decide(None, replace(ask(**changes), order_id=order_id))

    def decide(self, order: Order | None, command: PlaceOrder | ReplaceOrder) -> str | None:
        with exactly():
            try:
                decision = desk.decide(order, self.account, command, self.validator)
            except Refusal as refusal:
                self.refusal = refusal
                return refusal.code
            self.record(list(decision.account_events))
        return None


WORKING = after(placed(), sent(), accepted())

# ── Orders in a second, value in a day, the same terms ───────────────────────────────────────────────────────────────


def test_only_so_many_orders_are_taken_in_a_second() -> None:
    trader = Trader(max_orders_per_second=2)
    assert [trader.ask(), trader.ask(), trader.ask()] == [None, None, "RATE_LIMITED"]
    assert str(trader.refusal) == "More than 2 orders in a second; try again in 2 s"
    assert trader.ask(asked_at=NOON + 2 * SECOND) is None


def test_other_terms_count_like_an_order() -> None:
    trader = Trader(max_orders_per_second=2)
    assert trader.decide(WORKING, other_terms(quantity=90)) is None
    assert trader.ask() is None
    assert trader.decide(WORKING, other_terms(quantity=80)) == "RATE_LIMITED"
    assert trader.decide(WORKING, other_terms(NOON + 2 * SECOND, quantity=80)) is None


def test_the_value_of_a_day_s_orders_is_limited_until_the_next_day() -> None:
    trader = Trader(max_daily_notional=dollars(2500))
    assert [trader.ask(), trader.ask(side=Side.SELL), trader.ask()] == [None, None, "MAX_DAILY_NOTIONAL_EXCEEDED"]
    assert trader.refusal.message == (
        "The order would bring the value of today's orders (UTC) to $3,000.00; the limit is $2,500.00"
    )
    assert trader.ask(quantity=units(50)) is None
    assert trader.ask(quantity=units("0.001")) == "MAX_DAILY_NOTIONAL_EXCEEDED"
    assert trader.ask(asked_at=NOON + timedelta(hours=12)) is None


def test_other_terms_add_to_the_day_what_they_are_worth_more() -> None:
    trader = Trader(max_daily_notional=dollars(2000))
    assert trader.decide(WORKING, other_terms(quantity=150)) is None
    assert trader.account.activity.notional == 500
    larger = after(placed(), sent(), accepted(), wished(1, 150))
    assert trader.decide(larger, other_terms(quantity=100)) is None
    assert trader.account.activity.notional == 500
    assert trader.decide(WORKING, other_terms(quantity=251)) == "MAX_DAILY_NOTIONAL_EXCEEDED"
    assert trader.decide(WORKING, other_terms(price=25)) is None


def test_the_same_terms_again_are_refused_within_the_window() -> None:
    trader = Trader(duplicate_window_seconds=30)
    assert [trader.ask(), trader.ask()] == [None, "DUPLICATE_ORDER"]
    assert trader.refusal.message == (
        "An order on the same terms was placed less than 30 s before; wait, or change the terms"
    )
    assert trader.ask(quantity=units(101)) is None
    assert trader.ask(price=price_of(9)) is None
    assert trader.ask(side=Side.SELL) is None
    assert trader.ask(asked_at=NOON + 29 * SECOND) == "DUPLICATE_ORDER"
    assert trader.ask(asked_at=NOON + 30 * SECOND) is None


def test_what_is_off_until_it_is_set_is_not_recorded() -> None:
    trader = Trader()
    assert [trader.ask(), trader.ask()] == [None, None]
    assert trader.account.activity.terms == {}


def test_an_exit_that_nobody_asked_for_counts_as_nothing() -> None:
    trader = Trader(duplicate_window_seconds=30, max_orders_per_second=1, max_daily_notional=dollars(0))
    assert [trader.ask(asked_at=None), trader.ask(asked_at=None)] == [None, None]
    assert trader.account.activity == Account().activity


def test_what_is_counted_stands_in_the_event_of_the_hold() -> None:
    validator = OrderValidator(Limits(duplicate_window_seconds=30))
    (event,) = desk.decide(None, Account(cash=RICH), ask(), validator).account_events
    assert isinstance(event, FundsReserved)
    assert (event.asked_at, event.notional, event.terms) == (NOON, 1000, "BUY 100 ACME LIMIT 10 - DAY")
    # Other terms for a SELL hold no more, and are counted all the same.
    selling = after(placed(side=Side.SELL, reserve_price=None), sent(), accepted())
    (changed,) = desk.decide(selling, Account(), other_terms(price=12), validator).account_events
    assert isinstance(changed, ReservationChanged)
    assert (changed.quantity, changed.amount, changed.asked_at, changed.notional) == (0, 0, NOON, 200)


# ── Restricted symbols ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("side", Side)
def test_a_restricted_symbol_is_not_traded(side: Side) -> None:
    trader = Trader(restricted_symbols=(ACME,))
    assert trader.ask(side=side) == "RESTRICTED_SYMBOL"
    assert trader.refusal.message == "ACME is restricted: it must not be traded"
    assert trader.ask(symbol=Symbol("OTHER")) is None
    assert trader.decide(WORKING, other_terms(quantity=50)) == "RESTRICTED_SYMBOL"


# ── The collar ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"price": price_of("10.5")}, None),
        ({"price": price_of("10.51")}, "PRICE_OUT_OF_COLLAR"),
        ({"price": price_of("9.5")}, None),
        ({"price": price_of("9.49")}, "PRICE_OUT_OF_COLLAR"),
        ({"price": price_of("9.49"), "side": Side.SELL}, "PRICE_OUT_OF_COLLAR"),
        ({"price": price_of(10), "reference_price": None}, "NO_REFERENCE_PRICE"),
        ({"price": price_of(10), "reference_price_at": NOON - timedelta(days=8)}, "STALE_PRICE"),
        ({"price": None, "order_type": OrderType.MARKET}, None),
        ({"price": None, "order_type": OrderType.STOP, "stop_price": price_of(50), "reference_price": None}, None),
        ({"price": price_of(51), "order_type": OrderType.STOP_LIMIT, "stop_price": price_of(50)}, None),
        (
            {"price": price_of(53), "order_type": OrderType.STOP_LIMIT, "stop_price": price_of(50)},
            "PRICE_OUT_OF_COLLAR",
        ),
    ],
)
def test_a_limit_price_has_to_be_near_the_market_or_the_stop_price(terms: dict[str, Any], code: str | None) -> None:
    assert Trader(price_collar_percent=Decimal(5)).ask(**terms) == code


def test_whoever_is_out_of_the_collar_is_told_how_far_it_reaches() -> None:
    trader = Trader(price_collar_percent=Decimal("2.5"))
    trader.ask(price=price_of(20))
    assert trader.refusal.message == "Price 20 is more than 2.5 % away from the reference price of 10"
    trader.ask(reference_price=None)
    assert trader.refusal.message == (
        "There is no reference price for ACME, so the order's price cannot be compared with the market"
    )


def test_another_price_has_to_be_in_the_collar_and_another_quantity_may_keep_its_price() -> None:
    trader = Trader(price_collar_percent=Decimal(5))
    assert trader.decide(WORKING, other_terms(price=11)) == "PRICE_OUT_OF_COLLAR"
    moved = replace(other_terms(quantity=50), reference_price=price_of(20))
    assert trader.decide(WORKING, moved) is None
    assert trader.decide(WORKING, replace(other_terms(price=11), reference_price=None)) == "NO_REFERENCE_PRICE"
    take_profit = after(
        placed(side=Side.SELL, reserve_price=None, parent_order_id=OrderId("entry")), sent(), accepted()
    )
    assert trader.decide(take_profit, other_terms(price=15)) is None


# ── Prices that are not relied on ────────────────────────────────────────────────────────────────────────────────────

MARKET = {"order_type": OrderType.MARKET, "price": None}


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("price", "code"),
    [
        ({"reference_price_at": NOON - timedelta(days=7)}, None),
        ({"reference_price_at": NOON - timedelta(days=7, seconds=1)}, "STALE_PRICE"),
        ({"reference_price_at": None}, "STALE_PRICE"),
        ({"reference_price": None}, "NO_REFERENCE_PRICE"),
    ],
)
def test_a_market_order_needs_a_price_that_can_be_relied_on(
    side: Side, price: dict[str, Any], code: str | None
) -> None:
    assert Trader().ask(side=side, **MARKET, **price) == code
    limit = {"order_type": OrderType.LIMIT, "price": price_of(10)}
    assert Trader().ask(side=side, **limit, **price) is None


def test_whoever_meets_a_stale_price_is_told_how_old_it_is() -> None:
    trader = Trader()
    trader.ask(**MARKET, reference_price_at=NOON - timedelta(days=8))
    advice = "and none older than 604,800 s is relied on; send a LIMIT order or wait"
    assert trader.refusal.message == f"The reference price of ACME is 691,200 s old, {advice}"
    trader.ask(**MARKET, reference_price_at=None)
    assert trader.refusal.message == f"The reference price of ACME is of unknown age, {advice}"


# ── Other terms that ask for no more ─────────────────────────────────────────────────────────────────────────────────


def test_what_asks_for_less_is_within_what_was_granted_although_it_would_not_be_granted_today() -> None:
    trader = Trader(max_order_quantity=units(10), max_order_notional=dollars(10), max_position=units(0))
    assert trader.decide(WORKING, other_terms(quantity=50)) is None
    assert trader.decide(WORKING, other_terms(quantity=101)) == "MAX_ORDER_QUANTITY_EXCEEDED"
    assert trader.decide(WORKING, other_terms(price=11)) == "MAX_NOTIONAL_EXCEEDED"


# ── Halts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

HALTED: Halts = evolve(NOTHING_HALTED, halted("symbol:ACME"))


def test_nothing_is_asked_of_a_trader_who_is_halted_before_that_is_said() -> None:
    with pytest.raises(TradingIsHalted):
        desk.decide(None, Account(), ask(), OrderValidator(), halts=HALTED)
    with pytest.raises(TradingIsHalted):
        desk.decide(WORKING, Account(), other_terms(quantity=500), OrderValidator(), halts=HALTED)
    nothing_new = desk.decide(WORKING, Account(), other_terms(quantity=100), OrderValidator(), halts=HALTED)
    assert nothing_new.order_events == ()


def test_what_is_about_to_be_sent_is_cancelled_instead_unless_it_is_an_exit() -> None:
    def sending(order: Order, attempt: int = 1) -> tuple[Any, ...]:
        return desk.decide(order, Account(), RecordSent(attempt), OrderValidator(), halts=HALTED).order_events

    (cancelled,) = sending(after(placed()))
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "TRADING_HALTED: Trading in ACME is halted"
    (asked,) = sending(after(placed(), sent()), 2)
    assert isinstance(asked, OrderCancelRequested)
    assert sending(after(placed(), sent())) == ()
    assert sending(after(placed(side=Side.SELL, reserve_price=None, parent_order_id=OrderId("entry")))) == (sent(),)
    assert desk.decide(after(placed()), Account(), RecordSent(1), OrderValidator()).order_events == (sent(),)
