"""Orders at the venue: the executor follows the log and sees to it that the venue does what is recorded.

Who does what: ``sending`` brings an order there, ``cancelling`` and ``replacing`` change it there, ``listening`` hears what became of
it, ``reconciliation`` compares the books, ``halting`` cancels what a halt is to cancel.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from application.booking import Booking
from application.cancelling import Canceller
from application.gate import VenueGate
from application.halting import HaltFollower
from application.inquiries import Inquiries
from application.listening import VenueListener
from application.ports import Bookkeeping, Clock, Feed
from application.reconciliation import Reconciler
from application.replacing import Replacer
from application.sending import Sender
from application.snapshots import Snapshot
from application.story import about
from application.tasks import Tasks
from application.venue import Venue
from application.watching import OpenOrders
from domain.commands import RecordCancellation, RecordRejection
from domain.events import (
    OrderEvent,
    OrderPlaced,
    OrderReconciled,
    OrderReplaceRequested,
    RecordedEvent,
    TradingHalted,
    order_of,
)
from domain.lifecycle import FINAL, Status
from domain.order import Order
from domain.values import OrderId

log = logging.getLogger(__name__)

_ASKED = frozenset({Status.PENDING_CANCEL, Status.PENDING_REPLACE})


class OrderExecutor:
    """Follows the log and keeps the venue's side of every open order going. One at a time per engine."""

    def __init__(
        self,
        booking: Booking,
        venue: Venue,
        feed: Feed,
        bookkeeping: Bookkeeping,
        clock: Clock,
        *,
        gate: VenueGate | None = None,
        backoff_seconds: Sequence[float] = (1.0, 2.0, 4.0),
        reconcile_seconds: float = 30.0,
    ) -> None:
        """``gate`` is what each attempt to send waits for; None: none does. ``backoff_seconds`` has the pause after each attempt; its length is the number of attempts.

        Every ``reconcile_seconds`` the venue's books are compared with ours, whatever its stream says.
        """
        self._booking = booking
        self._feed = feed
        self._bookkeeping = bookkeeping
        self._open_orders = OpenOrders()
        self._turns: dict[OrderId, asyncio.Lock] = {}
        self._resuming: set[OrderId] = set()
        self._began_at = 0
        self._tasks = Tasks("an order's work failed; it is resumed at the next start")
        self._inquiries = Inquiries(venue, booking, bookkeeping, clock, self._open_orders)
        self._gate = gate or VenueGate(is_watched=False)
        self._sender = Sender(venue, booking, self._inquiries, clock, gate=self._gate, backoff_seconds=backoff_seconds)
        self._canceller = Canceller(venue, booking, self._inquiries, clock)
        self._halts = HaltFollower(booking, self._open_orders)
        self._replacer = Replacer(venue, booking, self._inquiries, clock, backoff_seconds)
        reconciler = Reconciler(
            venue, booking, self._inquiries, bookkeeping=bookkeeping, open_orders=self._open_orders, clock=clock
        )
        self._listener = VenueListener(venue, self._inquiries, reconciler, clock, reconcile_seconds)

    @property
    def waiting(self) -> int:
        """How many open orders the venue has not acknowledged yet, as far as they have been loaded."""
        return self._open_orders.waiting

    async def run(self) -> None:
        """Resume what is open, then follow the log, until cancelled."""
        self._began_at = await self._booking.position()
        order_ids, position = await self._bookkeeping.open_orders()
        for order_id in order_ids:
            self._open_orders.expect(order_id)
        await self._halts.carry_out(position)
        for order_id in order_ids:
            self._tasks.spawn(self._resume(order_id))
        self._tasks.spawn(self._listener.run())
        try:
            async for batch in self._feed.follow(position):
                for recorded in batch:
                    self._react(recorded)
        finally:
            await self._tasks.end()
            await self._inquiries.end()

    def _react(self, recorded: RecordedEvent) -> None:
        order_id = order_of(recorded.stream_id)
        if order_id is None:
            if isinstance(recorded.event, TradingHalted) and recorded.event.cancel_open:
                self._tasks.spawn(self._halts.carry_out(recorded.position))
            return
        event = cast("OrderEvent", recorded.event)
        self._booking.note(order_id, event)
        terms = self._open_orders.follow(order_id, recorded)
        if event.status in FINAL:
            self._ended(order_id, event, terms)
        elif terms is None:
            self._tasks.spawn(self._resume(order_id))  # it was over, and works again
        elif isinstance(event, OrderPlaced):
            order = cast("Snapshot[Order]", self._open_orders.order(order_id)).state
            self._tasks.spawn(self._with_turn(order_id, lambda: self._bring(order)))
        elif event.status is Status.PENDING_CANCEL:
            self._gate.release(order_id)
            self._tasks.spawn(self._in_turn(order_id, self._canceller.cancel))
        elif event.status is Status.PENDING_REPLACE:
            is_news = isinstance(event, OrderReplaceRequested) and recorded.position > self._began_at
            # Anything else may have been sent before: by the process before this one, or ahead of a cancel that failed.
            maybe_sent = not is_news or order_id in self._resuming
            self._tasks.spawn(self._replacer.replace(order_id, maybe_sent=maybe_sent))

    def _ended(self, order_id: OrderId, event: OrderEvent, terms: OrderPlaced | None) -> None:
        # Only what has another exit may have to see to it that the other one goes its own way.
        ended = self._open_orders.order(order_id) if terms is not None and terms.oco_order_id is not None else None
        self._open_orders.over(order_id)
        self._gate.release(order_id)
        self._turns.pop(order_id, None)
        if isinstance(event, OrderReconciled):
            self._tasks.spawn(self._send_away(order_id, event))
        if ended is not None and ended.state.leg_order_id is not None and not ended.state.is_there:
            self._tasks.spawn(self._in_turn(ended.state.leg_order_id, self._bring))

    async def _send_away(self, order_id: OrderId, event: OrderReconciled) -> None:
        """What is over here must not work there; the venue is asked first, because a leg may have come along."""
        await self._inquiries.ask(await self._booking.known(order_id))
        self._inquiries.withdraw(event.venue_order_id, event.reason)

    async def _resume(self, order_id: OrderId) -> None:
        """Pick an open order up wherever the process before this one left it."""
        self._resuming.add(order_id)
        try:
            await self._pick_up(order_id)
        finally:
            self._resuming.discard(order_id)

    async def _pick_up(self, order_id: OrderId) -> None:
        snapshot = await self._booking.order(order_id)
        if snapshot is None or snapshot.state.is_over:
            self._open_orders.over(order_id)
            return
        self._open_orders.loaded(snapshot)
        order = snapshot.state
        if not order.is_acknowledged:
            await self._in_turn(order_id, self._bring)
            await self._in_turn(order_id, self._look)
        elif order.status in _ASKED:
            await self._in_turn(order_id, self._look)
            await self._in_turn(order_id, self._canceller.cancel)
            await self._replacer.replace(order_id, maybe_sent=True)
        # What became of the others meanwhile, the comparison of the books finds out at once, for all of them together.

    async def _look(self, order: Order) -> None:
        await self._inquiries.ask(order)

    async def _bring(self, order: Order) -> None:
        """Bring the order to the venue; a leg goes with its other exit, or ends with it."""
        if order.primary_order_id is None:
            await self._sender.send(order)
            return
        primary = await self._booking.known(order.primary_order_id)
        if not primary.is_over or primary.is_there:
            return
        if primary.attempts > 0 and await self._inquiries.ask(primary):
            # It was there, if only to be rejected, and the leg was with it: the venue has told its name and its end.
            order = await self._booking.known(order.order_id)
            if order.is_over or order.is_there:
                return
        reason = f"its other exit is {primary.status}: {primary.reason}"
        is_rejected = primary.status is Status.REJECTED
        end = RecordRejection("EXIT_REJECTED", reason) if is_rejected else RecordCancellation(reason)
        await self._booking.record(order, end, "engine")

    async def _in_turn(self, order_id: OrderId, step: Callable[[Order], Awaitable[None]]) -> None:
        """Run one step of an order at a time, on the order as it then is."""

        async def now() -> None:
            order = await self._booking.known(order_id)
            if not order.is_over:
                await step(order)

        await self._with_turn(order_id, now)

    async def _with_turn(self, order_id: OrderId, step: Callable[[], Awaitable[None]]) -> None:
        async with self._turns.setdefault(order_id, asyncio.Lock()):
            with about(order_id):
                await step()
