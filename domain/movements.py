"""Movements of cash: what an account's events brought in and took out, in words."""

from typing import assert_never

from domain.account import effect
from domain.events import FundsDeposited, FundsWithdrawn, TradeBooked, TradeCorrected
from domain.frozen import dataclass
from domain.values import FillId, Money, OrderId, Price, Quantity, Side, Symbol, tidy

CashEvent = FundsDeposited | FundsWithdrawn | TradeBooked | TradeCorrected
"""The events that move cash. What reserves or releases some only says what may be done with it."""

_DID = {Side.BUY: "bought", Side.SELL: "sold"}


@dataclass(frozen=True, slots=True)
class Movement:
    """``amount`` dollars that came in, below zero that went out, and why; a trade names its order and fill."""

    amount: Money
    description: str
    order_id: OrderId | None = None
    fill_id: FillId | None = None
    symbol: Symbol | None = None


def movement_of(event: CashEvent) -> Movement:
    """What the event moved."""
    amount = Money(tidy(effect(event).cash))
    match event:
        case FundsDeposited():
            return Movement(amount, "Deposit")
        case FundsWithdrawn():
            return Movement(amount, "Withdrawal")
        case TradeBooked():
            done = _trade(event.side, event.quantity, event.symbol, event.price, event.commission)
            return Movement(amount, done[0].upper() + done[1:], event.order_id, event.fill_id, event.symbol)
        case TradeCorrected():
            return Movement(amount, _corrected(event), event.order_id, event.fill_id, event.symbol)
        case _:
            assert_never(event)


def _corrected(event: TradeCorrected) -> str:
    now = _trade(event.side, event.quantity, event.symbol, event.price, event.commission)
    before = _trade(event.side, event.previous_quantity, event.symbol, event.previous_price, event.previous_commission)
    if not event.quantity:
        return f"Taken back by the venue: {before}"
    if not event.previous_quantity:
        return f"Corrected by the venue before it was told: {now}"
    return f"Corrected by the venue: {now}; before: {before}"


def _trade(side: Side, quantity: Quantity, symbol: Symbol, price: Price, commission: Money) -> str:
    fee = f", commission {commission:f}" if commission else ""
    return f"{_DID[side]} {quantity:f} {symbol} at {price:f}{fee}"
