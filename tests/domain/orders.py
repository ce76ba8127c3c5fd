"""Orders and events that the tests speak of: ACME limit buys of 100 at 10 unless told otherwise."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.commands import PlaceOrder, RecordBust, RecordCorrection, RecordFill, RecordReplacement, ReplaceOrder
from domain.events import (
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderExpired,
    OrderFillBusted,
    OrderFillCorrected,
    OrderFilled,
    OrderPlaced,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRefused,
    OrderReplaceRequested,
    OrderSent,
)
from domain.lifecycle import Flag, Status
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId

ALICE = TraderId("alice")
ORDER_ID = OrderId("0b1e9b2c-5f6d-4c3a-9a57-0d8f3a2b1c4d")
ACME = Symbol("ACME")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

CANCEL_ASKED = OrderCancelRequested(status=Status.PENDING_CANCEL)
CANCELLED = OrderCancelled(reason="done", status=Status.CANCELLED)
REJECTED = OrderRejected(code="42", reason="no", status=Status.REJECTED)
EXPIRED = OrderExpired(reason="close", status=Status.EXPIRED)
TOO_LATE = "the order was filled first"


def units(quantity: int | str) -> Quantity:
    return Quantity(Decimal(quantity))


def dollars(amount: int | str) -> Money:
    return Money(Decimal(amount))


def price_of(price: int | str) -> Price:
    return Price(Decimal(price))


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


def bust(fill_id: str = "f-1", execution_id: str = "b-1") -> RecordBust:
    return RecordBust(fill_id=FillId(fill_id), execution_id=FillId(execution_id), reason="clearly erroneous")


def busted(
    quantity: int,
    cumulative: int,
    status: Status,
    *,
    fill_id: str = "f-1",
    execution_id: str = "b-1",
    leaves: int | None = None,
    flags: tuple[Flag, ...] = (),
    price: int = 10,
    average: str = "10",
    reason: str = "clearly erroneous",
) -> OrderFillBusted:
    return OrderFillBusted(
        fill_id=FillId(fill_id),
        execution_id=FillId(execution_id),
        symbol=ACME,
        side=Side.BUY,
        quantity=units(quantity),
        price=price_of(price if quantity else 0),
        commission=dollars(0),
        reason=reason,
        filled_quantity=units(cumulative),
        leaves_quantity=units(100 - cumulative if leaves is None else leaves),
        average_fill_price=price_of(average) if cumulative else None,
        status=status,
        flags=flags,
    )


def correction(
    quantity: int, price: int | str = 10, fill_id: str = "f-1", execution_id: str = "c-1", commission: str = "0"
) -> RecordCorrection:
    return RecordCorrection(
        fill_id=FillId(fill_id),
        execution_id=FillId(execution_id),
        quantity=units(quantity),
        price=price_of(price),
        commission=dollars(commission),
        venue="paper",
        executed_at=NOON,
    )


def corrected(
    before: tuple[int, int],
    now: tuple[int, int],
    cumulative: int,
    status: Status,
    *,
    fill_id: str = "f-1",
    execution_id: str = "c-1",
    leaves: int | None = None,
    flags: tuple[Flag, ...] = (),
    average: str | None = None,
) -> OrderFillCorrected:
    """A correction from (quantity, price) to (quantity, price)."""
    return OrderFillCorrected(
        fill_id=FillId(fill_id),
        execution_id=FillId(execution_id),
        symbol=ACME,
        side=Side.BUY,
        quantity=units(now[0]),
        price=price_of(now[1]),
        commission=dollars(0),
        venue="paper",
        executed_at=NOON,
        previous_quantity=units(before[0]),
        previous_price=price_of(before[1]),
        previous_commission=dollars(0),
        filled_quantity=units(cumulative),
        leaves_quantity=units(max(100 - cumulative, 0) if leaves is None else leaves),
        average_fill_price=price_of(average or now[1]),
        status=status,
        flags=flags,
    )


def wish(quantity: int | None = None, price: int | None = None, stop_price: int | None = None) -> ReplaceOrder:
    """A request for other terms; what is None stays."""
    return ReplaceOrder(
        quantity=None if quantity is None else units(quantity),
        price=None if price is None else price_of(price),
        stop_price=None if stop_price is None else price_of(stop_price),
    )


def wished(number: int, quantity: int = 100, price: int = 10) -> OrderReplaceRequested:
    return OrderReplaceRequested(
        number=number,
        quantity=units(quantity),
        price=price_of(price),
        stop_price=None,
        reserve_price=price_of(price),
        status=Status.PENDING_REPLACE,
    )


def replacement(number: int, venue_order_id: str = "v-2", quantity: int = 100, price: int = 10) -> RecordReplacement:
    return RecordReplacement(
        number=number,
        venue_order_id=venue_order_id,
        quantity=units(quantity),
        price=price_of(price),
        stop_price=None,
    )


def replaced(
    number: int,
    status: Status,
    *,
    venue_order_id: str | None = "v-2",
    quantity: int = 100,
    price: int = 10,
    leaves: int | None = None,
    flags: tuple[Flag, ...] = (),
) -> OrderReplaced:
    return OrderReplaced(
        number=number,
        venue_order_id=venue_order_id,
        quantity=units(quantity),
        price=price_of(price),
        stop_price=None,
        reserve_price=price_of(price),
        leaves_quantity=units(quantity if leaves is None else leaves),
        status=status,
        flags=flags,
    )


def replace_refused(number: int, status: Status, reason: str = TOO_LATE) -> OrderReplaceRefused:
    return OrderReplaceRefused(number=number, reason=reason, status=status)


def cancel_refused(status: Status, reason: str = TOO_LATE) -> OrderCancelRefused:
    return OrderCancelRefused(reason=reason, status=status)
