"""What goes on in the engine at the moment, for operators."""

from api.answers import Answer, json_answer
from api.endpoints import Call
from api.fields import TimeText
from api.schemas import Told
from application.status import time_text
from infrastructure.postgres.activity import activity

_NAMES = {"ACCEPTED": "acknowledged", "FILLED": "filled"}


class SecondView(Told):
    """How many orders were recorded in the second that began then."""

    at: TimeText
    orders: int


class LatencyView(Told):
    """How long orders of the last five minutes waited until they were `acknowledged` or `filled`, in milliseconds."""

    name: str
    orders: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class DoubtfulOrderView(Told):
    """An order of which nobody knows whether the venue has it."""

    id: str
    trader_id: str
    symbol: str
    created_at: TimeText


class OperationsView(Told):
    """Orders that work and those in doubt (the oldest 50 by name), what came, how fast it was; `streams` of this process.

    `waiting_orders`: those that the exchange has not acknowledged; from `waiting_orders_max` on no more are taken.
    """

    open_orders: int
    waiting_orders: int
    waiting_orders_max: int
    unresolved_orders: int
    unresolved: list[DoubtfulOrderView]
    per_second: list[SecondView]
    latencies: list[LatencyView]
    streams: int


async def get_operations(call: Call) -> Answer:
    """Orders in work and in doubt, and what the last minutes were like."""
    found = await activity(call.engine.pool)
    return json_answer(
        {
            "open_orders": found.open_orders,
            "waiting_orders": call.engine.venue_queue.waiting,
            "waiting_orders_max": call.engine.venue_queue.limit,
            "unresolved_orders": found.unresolved_orders,
            "unresolved": [order._asdict() | {"created_at": time_text(order.created_at)} for order in found.unresolved],
            "per_second": [{"at": time_text(second), "orders": count} for second, count in found.per_second],
            "latencies": [
                {
                    "name": _NAMES[action],
                    "orders": waited,
                    **{
                        name: value and round(value, 1)
                        for name, value in zip(("p50_ms", "p95_ms", "p99_ms"), of or (None,) * 3, strict=True)
                    },
                }
                for action, waited, of in found.latencies
            ],
            "streams": call.running.fan_out.streams,
        }
    )
