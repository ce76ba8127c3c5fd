"""Orders to the venue: sends what is recorded, asks before it sends again, and never guesses.

An order goes out under its own id, which is its idempotency key at the venue for ever. Each attempt is recorded before
it begins. An attempt without an answer leaves the order's fate unknown, so the venue is asked before anything is sent
again; as long as it does not answer, the order stays unresolved and its funds stay held.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from math import inf

from application.booking import Booking, pauses, state_in
from application.listening import NO_ANSWER, VenueListener
from application.ports import (
    Clock,
    Feed,
    OpenOrders,
    Venue,
    VenueBusyError,
    VenueHasOrderError,
    VenueOrder,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueUnreachableError,
)
from application.tasks import Tasks
from domain.commands import (
    RecordCancelRefusal,
    RecordNeverArrived,
    RecordRecovery,
    RecordRejection,
    RecordSent,
    RecordUnresolved,
)
from domain.events import OrderAccepted, OrderCancelRequested, OrderPlaced, RecordedEvent, order_of
from domain.lifecycle import FINAL, Status
from domain.order import Order, evolve
from domain.values import OrderId

log = logging.getLogger(__name__)

NOT_FOUND_PROOF = 3
"""How many times in a row the venue must not know an order that may have reached it before it is given up."""

_ASK_AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


class _Attempt(Enum):
    DONE = auto()
    NEVER_SENT = auto()
    UNKNOWN = auto()
    THERE = auto()


class OrderExecutor:
    """Follows the log and keeps the venue's side of every open order going. One at a time per engine."""

    def __init__(
        self,
        booking: Booking,
        venue: Venue,
        feed: Feed,
        open_orders: OpenOrders,
        clock: Clock,
        *,
        backoff_seconds: Sequence[float] = (1.0, 2.0, 4.0),
        reconcile_seconds: float = 30.0,
    ) -> None:
        """``backoff_seconds`` has the pause after each attempt; its length is the number of attempts.

        Every ``reconcile_seconds`` the venue is asked for every open order, whatever its stream says.
        """
        self._booking = booking
        self._venue = venue
        self._feed = feed
        self._open_orders = open_orders
        self._clock = clock
        self._backoff = tuple(backoff_seconds)
        self._watched: set[OrderId] = set()
        self._turns: dict[OrderId, asyncio.Lock] = {}
        self._tasks = Tasks("an order's work failed; it is resumed at the next start")
        self._listener = VenueListener(venue, booking, clock, self._watched, reconcile_seconds)

    @property
    def stream_is_live(self) -> bool:
        """Whether the venue's reports arrive by stream right now, and not by asking."""
        return self._listener.is_live

    async def run(self) -> None:
        """Resume what is open, then follow the log, until cancelled."""
        order_ids, position = await self._open_orders.open_orders()
        self._watched.update(order_ids)
        self._tasks.spawn(self._listener.run())
        for order_id in order_ids:
            self._tasks.spawn(self._resume(order_id))
        try:
            async for batch in self._feed.follow(position):
                for recorded in batch:
                    self._react(recorded)
        finally:
            await self._tasks.end()

    def _react(self, recorded: RecordedEvent) -> None:
        order_id, event = order_of(recorded.stream_id), recorded.event
        if order_id is None:
            return
        if isinstance(event, OrderPlaced):
            self._watched.add(order_id)
            self._booking.remember(order_id, event.trader_id)
            placed = evolve(None, event)
            self._tasks.spawn(self._with_turn(order_id, lambda: self._submit(placed)))
        elif isinstance(event, OrderCancelRequested) or (
            isinstance(event, OrderAccepted) and event.status is Status.PENDING_CANCEL
        ):
            self._tasks.spawn(self._in_turn(order_id, self._cancel))
        elif getattr(event, "status", None) in FINAL:
            self._watched.discard(order_id)
            self._turns.pop(order_id, None)
            self._booking.forget(order_id)

    async def _resume(self, order_id: OrderId) -> None:
        """Pick an open order up wherever the process before this one left it."""
        await self._in_turn(order_id, self._submit)
        await self._listener.ask(order_id)
        await self._in_turn(order_id, self._cancel)

    async def _in_turn(self, order_id: OrderId, step: Callable[[Order], Awaitable[None]]) -> None:
        """Run one step of an order at a time, on the order as it then is."""

        async def now() -> None:
            snapshot = await self._booking.order(order_id)
            if snapshot is not None and not snapshot.state.is_over:
                await step(snapshot.state)

        await self._with_turn(order_id, now)

    async def _with_turn(self, order_id: OrderId, step: Callable[[], Awaitable[None]]) -> None:
        async with self._turns.setdefault(order_id, asyncio.Lock()):
            await step()

    async def _submit(self, order: Order) -> None:
        if _is_there(order):
            return
        maybe_there = order.attempts > 0
        if maybe_there and await self._adopt(order, maybe_there=True, proof=self._proof(order.attempts)):
            return
        for attempt in range(order.attempts + 1, len(self._backoff) + 1):
            sent = await self._booking.record(order, RecordSent(attempt), "engine")
            if not sent.events:
                now = state_in(sent, order)
                # More attempts than ours: another worker, which led before, may have brought it there.
                await self._not_to_be_sent(now, maybe_there=maybe_there or now.attempts >= attempt)
                return
            tried = await self._try(order)
            if tried is _Attempt.DONE:
                return
            maybe_there = maybe_there or tried is not _Attempt.NEVER_SENT
            await self._clock.sleep(self._backoff[attempt - 1])
            order = replace(order, attempts=attempt)
            proof = inf if tried is _Attempt.THERE else self._proof(attempt)
            if await self._adopt(order, maybe_there=maybe_there, proof=proof):
                return
        reason = f"the venue does not have the order after {len(self._backoff)} attempts"
        await self._booking.record(order, RecordNeverArrived(reason), "engine")

    async def _not_to_be_sent(self, order: Order, *, maybe_there: bool) -> None:
        """It is over, acknowledged, wanted back by its trader, or was sent by another worker that led before."""
        if order.is_over or _is_there(order):
            return
        if order.status is not Status.PENDING_CANCEL:
            await self._submit(order)
        elif not maybe_there or not await self._adopt(order, maybe_there=True, proof=NOT_FOUND_PROOF):
            await self._booking.record(order, RecordNeverArrived("cancelled before it reached the venue"), "engine")

    def _proof(self, attempt: int) -> int:
        """How many times in a row the venue must not know the order before what follows this attempt."""
        return NOT_FOUND_PROOF if attempt >= len(self._backoff) else 1

    async def _try(self, order: Order) -> _Attempt:
        terms = order.terms
        venue_order = VenueOrder(
            client_order_id=terms.order_id,
            symbol=terms.symbol,
            side=terms.side,
            quantity=terms.quantity,
            order_type=terms.order_type,
            price=terms.price,
            stop_price=terms.stop_price,
            time_in_force=terms.time_in_force,
        )
        while True:
            try:
                reports = await self._venue.submit(venue_order)
            except VenueBusyError as busy:
                await self._clock.sleep(busy.retry_after_seconds)
            except VenueRefusedError as refused:
                await self._booking.record(order, RecordRejection(refused.code, refused.reason), "venue")
                return _Attempt.DONE
            except VenueUnreachableError as unreachable:
                log.warning("order %s was not sent: %s", order.order_id, unreachable)
                return _Attempt.NEVER_SENT
            except VenueHasOrderError as there:
                log.warning("order %s: %s", order.order_id, there)
                return _Attempt.THERE
            except VenueOutcomeUnknownError as unknown:
                log.warning("order %s: the outcome is unknown: %s", order.order_id, unknown)
                return _Attempt.UNKNOWN
            else:
                await self._booking.book(reports)
                return _Attempt.DONE

    async def _adopt(self, order: Order, *, maybe_there: bool, proof: float) -> bool:
        """Whether the order's fate is known now.

        If the venue may have it, asks until it does not know it ``proof`` times in a row; an infinite proof is never given.
        """
        not_found = 0
        waits = pauses(*_ASK_AGAIN_SECONDS)
        while True:
            try:
                reports = await self._venue.find(order.order_id)
            except NO_ANSWER as error:
                if not maybe_there:
                    return False
                not_found = 0
                await self._unresolved(order, str(error) or "no answer")
            else:
                if reports:
                    found = RecordRecovery(order.attempts, reports[0].venue_order_id)
                    await self._booking.record(order, found, "engine")
                    await self._booking.book(reports)
                    return True
                not_found += 1
                if not maybe_there or not_found >= proof:
                    return False
                if proof == inf:
                    await self._unresolved(order, "the venue has the order, but does not show it")
            await self._clock.sleep(next(waits))
            now = await self._booking.order(order.order_id)
            if now is not None and (now.state.is_over or _is_there(now.state)):
                return True  # the stream was faster

    async def _unresolved(self, order: Order, reason: str) -> None:
        log.warning("order %s is unresolved: %s", order.order_id, reason)
        await self._booking.record(order, RecordUnresolved(reason), "engine")

    async def _cancel(self, order: Order) -> None:
        if order.status is not Status.PENDING_CANCEL or order.venue_order_id is None:
            return  # without the venue's id, the acceptance that brings it leads here again
        waits = pauses(*_ASK_AGAIN_SECONDS)
        while True:
            try:
                await self._venue.cancel(order.venue_order_id)
            except VenueRefusedError as refused:
                await self._listener.ask(order.order_id)
                await self._booking.record(order, RecordCancelRefusal(refused.reason), "venue")
                return
            except NO_ANSWER as error:
                log.warning("order %s: the cancel has no answer: %s", order.order_id, error)
                await self._clock.sleep(next(waits))
            else:
                await self._chase(order.order_id)
                return

    async def _chase(self, order_id: OrderId) -> None:
        """An accepted cancel is a promise, not an outcome: ask until there is one."""
        waits = pauses(*_ASK_AGAIN_SECONDS)
        while True:
            await self._clock.sleep(next(waits))
            snapshot = await self._booking.order(order_id)
            if snapshot is None or snapshot.state.status is not Status.PENDING_CANCEL:
                return
            await self._listener.ask(order_id)


def _is_there(order: Order) -> bool:
    """Whether the venue has shown that it has the order, by an acknowledgement or by a fill before it."""
    return order.venue_order_id is not None or bool(order.fills)
