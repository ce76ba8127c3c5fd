"""The venue's reports, live while its stream is up and by asking while it is down."""

import asyncio
import logging

from application.booking import Booking
from application.ports import (
    Clock,
    Venue,
    VenueBusyError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueUnreachableError,
)
from application.tasks import Tasks
from domain.values import OrderId

log = logging.getLogger(__name__)

NO_ANSWER = (VenueOutcomeUnknownError, VenueUnreachableError, VenueBusyError, VenueRefusedError)
"""What a query may raise; none of it says anything about an order."""

_POLL_SECONDS = 1.0
_QUERIES_AT_ONCE = 8


class VenueListener:
    """Books every report once. ``watched`` is the set of open orders, kept by the executor.

    Every ``reconcile_seconds`` it asks for all of them, whatever the stream says: no gap in a stream is for ever.
    """

    def __init__(
        self, venue: Venue, booking: Booking, clock: Clock, watched: set[OrderId], reconcile_seconds: float
    ) -> None:
        self._venue = venue
        self._booking = booking
        self._clock = clock
        self._watched = watched
        self._reconcile_seconds = reconcile_seconds
        self._tasks = Tasks("a report could not be booked")
        self.is_live = False

    async def run(self) -> None:
        """Listen, and poll while nothing can be heard, until cancelled."""
        self._tasks.spawn(self._reconcile())
        try:
            while True:
                try:
                    async for report in self._venue.reports():
                        self._heard(report)
                except NO_ANSWER as error:
                    log.warning("the venue's stream is down, polling: %s", error)
                self.is_live = False
                await self.ask_for_all()
                await self._clock.sleep(_POLL_SECONDS)
        finally:
            await self._tasks.end()

    async def ask_for_all(self) -> None:
        """Ask for every open order, a few at a time."""
        waiting = sorted(self._watched)

        async def ask_in_turn() -> None:
            while waiting:
                await self.ask(waiting.pop())

        await asyncio.gather(*(ask_in_turn() for _ in range(_QUERIES_AT_ONCE)))

    async def ask(self, order_id: OrderId) -> None:
        """Book everything the venue knows of the order; not knowing it, or not answering, proves nothing."""
        try:
            reports = await self._venue.find(order_id)
        except NO_ANSWER as error:
            log.info("order %s: the venue does not say: %s", order_id, error)
            return
        await self._booking.book(reports)

    def _heard(self, report: VenueReport) -> None:
        # Commands queue in the order in which their tasks begin, so the reports of an order stay in order.
        if report.status == "listening":
            self.is_live = True
            work = self.ask_for_all()  # what happened while nobody listened
        else:
            work = self._booking.book([report])
        self._tasks.spawn(work)

    async def _reconcile(self) -> None:
        while True:
            await self._clock.sleep(self._reconcile_seconds)
            await self.ask_for_all()
