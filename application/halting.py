"""Open orders that a halt cancels: each one that worked when it was made, whoever leads by the time it is done.

The cancels are those of the operator who halted. When all are recorded, that is recorded too: until then, every leader
begins anew, and what is cancelled already decides to nothing.
"""

import asyncio
import logging
from typing import cast

from application.booking import Booking
from application.snapshots import Snapshot
from application.story import name_of
from application.trading import Caller
from application.watching import OpenOrders
from domain.events import RecordedEvent, TradingHalted
from domain.halts import cancel_reason, scopes_of
from domain.order import Order
from domain.values import OrderId

log = logging.getLogger(__name__)

_AT_ONCE = 100


class HaltFollower:
    """Cancels what halts are to cancel.

    Args:
        booking: Records the cancels; the venue is asked as for any other.
        open_orders: All open orders, up to where the log has been followed.
    """

    def __init__(self, booking: Booking, open_orders: OpenOrders) -> None:
        self._booking = booking
        self._open_orders = open_orders
        self._turn = asyncio.Lock()

    async def carry_out(self, until: int) -> None:
        """See to all halts up to this position, which the open orders are known to have reached."""
        async with self._turn:
            for halted in (await self._booking.halts()).to_cancel():
                if halted.position <= until:
                    await self._cancel_all(halted)

    async def _cancel_all(self, halted: RecordedEvent) -> None:
        scope = cast("TradingHalted", halted.event).scope
        metadata = halted.metadata
        caller = Caller(metadata.actor, metadata.correlation_id, name_of(halted.stream_id, halted.version))
        log.warning("%s is halted, and what works there is being cancelled", scope)
        order_ids = self._open_orders.ids()
        for start in range(0, len(order_ids), _AT_ONCE):
            found = await asyncio.gather(*map(self._order, order_ids[start : start + _AT_ONCE]))
            meant = [each.state for each in found if each is not None and _is_meant(each, scope, halted)]
            cancels = (self._booking.cancel(each, cancel_reason(scope, each.terms.symbol), caller) for each in meant)
            await asyncio.gather(*cancels)
        await self._booking.record_cancels_requested(halted.version, caller)

    async def _order(self, order_id: OrderId) -> Snapshot[Order] | None:
        return self._open_orders.order(order_id) or await self._booking.order(order_id)


def _is_meant(order: Snapshot[Order], scope: str, halted: RecordedEvent) -> bool:
    """Whether the order was there when the halt was made; the times of the log never fall."""
    is_in_scope = scope in scopes_of(order.state.trader_id, order.state.terms.symbol)
    was_there = order.created_at is not None and order.created_at <= halted.recorded_at
    return is_in_scope and was_there
