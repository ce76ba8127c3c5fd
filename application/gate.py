"""Whether the venue can be reached at all: while it cannot, orders wait for it in the order in which they came."""

import asyncio
import logging

from domain.values import OrderId

log = logging.getLogger(__name__)


class VenueGate:
    """What stands before every attempt to send an order.

    An attempt at a venue to which no connection can be made tells nothing about the order, so none is spent on it: whoever
    fails to connect shuts the gate, and whoever asks the venue all the time opens it again.

    Args:
        is_watched: whether somebody asks all the time. Otherwise it stays open, because nobody would open it again.
    """

    def __init__(self, *, is_watched: bool) -> None:
        self._is_open = True
        self._is_watched = is_watched
        self._waiting: dict[OrderId, asyncio.Future[None]] = {}

    def shut(self) -> None:
        """No connection could be made."""
        if self._is_watched and self._is_open:
            self._is_open = False
            log.warning("the venue cannot be reached: orders wait for it")

    def open(self) -> None:
        """The venue has answered: those who wait go on, one after the other."""
        if not self._is_open:
            self._is_open = True
            log.warning("the venue can be reached again: %d orders go on", len(self._waiting))
            for order_id in list(self._waiting):
                self.release(order_id)

    def release(self, order_id: OrderId) -> None:
        """Something has happened to the order: if it waits, it goes on and looks what."""
        waiting = self._waiting.pop(order_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def passed(self, order_id: OrderId) -> None:
        """Return at once while the gate is open, else when it is opened or the order is released."""
        if not self._is_open:
            self._waiting[order_id] = asyncio.get_running_loop().create_future()
            try:
                await self._waiting[order_id]
            finally:
                self._waiting.pop(order_id, None)
