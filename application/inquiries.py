"""Questions to the venue about single orders, and what is done with reports that are not simply facts of an order."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from application.booking import Booking, pauses
from application.ports import Bookkeeping, Clock
from application.tasks import Tasks
from application.venue import (
    Sought,
    Venue,
    VenueBusyError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueUnreachableError,
)
from application.watching import OpenOrders
from domain.events import UnknownOrderReported
from domain.order import Order
from domain.values import ZERO, Quantity

log = logging.getLogger(__name__)

NO_ANSWER = (VenueOutcomeUnknownError, VenueUnreachableError, VenueBusyError, VenueRefusedError)
"""What a query may raise; none of it says anything about an order."""

_STRANGER_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)


def until_answered() -> Iterator[float]:
    """The pauses between one question and the next while there is no answer: longer and longer, up to half a minute."""
    return pauses(1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


def sought(order: Order) -> Sought:
    """How to ask for the order."""
    return Sought(
        client_order_id=order.order_id,
        venue_order_id=order.venue_order_id,
        leg=order.leg_order_id,
        replacement=order.replacements[0].number if order.replacements else 0,
    )


class Inquiries:
    """Asks, and books the answers. Use ``end`` to stop what goes on in the background."""

    def __init__(
        self, venue: Venue, booking: Booking, bookkeeping: Bookkeeping, clock: Clock, open_orders: OpenOrders
    ) -> None:
        self._venue = venue
        self._booking = booking
        self._bookkeeping = bookkeeping
        self._clock = clock
        self._open_orders = open_orders
        self._withdrawing: set[str] = set()
        self._tasks = Tasks("a report could not be dealt with")

    async def end(self) -> None:
        """Stop."""
        await self._tasks.end()

    async def ask(self, order: Order) -> bool:
        """Book everything the venue knows of the order; not knowing it, or not answering, proves nothing.

        Returns:
            Whether the venue answered, and knows it.
        """
        if order.primary_order_id is not None and not order.is_acknowledged:
            order = await self._booking.known(order.primary_order_id)
        try:
            reports = await self._venue.find(sought(order))
        except NO_ANSWER as error:
            log.info("order %s: the venue does not say: %s", order.order_id, error)
            return False
        await self.take(reports)
        return bool(reports)

    async def take(self, reports: Sequence[VenueReport]) -> bool:
        """Book the reports, and see to those that are of no order of ours, or of one that must not be there.

        Returns:
            Whether everything they say is in the log; what is of no order that is known gets there in a while.
        """
        strangers = await self._booking.book(reports)
        for report in strangers:
            self._tasks.spawn(self._recognise(report))
        for report in reports:
            if report.status == "superseded":
                self.withdraw(report.venue_order_id, "its replacement works, too")
        return not strangers

    def is_old(self, report: VenueReport) -> bool:
        """Whether there is nothing to do about the report: all that it says is in the log. Most is told twice at least."""
        return report.status != "superseded" and self._booking.is_old(report)

    def withdraw(self, venue_order_id: str, why: str) -> None:
        """Cancel an order at the venue that must not work there, whatever our books say of it."""
        if venue_order_id not in self._withdrawing:
            self._withdrawing.add(venue_order_id)
            log.warning("the venue's order %s is cancelled: %s", venue_order_id, why)
            self._tasks.spawn(self._withdraw(venue_order_id))

    async def _withdraw(self, venue_order_id: str) -> None:
        waits = until_answered()
        while True:
            try:
                await self._venue.cancel(venue_order_id)
            except VenueRefusedError as refused:
                log.info("the venue does not cancel %s: %s", venue_order_id, refused)
                break
            except NO_ANSWER as error:
                log.warning("the venue does not say whether it cancels %s: %s", venue_order_id, error)
                await self._clock.sleep(next(waits))
            else:
                break
        self._withdrawing.discard(venue_order_id)

    async def _named(self, report: VenueReport) -> VenueReport:
        """The report with the name of the order that the venue once acknowledged under its id, if there is one."""
        known = await self._booking.insist(lambda: self._bookkeeping.order_known_as(report.venue_order_id))
        return report if known is None else replace(report, client_order_id=known)

    async def _recognise(self, report: VenueReport) -> None:
        """A report of an order that nobody knows: of a leg whose acknowledgement is on its way, or really a stranger's."""
        waits = pauses(*_STRANGER_PAUSES_SECONDS)
        looks = 0
        while looks < len(_STRANGER_PAUSES_SECONDS) or self._open_orders.expect_legs():
            looks += 1
            await self._clock.sleep(next(waits))
            if not await self._booking.book([report]):
                return
        if not await self._booking.book([await self._named(report)]):
            return
        quantity = report.fill.quantity if report.fill else Quantity(ZERO)
        await self._booking.record_unknown(
            UnknownOrderReported(
                venue_order_id=report.venue_order_id,
                client_order_id=report.client_order_id,
                symbol="",
                side="",
                quantity=report.terms.quantity if report.terms else Quantity(ZERO),
                filled_quantity=quantity,
                venue_status=report.status,
            )
        )
