"""Facts into the log. A fact is never dropped: while the store is away it waits."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import TypeVar, cast

from application.facts import facts
from application.ports import Clock, StoreUnavailableError
from application.sequencer import Outcome, SequencerBusyError
from application.snapshots import Snapshot
from application.story import Story, about, go_on, name_of, retries
from application.trading import Caller, HaltsInForce, Trading
from application.venue import VenueReport
from domain.commands import (
    CancelOrder,
    OrderReport,
    RecordAcceptance,
    RecordCancellation,
    RecordCancelsRequested,
    RecordExpiry,
    RecordFill,
    RecordRejection,
    RecordSent,
)
from domain.events import (
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFillBusted,
    OrderFillCorrected,
    OrderFilled,
    OrderPlaced,
    OrderReconciled,
    OrderRejected,
    OrderReplaced,
    UnknownOrderReported,
    order_of,
    order_stream,
)
from domain.lifecycle import FINAL, Status
from domain.order import Order
from domain.refusals import OrderNotCancellable
from domain.values import FillId, OrderId

log = logging.getLogger(__name__)

T = TypeVar("T")

_STORE_PAUSES_SECONDS = (0.1, 0.2, 0.5, 1.0)
_REMEMBERED = 50_000
_ENDED = FINAL - {Status.FILLED}
"""What no order leaves again; the venue may take back what filled one."""


def pauses(*seconds: float) -> Iterator[float]:
    """These pauses, then the last one for ever."""
    return chain(seconds, repeat(seconds[-1]))


class Booking:
    """Records what the venue says and what the executor does, each fact once however often it is told."""

    def __init__(self, trading: Trading, clock: Clock, venue_name: str) -> None:
        self.venue_name = venue_name
        self._trading = trading
        self._clock = clock
        self._terms: OrderedDict[OrderId, OrderPlaced] = OrderedDict()
        self._venue_ids: OrderedDict[str, OrderId] = OrderedDict()
        self._acknowledged: OrderedDict[OrderId, None] = OrderedDict()
        self._ended: OrderedDict[OrderId, None] = OrderedDict()
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._executions: OrderedDict[FillId, OrderId] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Event] = {}

    def note(self, order_id: OrderId, event: OrderEvent) -> None:
        """Remember what was recorded, so that reports of it need no look-up, or nothing at all."""
        match event:
            case OrderPlaced():
                _remember(self._terms, order_id, event)
            case OrderAccepted() | OrderReplaced() if event.venue_order_id is not None:
                _remember(self._venue_ids, event.venue_order_id, order_id)
                _remember(self._acknowledged, order_id, None)
            case OrderReconciled():
                _remember(self._venue_ids, event.venue_order_id, order_id)
            case OrderFilled():
                _remember(self._executions, event.fill_id, order_id)
            case OrderFillCorrected() | OrderFillBusted():
                _remember(self._executions, event.execution_id, order_id)
            case OrderCancelled() | OrderExpired() | OrderRejected():
                _remember(self._ended, order_id, None)
            case _:
                pass

    def is_booked(self, execution_id: FillId) -> bool:
        """Whether this fill, bust or correction is known to be in the log; False where nobody remembers."""
        return execution_id in self._executions

    def order_known_as(self, venue_order_id: str) -> OrderId | None:
        """The order that works at the venue under this id, as far as anybody remembers."""
        return self._venue_ids.get(venue_order_id)

    async def position(self) -> int:
        """The end of the log. Waits for the store."""
        return await self.insist(self._trading.store.position)

    async def order(self, order_id: OrderId) -> Snapshot[Order] | None:
        """The order from the log, None if there is none. Waits for the store."""
        snapshot = await self.insist(lambda: self._trading.order(order_id))
        if snapshot is not None:
            order = snapshot.state
            self._note_all(order)
            cause = name_of(order_stream(order_id), snapshot.version)
            go_on(order_id, Story(snapshot.correlation_id, cause, order.trader_id, order_id, retries()))
        return snapshot

    def _note_all(self, order: Order) -> None:
        """Remember what the log says of an order: whoever compares the books after a start is told all of it again."""
        order_id = order.order_id
        _remember(self._terms, order_id, order.terms)
        if order.venue_order_id is not None:
            _remember(self._venue_ids, order.venue_order_id, order_id)
            _remember(self._acknowledged, order_id, None)
        if order.status in _ENDED:
            _remember(self._ended, order_id, None)
        for fill in order.fills:
            if not fill.corrections:  # of one that was changed, not every name says by itself what it is
                _remember(self._executions, fill.fill_id, order_id)

    def knows(self, order_id: OrderId) -> bool:
        """Whether this is known to be an order of ours; False where nobody remembers."""
        return order_id in self._terms

    async def known(self, order_id: OrderId) -> Order:
        """An order that is known to be in the log, as it is now. Waits for the store.

        Raises:
            LookupError: it is not.
        """
        snapshot = await self.order(order_id)
        if snapshot is None:
            raise LookupError(f"there is no order {order_id}")
        return snapshot.state

    async def record(self, order: Order, fact: OrderReport, actor: str) -> Outcome:
        """Record one fact about the order. Waits for the store."""
        return await self._report(order.terms, [fact], actor)

    def is_stranger(self, venue_order_id: str) -> bool:
        """Whether it was found before that this order of the venue is not ours."""
        return venue_order_id in self._strangers

    async def record_unknown(self, order: UnknownOrderReported) -> None:
        """Record an order of the venue that is not ours. Waits for the store."""
        log.error("the venue reports an order that is not ours: %s", order)
        caller = Caller("venue", correlation_id=order.venue_order_id, causation_id=order.venue_order_id)
        await self.insist(lambda: self._trading.report_unknown(self.venue_name, order, caller))
        _remember(self._strangers, order.venue_order_id, None)

    async def book(self, reports: Sequence[VenueReport]) -> list[VenueReport]:
        """Record everything the reports say, of each order in one command if it can be.

        Waits for the store. Returns the reports of orders that are not ours.
        """
        strangers = []
        said: dict[OrderId, tuple[OrderPlaced, list[OrderReport]]] = {}
        for report in reports:
            terms = await self._terms_of(report)
            if terms is None:
                strangers.append(report)
                continue
            order_id = terms.order_id
            if report.busted_fill_id is not None and order_id in said:
                # What became of a fill can be told by its name only when the fill is in the log.
                await self._book_news(*said.pop(order_id))
            _, of_order = said.setdefault(order_id, (terms, []))
            of_order += await self._facts(order_id, report)
        for terms, of_order in said.values():
            await self._book_news(terms, of_order)
        return strangers

    def is_old(self, report: VenueReport) -> bool:
        """Whether everything that the report says is known to be in the log, of an order of ours; False where nobody remembers."""
        order_id = self._named(report)
        if order_id not in self._terms or report.busted_fill_id is not None:
            return False
        return all(self._is_old_news(order_id, fact) for fact in facts(report, self.venue_name))

    async def _book_news(self, terms: OrderPlaced, said: Sequence[OrderReport]) -> None:
        """Record what of this is not known. Most is told twice at the same time: by an answer, and by the stream."""
        order_id = terms.order_id
        with about(order_id):
            while news := {_name_of(order_id, fact): fact for fact in said if not self._is_old_news(order_id, fact)}:
                told = next((self._under_way[name] for name in news if name in self._under_way), None)
                if told is None:
                    await self._record_news(terms, news)
                    break
                await told.wait()

    async def _record_news(self, terms: OrderPlaced, news: Mapping[Hashable, OrderReport]) -> None:
        told = asyncio.Event()
        self._under_way |= dict.fromkeys(news, told)
        try:
            await self._report(terms, list(news.values()), "venue")
        finally:
            for name in news:
                del self._under_way[name]
            told.set()

    def _is_old_news(self, order_id: OrderId, fact: OrderReport) -> bool:
        """Whether the log is known to say this, and nothing would come of it again: most is told twice at least."""
        match fact:
            case RecordAcceptance():
                return order_id in self._acknowledged
            case RecordFill():
                return self._executions.get(fact.fill_id) == order_id
            case RecordCancellation() | RecordExpiry() | RecordRejection():
                return order_id in self._ended
            case _:
                return False

    async def _facts(self, order_id: OrderId, report: VenueReport) -> list[OrderReport]:
        if report.busted_fill_id is not None:
            # The venue may name a fill by its latest correction, the exits of the fill are known by its first name.
            fill = (await self.known(order_id)).fill_known_as(report.busted_fill_id)
            return facts(report, self.venue_name, fill.fill_id if fill else report.busted_fill_id)
        return facts(report, self.venue_name)

    def _named(self, report: VenueReport) -> OrderId:
        named = report.client_order_id
        return named if named in self._terms else self._venue_ids.get(report.venue_order_id, named)

    async def _terms_of(self, report: VenueReport) -> OrderPlaced | None:
        order_id = self._named(report)
        if order_id not in self._terms and (not order_id or await self.order(order_id) is None):
            return None
        return self._terms[order_id]

    async def _report(self, terms: OrderPlaced, said: Sequence[OrderReport], actor: str) -> Outcome:
        outcome = await self.insist(lambda: self._trading.report(terms, said, Caller(actor)))
        last = None
        for recorded in outcome.events:
            order_id = order_of(recorded.stream_id)
            if order_id is not None:
                self.note(order_id, cast("OrderEvent", recorded.event))
            if order_id == terms.order_id:
                last = recorded
        if last is not None:
            before = said[0].attempt - 1 if isinstance(said[0], RecordSent) else retries()
            cause, metadata = name_of(last.stream_id, last.version), last.metadata
            go_on(terms.order_id, Story(metadata.correlation_id, cause, metadata.trader_id, terms.order_id, before))
        return outcome

    async def halts(self) -> HaltsInForce:
        """What is halted. Waits for the store."""
        return await self.insist(self._trading.halts)

    async def is_halted(self, order: Order) -> bool:
        """Whether nothing more of the order must leave: it is halted, and no exit. Waits for the store."""
        halts = (await self.halts()).halts
        is_exit = order.terms.parent_order_id is not None
        return not is_exit and halts.scope_that_halts(order.trader_id, order.terms.symbol) is not None

    async def cancel(self, order: Order, reason: str, caller: Caller) -> None:
        """Have the order cancelled for whoever asked for it, unless it is over. Waits for the store."""
        with suppress(OrderNotCancellable):
            cancel = CancelOrder(reason)
            await self.insist(lambda: self._trading.change(order.trader_id, order.order_id, cancel, caller))

    async def record_cancels_requested(self, halt_version: int, caller: Caller) -> None:
        """Record that what worked when this halt was made is being cancelled. Waits for the store."""
        await self.insist(lambda: self._trading.change_halts(RecordCancelsRequested(halt_version), caller))

    async def insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until the store can be reached."""
        waits: Iterator[float] | None = None
        while True:
            try:
                return await attempt()
            except (StoreUnavailableError, SequencerBusyError) as error:
                log.warning("a fact waits for the store: %s", error)
                waits = waits or pauses(*_STORE_PAUSES_SECONDS)
                await self._clock.sleep(next(waits))


K = TypeVar("K")
V = TypeVar("V")


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)


def _name_of(order_id: OrderId, fact: OrderReport) -> Hashable:
    """What tells it from all other facts; those that are told most have a short name."""
    match fact:
        case RecordFill():
            return order_id, RecordFill, fact.fill_id
        case RecordAcceptance():
            return order_id, RecordAcceptance, fact.venue_order_id
        case _:
            return order_id, fact


def state_in(outcome: Outcome, order: Order) -> Order:
    """The order as the command that has this outcome left it."""
    return cast("Order", outcome.snapshots[order_stream(order.order_id)].state)
