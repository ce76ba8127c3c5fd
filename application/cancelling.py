"""Orders that are to be cancelled: asks the venue until it says yes or no, and takes no promise for an outcome."""

import logging

from application.booking import Booking
from application.inquiries import NO_ANSWER, Inquiries, until_answered
from application.ports import Clock
from application.venue import Venue, VenueRefusedError
from domain.commands import RecordCancelRefusal
from domain.lifecycle import Status
from domain.order import Order

log = logging.getLogger(__name__)

_QUESTIONS = 3


class Canceller:
    """Has orders cancelled."""

    def __init__(self, venue: Venue, booking: Booking, inquiries: Inquiries, clock: Clock) -> None:
        self._venue = venue
        self._booking = booking
        self._inquiries = inquiries
        self._clock = clock

    async def cancel(self, order: Order) -> None:
        """Have the order cancelled, if it is to be: until the venue says yes or no, and what it says yes to is done."""
        waits = until_answered()
        # Without the venue's id, the acceptance that brings it leads here again.
        while order.status is Status.PENDING_CANCEL and order.venue_order_id is not None:
            try:
                await self._venue.cancel(order.venue_order_id)
            except VenueRefusedError as refused:
                await self._inquiries.ask(order)
                now = await self._booking.known(order.order_id)
                if now.venue_order_id == order.venue_order_id:
                    await self._booking.record(now, RecordCancelRefusal(refused.reason), "venue")
                    return
                order = now  # it has been replaced meanwhile, and works under another id
            except NO_ANSWER as error:
                log.warning("order %s: the cancel has no answer: %s", order.order_id, error)
                await self._clock.sleep(next(waits))
                order = await self._booking.known(order.order_id)
            else:
                order = await self._chase(order)

    async def _chase(self, order: Order) -> Order:
        """An accepted cancel is a promise, not an outcome: ask for a while, and if there is none, ask for it again."""
        waits = until_answered()
        for _ in range(_QUESTIONS):
            await self._clock.sleep(next(waits))
            order = await self._booking.known(order.order_id)
            if order.status is not Status.PENDING_CANCEL:
                break
            await self._inquiries.ask(order)
        return await self._booking.known(order.order_id)
