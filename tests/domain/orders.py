"""Orders and events that the tests speak of: ACME limit buys of 100 at 10 unless told otherwise."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.commands import PlaceOrder, RecordFill
from domain.events import OrderAccepted, OrderFilled, OrderPlaced, OrderSent
from domain.lifecycle import Flag, Status
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId

ALICE = TraderId("alice")
ORDER_ID = OrderId("0b1e9b2c-5f6d-4c3a-9a57-0d8f3a2b1c4d")
ACME = Symbol("ACME")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def place(**changes: Any) -> PlaceOrder:
    terms = {
        "order_id": ORDER_ID,
        "trader_id": ALICE,
        "client_order_id": "mine-1",
        "symbol": ACME,
        "side": Side.BUY,
        "quantity": Quantity(Decimal(100)),
        "order_type": OrderType.LIMIT,
        "price": Price(Decimal(10)),
        "reference_price": Price(Decimal(10)),
    }
    return PlaceOrder(**terms | changes)


def placed(**changes: Any) -> OrderPlaced:
    terms = {
        "order_id": ORDER_ID,
        "trader_id": ALICE,
        "client_order_id": "mine-1",
        "symbol": ACME,
        "side": Side.BUY,
        "quantity": Quantity(Decimal(100)),
        "order_type": OrderType.LIMIT,
        "price": Price(Decimal(10)),
        "stop_price": None,
        "time_in_force": TimeInForce.DAY,
        "stop_loss": None,
        "take_profit": None,
        "reference_price": Price(Decimal(10)),
        "reserve_price": Price(Decimal(10)),
        "parent_order_id": None,
        "oco_order_id": None,
        "status": Status.PENDING,
    }
    return OrderPlaced(**terms | changes)


def sent(attempt: int = 1) -> OrderSent:
    return OrderSent(attempt=attempt, status=Status.PENDING)


def accepted(status: Status = Status.ACCEPTED) -> OrderAccepted:
    return OrderAccepted(venue_order_id="v-1", status=status)


def fill(quantity: int | str, fill_id: str = "f-1", price: int | str = 10, commission: str = "0") -> RecordFill:
    return RecordFill(
        fill_id=FillId(fill_id),
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal(price)),
        commission=Money(Decimal(commission)),
        venue="paper",
        executed_at=NOON,
    )


def filled(
    quantity: int,
    cumulative: int,
    status: Status,
    *,
    fill_id: str = "f-1",
    leaves: int | None = None,
    flags: tuple[Flag, ...] = (),
    price: int = 10,
    average: str | None = None,
) -> OrderFilled:
    return OrderFilled(
        fill_id=FillId(fill_id),
        symbol=ACME,
        side=Side.BUY,
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal(price)),
        commission=Money(Decimal(0)),
        venue="paper",
        executed_at=NOON,
        filled_quantity=Quantity(Decimal(cumulative)),
        leaves_quantity=Quantity(Decimal(max(100 - cumulative, 0) if leaves is None else leaves)),
        average_fill_price=Price(Decimal(average or price)),
        status=status,
        flags=flags,
    )
