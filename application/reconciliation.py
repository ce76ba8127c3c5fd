"""The venue's books against ours: what was missed is booked, what differs is recorded, what is not ours is reported.

A difference is often only a report on its way. So it counts when it is still there after a moment in which nothing
happened to the order here.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, NamedTuple

from application.booking import Booking
from application.facts import execution_of
from application.inquiries import Inquiries
from application.ports import Bookkeeping, Clock
from application.snapshots import Snapshot
from application.venue import Venue, VenueBusyError, VenueReport, WorkingOrder
from application.watching import OpenOrders
from domain.commands import RecordDifference
from domain.events import UnknownOrderReported
from domain.order import Order
from domain.values import OrderId, Quantity

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 1.0
# An execution may be listed a little later than another one that was made after it.
_LISTED_LATE_BY_MAX: Final = timedelta(seconds=60)
_FIRST_LOOK: Final = timedelta(days=1)
_QUESTIONS_AT_ONCE: Final = 8


_Working = Mapping[str, WorkingOrder]


class _Suspects(NamedTuple):
    """What differs at first sight: open orders of ours, and ids of what works at the venue and is not open here."""

    ours: Sequence[Snapshot[Order]]
    theirs: set[str]


class Reconciler:
    """Compares the books. One comparison at a time; whoever asks for some meanwhile gets one, the next.

    Raises what the venue and the store raise when they cannot be asked: there will be another comparison.
    """

    def __init__(
        self,
        venue: Venue,
        booking: Booking,
        inquiries: Inquiries,
        *,
        bookkeeping: Bookkeeping,
        open_orders: OpenOrders,
        clock: Clock,
    ) -> None:
        self._venue = venue
        self._booking = booking
        self._inquiries = inquiries
        self._bookkeeping = bookkeeping
        self._open_orders = open_orders
        self._clock = clock
        self._questions = asyncio.Semaphore(_QUESTIONS_AT_ONCE)
        self._turn = asyncio.Lock()
        self._is_next = False

    async def catch_up(self) -> None:
        """Book what happened, while no stream tells: every execution, and whatever became of the open orders."""
        async with self._turn:
            await self._book_executions()
            working = await self._working()
            await self._ask_all([snapshot for snapshot in self._open_orders.all() if _differs(snapshot.state, working)])

    async def reconcile(self) -> None:
        """Compare everything, and record what differs; unless a comparison is to begin anyway, which will find as much."""
        if self._is_next:
            return
        self._is_next = True
        try:
            await self._turn.acquire()
        finally:
            self._is_next = False
        try:
            await self._book_executions()
            suspects = self._suspects(await self._working())
            if suspects.ours or suspects.theirs:
                await self._clock.sleep(GRACE_SECONDS)
                await self._settle(suspects, await self._working())
        finally:
            self._turn.release()

    async def _working(self) -> _Working:
        return {order.venue_order_id: order for order in await self._venue.working_orders()}

    def _suspects(self, working: _Working) -> _Suspects:
        open_here = list(self._open_orders.all())
        ours = [snapshot for snapshot in open_here if _differs(snapshot.state, working)]
        known = {snapshot.state.venue_order_id for snapshot in open_here}
        theirs = {order_id for order_id in working.keys() - known if not self._is_right(working[order_id])}
        return _Suspects(ours, theirs)

    async def _settle(self, suspects: _Suspects, working: _Working) -> None:
        unchanged = []
        for before in suspects.ours:
            now = await self._booking.order(before.state.order_id)
            if now is not None and now.version == before.version and _differs(now.state, working):
                await self._record(now.state, working)
                unchanged.append(now)
        await self._ask_all(unchanged)
        for order in working.values():
            if order.venue_order_id in suspects.theirs and not self._is_right(order):
                await self._look_into(order)

    async def _ask_all(self, snapshots: Sequence[Snapshot[Order]]) -> None:
        async def ask(order: Order) -> None:
            async with self._questions:
                await self._inquiries.ask(order)

        await asyncio.gather(*(ask(snapshot.state) for snapshot in snapshots))

    def _name(self, order: WorkingOrder) -> OrderId:
        return self._booking.order_known_as(order.venue_order_id) or order.client_order_id

    def _is_right(self, order: WorkingOrder) -> bool:
        """Whether it is open here, and known as what works for it there."""
        order_id = self._name(order)
        snapshot = self._open_orders.order(order_id)
        known_as = {None, order.venue_order_id}
        return order_id in self._open_orders and (snapshot is None or snapshot.state.venue_order_id in known_as)

    async def _record(self, order: Order, working: _Working) -> None:
        there = working.get(order.venue_order_id or "")
        await self._record_difference(order, order.venue_order_id or "", there, "the venue's books differ")
        if there is not None and _has_other_terms(order, there):
            # Terms that the venue changed by itself are told by its stream and by this list, and not to who asks.
            restated = VenueReport(
                client_order_id=order.order_id,
                venue_order_id=there.venue_order_id,
                status="replaced",
                terms=there.terms,
            )
            await self._inquiries.take([restated])

    async def _look_into(self, order: WorkingOrder) -> None:
        """An order that works at the venue and should not: over or replaced by our books, or not ours at all."""
        snapshot = await self._ours(self._name(order), order.venue_order_id)
        if snapshot is None and self._open_orders.expect_legs():
            return  # it may be one of them; the next comparison will tell
        if snapshot is None:
            await self._booking.record_unknown(
                UnknownOrderReported(
                    venue_order_id=order.venue_order_id,
                    client_order_id=order.client_order_id,
                    symbol=order.symbol,
                    side=order.side.value,
                    quantity=order.terms.quantity,
                    filled_quantity=Quantity(order.filled_quantity),
                    venue_status=order.status,
                )
            )
        elif snapshot.state.is_over:
            reason = "it works at the venue and is over here"
            await self._record_difference(snapshot.state, order.venue_order_id, order, reason)
            self._inquiries.withdraw(order.venue_order_id, "it is over here")
        elif snapshot.state.venue_order_id not in {None, order.venue_order_id}:
            reason = "it works at the venue beside the one that is known here"
            await self._record_difference(snapshot.state, order.venue_order_id, order, reason)
            await self._inquiries.ask(snapshot.state)

    async def _record_difference(
        self, order: Order, venue_order_id: str, there: WorkingOrder | None, reason: str
    ) -> None:
        difference = RecordDifference(
            venue_order_id=venue_order_id,
            venue_status=there.status if there else "not working",
            venue_filled_quantity=Quantity(there.filled_quantity) if there else order.filled_quantity,
            reason=reason,
            compared_with=order.status,
        )
        await self._booking.record(order, difference, "reconciliation")

    async def _book_executions(self) -> None:
        """Book every execution since all of them were booked last, whichever order it belongs to, over or not."""
        until = await self._bookkeeping.executions_read(self._booking.venue_name)
        since = until - _LISTED_LATE_BY_MAX if until else self._clock.now() - _FIRST_LOOK
        reports = await self._venue.executions(since)
        news = [report for report in reports if self._is_news(report)]
        # Each order is asked for once, some ahead of what is booked, which is booked in the order in which it happened.
        orders = dict.fromkeys(report.venue_order_id for report in news)
        owners = {venue_order_id: asyncio.create_task(self._owner(venue_order_id)) for venue_order_id in orders}
        all_booked = True
        try:
            for report in news:
                owner = await owners[report.venue_order_id]
                named = report if owner is None else replace(report, client_order_id=owner)
                all_booked = (self._booking.is_old(named) or await self._inquiries.take([named])) and all_booked
        finally:
            for task in owners.values():
                task.cancel()
            await asyncio.gather(*owners.values(), return_exceptions=True)
        times = [report.fill.executed_at for report in reports if report.fill is not None]
        if all_booked and times and (until is None or max(times) > until):
            await self._bookkeeping.save_executions_read(self._booking.venue_name, max(times))

    def _is_news(self, report: VenueReport) -> bool:
        execution_id = execution_of(report)
        is_booked = execution_id is None or self._booking.is_booked(execution_id)
        return not is_booked and not self._booking.is_stranger(report.venue_order_id)

    async def _owner(self, venue_order_id: str) -> OrderId | None:
        """The order that the venue's belongs to, by our name where it is ours; None where the venue does not know it."""
        async with self._questions:
            named = self._booking.order_known_as(venue_order_id)
            if named is None:
                named = await self._asked(venue_order_id)
            if named is None or not self._booking.knows(named):
                snapshot = await self._ours(named, venue_order_id)
                named = snapshot.state.order_id if snapshot else named
            return named

    async def _asked(self, venue_order_id: str) -> OrderId | None:
        """Whose order that is, as the venue says; as many as are asked for, it may want us to wait."""
        while True:
            try:
                return await self._venue.client_order_id(venue_order_id)
            except VenueBusyError as busy:
                log.info("whose order %s is, the venue says in %s s", venue_order_id, busy.retry_after_seconds)
                await self._clock.sleep(busy.retry_after_seconds)

    async def _ours(self, named: OrderId | None, venue_order_id: str) -> Snapshot[Order] | None:
        """The order of this name, or else the one that the venue once acknowledged under this id; None: not ours."""
        snapshot = await self._booking.order(named) if named else None
        if snapshot is not None:
            return snapshot
        known = await self._bookkeeping.order_known_as(venue_order_id)
        return await self._booking.order(known) if known else None


def _differs(order: Order, working: _Working) -> bool:
    """Whether the venue's books do not have the order as ours do. What was never acknowledged, the executor asks for."""
    if order.venue_order_id is None:
        return order.is_leg and order.attempts > 0
    there = working.get(order.venue_order_id)
    if there is None or there.filled_quantity != order.filled_quantity:
        return True
    return _has_other_terms(order, there)


def _has_other_terms(order: Order, there: WorkingOrder) -> bool:
    """Whether the venue works on other terms than ours, and no replacement of ours explains it."""
    ours, theirs = order.current, there.terms
    differs = theirs.quantity != ours.quantity or theirs.price != ours.price or theirs.stop_price != ours.stop_price
    return differs and not order.replacements
