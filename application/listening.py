"""The venue's reports: live while its stream is up, and by asking while it is down."""

import logging
from collections.abc import Awaitable, Callable

from application.inquiries import NO_ANSWER, Inquiries
from application.ports import Clock, StoreUnavailableError
from application.reconciliation import Reconciler
from application.tasks import Tasks
from application.venue import Venue, VenueReport
from domain.values import OrderId

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0


class VenueListener:
    """Books every report once.

    Every ``reconcile_seconds`` the venue's books are compared with ours, whatever the stream says: no gap is for ever.
    """

    def __init__(
        self, venue: Venue, inquiries: Inquiries, reconciler: Reconciler, clock: Clock, reconcile_seconds: float
    ) -> None:
        self._venue = venue
        self._inquiries = inquiries
        self._reconciler = reconciler
        self._clock = clock
        self._reconcile_seconds = reconcile_seconds
        self._tasks = Tasks("a report could not be booked")
        self._heard_of: dict[OrderId, list[VenueReport]] = {}

    async def run(self) -> None:
        """Listen, and ask while nothing can be heard, until cancelled."""
        self._tasks.spawn(self._reconcile())
        try:
            while True:
                try:
                    async for report in self._venue.reports():
                        self._heard(report)
                except NO_ANSWER as error:
                    log.warning("the venue's stream is down, asking: %s", error)
                await self._compared(self._reconciler.catch_up)
                await self._clock.sleep(_POLL_SECONDS)
        finally:
            await self._tasks.end()

    def _heard(self, report: VenueReport) -> None:
        # Commands queue in the order in which their tasks begin, so the reports of an order stay in order; what comes
        # before a task has begun is taken by it, too.
        if report.status == "listening":  # a stream that is live again missed what happened before
            self._tasks.spawn(self._compared(self._reconciler.reconcile))
        elif not self._inquiries.is_old(report):
            heard = self._heard_of.setdefault(report.client_order_id, [])
            heard.append(report)
            if len(heard) == 1:
                self._tasks.spawn(self._take(report.client_order_id))

    async def _take(self, order_id: OrderId) -> None:
        await self._inquiries.take(self._heard_of.pop(order_id))

    async def _reconcile(self) -> None:
        while True:
            await self._clock.sleep(self._reconcile_seconds)
            await self._compared(self._reconciler.reconcile)

    async def _compared(self, compare: Callable[[], Awaitable[None]]) -> None:
        """Whatever stops a comparison, there will be another one, and listening goes on."""
        try:
            await compare()
        except NO_ANSWER as error:
            log.warning("the venue's books cannot be read: %s", error)
        except StoreUnavailableError as error:
            log.warning("the books cannot be compared without the store: %s", error)
        except Exception:
            log.exception("the books could not be compared")
