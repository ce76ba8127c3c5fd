"""Status changes for subscribers: what an order event looks like to its trader, and who carries it there."""

import json
from typing import Any

from application.ports import Bus, Feed
from domain.deciding import NEVER_ARRIVED
from domain.events import (
    FillEvent,
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderCounterpartFilled,
    OrderEvent,
    OrderExpired,
    OrderFillBusted,
    OrderFillCorrected,
    OrderFilled,
    OrderPlaced,
    OrderReconciled,
    OrderRecovered,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRefused,
    OrderReplaceRequested,
    OrderSent,
    OrderUnprotected,
    OrderUnresolved,
    RecordedEvent,
    order_of,
)

_to_json = json.JSONEncoder(separators=(",", ":")).encode

MESSAGE_NAMES: dict[type[OrderEvent], str] = {
    OrderPlaced: "order.submitted",
    OrderSent: "order.sent",
    OrderRecovered: "order.recovered",
    OrderUnresolved: "order.unresolved",
    OrderAccepted: "order.accepted",
    OrderFilled: "order.filled",
    OrderRejected: "order.rejected",
    OrderCancelRequested: "order.cancel_requested",
    OrderCancelRefused: "order.cancel_refused",
    OrderCancelled: "order.cancelled",
    OrderExpired: "order.expired",
    OrderFillBusted: "order.fill_busted",
    OrderFillCorrected: "order.fill_corrected",
    OrderReplaceRequested: "order.replace_requested",
    OrderReplaced: "order.replaced",
    OrderReplaceRefused: "order.replace_refused",
    OrderReconciled: "order.reconciled",
    OrderCounterpartFilled: "order.counterpart_filled",
    OrderUnprotected: "order.unprotected",
}
"""The name under which each order event reaches subscribers."""


def status_message(recorded: RecordedEvent) -> dict[str, Any] | None:
    """The message for one event: ``{event, order_id, status, timestamp, position, version, ...}``, None if not an order's.

    A fill adds ``quantity_filled``, ``price_at_fill``, ``filled_quantity``, ``leaves_quantity``, ``fill_id`` and
    ``flags``, and so does a fill that was corrected or busted; a replacement adds the terms that the order has now, or
    would have; what ended, was refused or is not as it should be adds ``reason``. Decimals are text, the time is RFC
    3339 UTC. An order that never reached the venue is told as ``order.error``.
    """
    event = recorded.event
    order_id = order_of(recorded.stream_id)
    if order_id is None or not isinstance(event, OrderEvent):
        return None
    message: dict[str, Any] = {
        "event": _name(event),
        "order_id": order_id,
        "status": event.status.value,
        "timestamp": f"{recorded.recorded_at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
        "position": recorded.position,
        "version": recorded.version,
    }
    if isinstance(event, FillEvent):
        taken_back = isinstance(event, OrderFillBusted)
        message |= {
            "fill_id": event.fill_id,
            "quantity_filled": "0" if taken_back else f"{event.quantity:f}",
            "price_at_fill": f"{event.price:f}",
            "filled_quantity": f"{event.filled_quantity:f}",
            "leaves_quantity": f"{event.leaves_quantity:f}",
            "flags": list(event.flags),
        }
    elif isinstance(event, OrderReplaceRequested | OrderReplaced):
        message |= {
            "quantity": f"{event.quantity:f}",
            "price": event.price and f"{event.price:f}",
            "stop_price": event.stop_price and f"{event.stop_price:f}",
        }
    elif isinstance(event, OrderCounterpartFilled):
        message["quantity"] = f"{event.quantity:f}"
    elif isinstance(event, OrderUnprotected):
        message["flags"] = list(event.flags)
    if (reason := getattr(event, "reason", None)) is not None:
        message["reason"] = reason
    return message


def _name(event: OrderEvent) -> str:
    if isinstance(event, OrderRejected) and event.code == NEVER_ARRIVED:
        return "order.error"
    return MESSAGE_NAMES[type(event)]


class StatusOrchestrator:
    """Publishes every status change to ``orders:{trader_id}``, in order, from where it starts.

    A subscriber that was away reads what it missed from the log by position: the bus carries, the log remembers.
    """

    def __init__(self, feed: Feed, bus: Bus) -> None:
        self._feed = feed
        self._bus = bus

    async def run(self, after: int) -> None:
        """Publish everything above the position, for ever."""
        async for batch in self._feed.follow(after):
            messages = [
                (f"orders:{recorded.metadata.trader_id}", _to_json(message).encode())
                for recorded in batch
                if (message := status_message(recorded)) is not None
            ]
            if messages:
                await self._bus.publish(messages)
