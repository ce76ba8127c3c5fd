"""Orders that are to be cancelled: asks the venue until it says yes or no, and takes no promise for an outcome."""

import logging

from application.booking import Booking
from application.inquiries import NO_ANSWER, Inquiries, until_answered
from application.ports import Clock, Venue, VenueRefusedError
from domain.commands import RecordCancelRefusal
from domain.lifecycle import Status
from domain.order import Order

log = logging.getLogger(__name__)


class Canceller:
    """Has orders cancelled."""

    def __init__(self, venue: Venue, booking: Booking, inquiries: Inquiries, clock: Clock) -> None:
        self._venue = venue
        self._booking = booking
        self._inquiries = inquiries
        self._clock = clock

    async def cancel(self, order: Order) -> None:
        """Have the order cancelled, if it is to be: until the venue says yes or no."""
        waits = until_answered()
        # Without the venue's id, the acceptance that brings it leads here again.
        while order.status is Status.PENDING_CANCEL and order.venue_order_id is not None:
            try:
                await self._venue.cancel(order.venue_order_id)
            except VenueRefusedError as refused:
                await self._inquiries.ask(order)
                now = await self._now(order)
                if now is None or now.venue_order_id == order.venue_order_id:
                    await self._booking.record(order, RecordCancelRefusal(refused.reason), "venue")
                    return
                order = now  # it has been replaced meanwhile, and works under another id
            except NO_ANSWER as error:
                log.warning("order %s: the cancel has no answer: %s", order.order_id, error)
                await self._clock.sleep(next(waits))
            else:
                await self._chase(order)
                return

    async def _chase(self, order: Order) -> None:
        """An accepted cancel is a promise, not an outcome: ask until there is one."""
        waits = until_answered()
        while True:
            await self._clock.sleep(next(waits))
            now = await self._now(order)
            if now is None or now.status is not Status.PENDING_CANCEL:
                return
            await self._inquiries.ask(now)

    async def _now(self, order: Order) -> Order | None:
        snapshot = await self._booking.order(order.order_id)
        return snapshot.state if snapshot else None
