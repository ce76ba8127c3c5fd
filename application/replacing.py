"""Orders that are to go on with other terms: asks the venue, one replacement after the other, and never guesses.

A replacement goes out under the order's id and its own number, which is its idempotency key at the venue for ever. An
attempt without an answer may have been carried out, so the venue is asked before it is tried again.
"""

import logging
from collections.abc import Sequence

from application.booking import Booking
from application.inquiries import NO_ANSWER, Inquiries, sought, until_answered
from application.ports import Clock
from application.sending import NOT_FOUND_PROOF
from application.story import about
from application.venue import Venue, VenueBusyError, VenueRefusedError, VenueReplacement
from domain.commands import RecordReplacement, RecordReplaceRefusal
from domain.halts import HALTED
from domain.lifecycle import Status
from domain.order import Order, Replacement
from domain.values import OrderId

log = logging.getLogger(__name__)


class Replacer:
    """Has orders replaced.

    Args:
        venue: Where the orders are.
        booking: Records what happens.
        inquiries: Books the venue's answers.
        clock: For the pauses.
        backoff_seconds: The pause after each attempt; its length is the number of attempts.
    """

    def __init__(
        self, venue: Venue, booking: Booking, inquiries: Inquiries, clock: Clock, backoff_seconds: Sequence[float]
    ) -> None:
        self._venue = venue
        self._booking = booking
        self._inquiries = inquiries
        self._clock = clock
        self._backoff = tuple(backoff_seconds)
        self._busy: dict[OrderId, bool] = {}

    async def replace(self, order_id: OrderId, *, maybe_sent: bool = False) -> None:
        """Have the order replaced as often as its trader asked for, until the venue has answered each request.

        ``maybe_sent``: another process may have sent what is pending already, so the venue is asked first.
        """
        if order_id in self._busy:
            self._busy[order_id] = True  # whoever is busy may have looked before this was asked for
            return
        try:
            is_due = True
            while is_due:
                self._busy[order_id] = False
                with about(order_id):
                    await self._replace_all(order_id, maybe_sent=maybe_sent)
                is_due = self._busy[order_id]
        finally:
            del self._busy[order_id]

    async def _replace_all(self, order_id: OrderId, *, maybe_sent: bool) -> None:
        while (order := await self._pending(order_id)) is not None:
            if maybe_sent and await self._is_answered(order_id, order.replacements[0].number, proof=1):
                continue
            maybe_sent = False
            await self._carry_out(order, order.replacements[0].number)

    async def _carry_out(self, order: Order, number: int) -> None:
        for attempt, pause_seconds in enumerate(self._backoff, start=1):
            await self._try(order.order_id, number)
            if await self._pending(order.order_id, number) is None:
                return
            await self._clock.sleep(pause_seconds)
            proof = NOT_FOUND_PROOF if attempt >= len(self._backoff) else 1
            if await self._is_answered(order.order_id, number, proof):
                return
        reason = f"the venue did not replace the order in {len(self._backoff)} attempts"
        await self._booking.record(order, RecordReplaceRefusal(number, reason), "engine")

    async def _try(self, order_id: OrderId, number: int) -> None:
        """One attempt; what the venue answers is booked. The stream may have answered before."""
        while (order := await self._pending(order_id, number)) is not None:
            replacement = _to_venue(order, order.replacements[0])
            try:
                if await self._booking.is_halted(order):
                    await self._booking.record(order, RecordReplaceRefusal(number, HALTED), "engine")
                elif replacement is None:
                    await self._booking.record(order, _as_it_is(order, number), "engine")
                else:
                    await self._inquiries.take(await self._venue.replace(replacement))
            except VenueBusyError as busy:
                await self._clock.sleep(busy.retry_after_seconds)
                continue
            except VenueRefusedError as refused:
                await self._inquiries.ask(order)  # what ended or replaced it comes before the refusal
                await self._booking.record(order, RecordReplaceRefusal(number, refused.reason), "venue")
            except NO_ANSWER as error:
                log.warning("order %s: replacement %s has no answer: %s", order_id, number, error)
            return

    async def _is_answered(self, order_id: OrderId, number: int, proof: int) -> bool:
        """Whether the replacement's fate is known: asks until it is, or until the venue shows none ``proof`` times."""
        not_found = 0
        waits = until_answered()
        while (order := await self._pending(order_id, number)) is not None:
            try:
                await self._inquiries.take(await self._venue.find(sought(order)))
            except NO_ANSWER as error:
                log.warning("order %s: replacement %s is not known: %s", order_id, number, error)
                not_found = 0
            else:
                if await self._pending(order_id, number) is None:
                    return True
                not_found += 1
                if not_found >= proof:
                    return False
            await self._clock.sleep(next(waits))
        return True

    async def _pending(self, order_id: OrderId, number: int = 0) -> Order | None:
        """The order if this replacement, or any, is the next that the venue has to answer; None otherwise."""
        order = await self._booking.known(order_id)
        can_be = order.status is Status.PENDING_REPLACE and order.is_acknowledged
        return order if can_be and number in {0, order.replacements[0].number} else None


def _to_venue(order: Order, replacement: Replacement) -> VenueReplacement | None:
    """The replacement as it goes to the venue, which wants to be told only what changes; None if nothing does."""
    now, wished = order.current, replacement.terms
    if wished[:3] == now[:3]:
        return None
    return VenueReplacement(
        client_order_id=order.order_id,
        number=replacement.number,
        venue_order_id=order.venue_order_id or "",
        quantity=None if wished.quantity == now.quantity else wished.quantity,
        price=None if wished.price == now.price else wished.price,
        stop_price=None if wished.stop_price == now.stop_price else wished.stop_price,
    )


def _as_it_is(order: Order, number: int) -> RecordReplacement:
    return RecordReplacement(
        number=number,
        venue_order_id=order.venue_order_id or "",
        quantity=order.current.quantity,
        price=order.current.price,
        stop_price=order.current.stop_price,
    )
