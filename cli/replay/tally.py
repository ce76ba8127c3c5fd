"""What the status streams have said about the orders of a replay, and waiting for more of it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from time import perf_counter
from typing import Any

from domain.lifecycle import FINAL, Status
from domain.values import ZERO

_RESTING = frozenset({Status.ACCEPTED, Status.PARTIALLY_FILLED})


class Tally:
    """Statuses, fills and the moment of each order's first fill, by order id. Moments are seconds of ``perf_counter``."""

    def __init__(self) -> None:
        self.statuses: dict[str, Status] = {}
        self.first_fills: dict[str, float] = {}
        self.filled: dict[str, Decimal] = {}
        self.fills = 0
        self._news = asyncio.Condition()

    async def hear(self, message: Mapping[str, Any]) -> None:
        """Take in one message of a stream. A heartbeat is about no order."""
        order_id = message.get("order_id")
        if order_id is None:
            return
        self.statuses[order_id] = Status(message["status"])
        if "quantity_filled" in message:
            self.first_fills.setdefault(order_id, perf_counter())
            self.filled[order_id] = Decimal(message["filled_quantity"])
            self.fills += 1
        async with self._news:
            self._news.notify_all()

    async def until(self, condition: Callable[[], bool], patience_seconds: float) -> bool:
        """Wait for the condition; False when nothing at all has been heard for as long as our patience lasts."""
        async with self._news:
            while not condition():
                try:
                    await asyncio.wait_for(self._news.wait(), patience_seconds)
                except TimeoutError:
                    return False
        return True

    def is_over(self, order_id: str) -> bool:
        """Whether the order can change no more."""
        return self.statuses.get(order_id) in FINAL

    def is_settled(self, order_id: str, *, may_rest: bool) -> bool:
        """Whether nothing more is to be expected of the order by itself: it is over, or rests in the venue's book."""
        return self.is_over(order_id) or (may_rest and self.statuses.get(order_id) in _RESTING)

    def shares(self, order_ids: Iterable[str]) -> Decimal:
        """How much of these orders was filled."""
        return sum((self.filled.get(order_id, ZERO) for order_id in order_ids), ZERO)
