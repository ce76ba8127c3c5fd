"""What moves cash, in words; all of it, and nothing else."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given

from domain.account import Account, effect, evolve
from domain.events import AccountEvent, FundsDeposited, FundsWithdrawn
from domain.movements import CashEvent, Movement, movement_of
from domain.values import Currency, FillId, Side, exactly
from tests.domain.orders import ACME, ORDER_ID, dollars
from tests.domain.test_position import booked, corrected
from tests.projections.histories import SETTINGS, History, histories

TRADE = {"order_id": ORDER_ID, "fill_id": FillId("f-1"), "symbol": ACME}
BOUGHT = booked(Side.BUY, 10, "190.01")
SOLD = booked(Side.SELL, 10, 12, commission="0.05")
TOLD_LATE = replace(corrected(BOUGHT, 8, 190), previous_quantity=dollars(0), previous_price=dollars(0))


@pytest.mark.parametrize(
    ("event", "movement"),
    [
        (FundsDeposited(amount=dollars("5.50"), currency=Currency.USD), Movement(dollars("5.5"), "Deposit")),
        (FundsWithdrawn(amount=dollars(5), currency=Currency.USD), Movement(dollars(-5), "Withdrawal")),
        (BOUGHT, Movement(dollars("-1900.1"), f"Bought 10 {ACME} at 190.01", **TRADE)),
        (SOLD, Movement(dollars("119.95"), f"Sold 10 {ACME} at 12, commission 0.05", **TRADE)),
        (
            corrected(SOLD, 0, 0),
            Movement(dollars("-119.95"), f"Taken back by the venue: sold 10 {ACME} at 12, commission 0.05", **TRADE),
        ),
        (
            corrected(BOUGHT, 8, 190, "1"),
            Movement(
                dollars("379.1"),
                f"Corrected by the venue: bought 8 {ACME} at 190, commission 1; before: bought 10 {ACME} at 190.01",
                **TRADE,
            ),
        ),
        (
            TOLD_LATE,
            Movement(dollars(-1520), f"Corrected by the venue before it was told: bought 8 {ACME} at 190", **TRADE),
        ),
    ],
)
def test_a_movement_says_in_words_what_moved(event: CashEvent, movement: Movement) -> None:
    with exactly():
        assert movement_of(event) == movement


@SETTINGS
@given(histories())
def test_no_other_event_moves_cash(history: History) -> None:
    account = Account()
    with exactly():
        for recorded in history.log:
            event = recorded.event
            if isinstance(event, AccountEvent) and recorded.metadata.trader_id == "alice":
                before, account = account.cash, evolve(account, event)
                assert account.cash - before == effect(event).cash
                assert isinstance(event, get_args(CashEvent)) or account.cash == before
