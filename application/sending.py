"""An order to the venue: sends what is recorded, asks before it sends again, and never guesses.

An order goes out under its own id, which is its idempotency key at the venue for ever. Each attempt is recorded before
it begins. An attempt without an answer leaves the order's fate unknown, so the venue is asked before anything is sent
again; as long as it does not answer, the order stays unresolved and its funds stay held.
"""

import logging
from collections.abc import Sequence
from enum import Enum, auto
from math import inf

from application.booking import Booking, state_in
from application.gate import VenueGate
from application.inquiries import NO_ANSWER, Inquiries, sought, until_answered
from application.ports import Clock
from application.venue import (
    Venue,
    VenueBusyError,
    VenueHasOrderError,
    VenueLeg,
    VenueOrder,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueUnreachableError,
)
from domain.commands import RecordNeverArrived, RecordRecovery, RecordRejection, RecordSent, RecordUnresolved
from domain.lifecycle import Status
from domain.order import Order

log = logging.getLogger(__name__)

NOT_FOUND_PROOF = 3
"""How many times in a row the venue must not know an order that may have reached it before it is given up."""


class _Attempt(Enum):
    DONE = auto()
    NEVER_SENT = auto()
    UNKNOWN = auto()
    THERE = auto()


class Sender:
    """Brings orders to the venue.

    Args:
        venue: Where they go.
        booking: Records what happens.
        inquiries: Books the venue's answers.
        clock: For the pauses.
        gate: What each attempt waits for.
        backoff_seconds: The pause after each attempt; its length is the number of attempts.
    """

    def __init__(
        self,
        venue: Venue,
        booking: Booking,
        inquiries: Inquiries,
        clock: Clock,
        *,
        gate: VenueGate,
        backoff_seconds: Sequence[float],
    ) -> None:
        self._venue = venue
        self._booking = booking
        self._inquiries = inquiries
        self._clock = clock
        self._gate = gate
        self._backoff = tuple(backoff_seconds)

    async def send(self, order: Order) -> None:
        """Bring the order there, or prove that it is not: whatever comes of it is recorded."""
        if order.is_there:
            return
        maybe_there = order.attempts > 0
        if maybe_there and await self._adopt(order, maybe_there=True, proof=self._proof(order.attempts)):
            return
        for attempt in range(order.attempts + 1, len(self._backoff) + 1):
            await self._gate.passed(order.order_id)
            sent = await self._booking.record(order, RecordSent(attempt), "engine")
            order = state_in(sent, order)
            if order.attempts != attempt or not sent.events:
                # More attempts than ours: another worker, which led before, may have brought it there. As many as
                # before, and an event: trading is halted, and the order is cancelled instead.
                await self._not_to_be_sent(order, maybe_there=maybe_there or order.attempts >= attempt)
                return
            tried = await self._try(order)
            if tried is _Attempt.DONE:
                return
            maybe_there = maybe_there or tried is not _Attempt.NEVER_SENT
            await self._clock.sleep(self._backoff[attempt - 1])
            proof = inf if tried is _Attempt.THERE else self._proof(attempt)
            if await self._adopt(order, maybe_there=maybe_there, proof=proof):
                return
        reason = f"the venue does not have the order after {len(self._backoff)} attempts"
        await self._booking.record(order, RecordNeverArrived(reason), "engine")

    async def _not_to_be_sent(self, order: Order, *, maybe_there: bool) -> None:
        """It is over, acknowledged, wanted back, halted, or was sent by another worker that led before."""
        if order.is_over or order.is_there:
            return
        if order.status is not Status.PENDING_CANCEL:
            await self.send(order)
        elif not maybe_there or not await self._adopt(order, maybe_there=True, proof=NOT_FOUND_PROOF):
            await self._booking.record(order, RecordNeverArrived("cancelled before it reached the venue"), "engine")

    def _proof(self, attempt: int) -> int:
        """How many times in a row the venue must not know the order before what follows this attempt."""
        return NOT_FOUND_PROOF if attempt >= len(self._backoff) else 1

    async def _try(self, order: Order) -> _Attempt:
        terms, now = order.terms, order.current
        venue_order = VenueOrder(
            client_order_id=terms.order_id,
            symbol=terms.symbol,
            side=terms.side,
            quantity=now.quantity,
            order_type=terms.order_type,
            price=now.price,
            stop_price=now.stop_price,
            time_in_force=terms.time_in_force,
            leg=await self._leg(order),
        )
        while True:
            try:
                reports = await self._venue.submit(venue_order)
            except VenueBusyError as busy:
                await self._clock.sleep(busy.retry_after_seconds)
                if not await self._is_due(order):
                    return _Attempt.NEVER_SENT
            except VenueRefusedError as refused:
                await self._booking.record(order, RecordRejection(refused.code, refused.reason), "venue")
                return _Attempt.DONE
            except VenueUnreachableError as unreachable:
                log.warning("order %s was not sent: %s", order.order_id, unreachable)
                self._gate.shut()
                return _Attempt.NEVER_SENT
            except VenueHasOrderError as there:
                log.warning("order %s: %s", order.order_id, there)
                return _Attempt.THERE
            except VenueOutcomeUnknownError as unknown:
                log.warning("order %s: the outcome is unknown: %s", order.order_id, unknown)
                return _Attempt.UNKNOWN
            else:
                await self._inquiries.take(reports)
                return _Attempt.DONE

    async def _is_due(self, order: Order) -> bool:
        """Whether the attempt that the venue had no time for is still to be made."""
        now = await self._booking.known(order.order_id)
        is_same = (now.attempts, now.status) == (order.attempts, order.status)
        return is_same and not await self._booking.is_halted(now)

    async def _leg(self, order: Order) -> VenueLeg | None:
        """The exit that goes with this one, unless its trader has taken it back; it counts as sent from here on."""
        if order.leg_order_id is None:
            return None
        other = await self._booking.known(order.leg_order_id)
        leg = state_in(await self._booking.record(other, RecordSent(order.attempts), "engine"), other)
        stop_price = leg.current.stop_price
        return None if leg.is_over or stop_price is None else VenueLeg(leg.order_id, stop_price)

    async def _adopt(self, order: Order, *, maybe_there: bool, proof: float) -> bool:
        """Whether the order's fate is known now.

        If the venue may have it, asks until it does not know it ``proof`` times in a row; an infinite proof is never given.
        """
        not_found = 0
        waits = until_answered()
        while True:
            try:
                reports = await self._venue.find(sought(order))
            except NO_ANSWER as error:
                if not maybe_there:
                    return False
                not_found = 0
                await self._unresolved(order, str(error) or "no answer")
            else:
                if reports:
                    found = RecordRecovery(order.attempts, reports[0].venue_order_id)
                    await self._booking.record(order, found, "engine")
                    await self._inquiries.take(reports)
                    return True
                not_found += 1
                if not maybe_there or not_found >= proof:
                    return False
                if proof == inf:
                    await self._unresolved(order, "the venue has the order, but does not show it")
            await self._clock.sleep(next(waits))
            now = await self._booking.known(order.order_id)
            if now.is_over or now.is_there:
                return True  # the stream was faster

    async def _unresolved(self, order: Order, reason: str) -> None:
        log.warning("order %s is unresolved: %s", order.order_id, reason)
        await self._booking.record(order, RecordUnresolved(reason), "engine")
