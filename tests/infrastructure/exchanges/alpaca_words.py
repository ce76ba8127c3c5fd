"""Alpaca's words for one order and its fills, and the reports they mean."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from application.venue import Sought, VenueFill, VenueOrder, VenueReplacement, VenueReport
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce

ORDER_ID = OrderId("0d6e3ad9-8bd1-4c3b-8f0c-1f7a3f6e2a11")
VENUE_ORDER_ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"
ORDER = VenueOrder(
    client_order_id=ORDER_ID,
    symbol=Symbol("AAPL"),
    side=Side.BUY,
    quantity=Quantity(Decimal("1.5")),
    order_type=OrderType.MARKET,
    price=None,
    stop_price=None,
    time_in_force=TimeInForce.DAY,
)
SOUGHT = Sought(client_order_id=ORDER_ID)
REPLACEMENT = VenueReplacement(
    client_order_id=ORDER_ID,
    number=1,
    venue_order_id=VENUE_ORDER_ID,
    quantity=Quantity(Decimal(3)),
    price=None,
    stop_price=None,
)
DUPLICATE = {"code": 40010001, "message": "client_order_id must be unique"}
ACCEPTED = VenueReport(client_order_id=ORDER_ID, venue_order_id=VENUE_ORDER_ID, status="accepted")


def order(status: str = "new", filled: str | None = "0", **fields: Any) -> dict[str, Any]:
    """An order as the venue shows it."""
    return {
        "id": VENUE_ORDER_ID,
        "client_order_id": ORDER_ID,
        "status": status,
        "filled_qty": filled,
        "created_at": "2026-11-20T15:00:00.123456789Z",
        **fields,
    }


def activity(execution_id: str, quantity: str = "1", **fields: Any) -> dict[str, Any]:
    """A fill as the account's activities show it."""
    return {
        "id": f"20261120100001500::{execution_id}",
        "activity_type": "FILL",
        "order_id": VENUE_ORDER_ID,
        "qty": quantity,
        "price": "190.01",
        "transaction_time": "2026-11-20T15:00:01.5Z",
        **fields,
    }


def filled(execution_id: str, quantity: str = "1") -> VenueReport:
    """The report of that fill."""
    fill = VenueFill(
        fill_id=FillId(execution_id),
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal("190.01")),
        commission=Money(Decimal(0)),
        executed_at=datetime(2026, 11, 20, 15, 0, 1, 500000, tzinfo=UTC),
    )
    return replace(ACCEPTED, status="filled", fill=fill)
