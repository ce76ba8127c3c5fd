"""Facts into the log. A fact is never dropped: while the store is away it waits."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import TypeVar, cast

from application.ports import Clock, StoreUnavailableError, VenueReport
from application.sequencer import Outcome, SequencerBusyError
from application.snapshots import Snapshot
from application.trading import Caller, Trading
from domain.commands import (
    OrderReport,
    RecordAcceptance,
    RecordCancellation,
    RecordCancelRefusal,
    RecordExpiry,
    RecordFill,
    RecordRejection,
)
from domain.events import order_stream
from domain.order import Order
from domain.values import OrderId, TraderId

log = logging.getLogger(__name__)

T = TypeVar("T")

_STORE_PAUSES_SECONDS = (0.1, 0.2, 0.5, 1.0)


def pauses(*seconds: float) -> Iterator[float]:
    """These pauses, then the last one for ever."""
    return chain(seconds, repeat(seconds[-1]))


class Booking:
    """Records what the venue says and what the executor does, each fact once however often it is told."""

    def __init__(self, trading: Trading, clock: Clock, venue_name: str) -> None:
        self._trading = trading
        self._clock = clock
        self._venue_name = venue_name
        self._traders: dict[OrderId, TraderId] = {}

    def remember(self, order_id: OrderId, trader_id: TraderId) -> None:
        """Know whose order it is, so that a report of it needs no look-up."""
        self._traders[order_id] = trader_id

    def forget(self, order_id: OrderId) -> None:
        """The order is over; a late report of it looks it up."""
        self._traders.pop(order_id, None)

    async def order(self, order_id: OrderId) -> Snapshot[Order] | None:
        """The order from the log, None if there is none. Waits for the store."""
        return await self._insist(lambda: self._trading.order(order_id))

    async def record(self, order: Order, fact: OrderReport, actor: str) -> Outcome:
        """Record one fact about the order. Waits for the store."""
        return await self._report(order.trader_id, order.order_id, fact, actor)

    async def book(self, reports: Sequence[VenueReport]) -> None:
        """Record everything the reports say. Waits for the store; an order that is not ours is logged as an error."""
        for report in reports:
            order_id = report.client_order_id
            trader_id = self._traders.get(order_id)
            if trader_id is None:
                snapshot = await self.order(order_id)
                if snapshot is None:
                    log.error("the venue reports an order that is not ours: %s", report)
                    continue
                trader_id = snapshot.state.trader_id
            for fact in facts(report, self._venue_name):
                await self._report(trader_id, order_id, fact, "venue")

    async def _report(self, trader_id: TraderId, order_id: OrderId, fact: OrderReport, actor: str) -> Outcome:
        caller = Caller(actor, correlation_id=order_id, causation_id=order_id)
        return await self._insist(lambda: self._trading.report(trader_id, order_id, fact, caller))

    async def _insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        waits = pauses(*_STORE_PAUSES_SECONDS)
        while True:
            try:
                return await attempt()
            except (StoreUnavailableError, SequencerBusyError) as error:
                log.warning("a fact waits for the store: %s", error)
                await self._clock.sleep(next(waits))


def state_in(outcome: Outcome, order: Order) -> Order:
    """The order as the command that has this outcome left it."""
    return cast("Order", outcome.snapshots[order_stream(order.order_id)].state)


def facts(report: VenueReport, venue_name: str) -> list[OrderReport]:
    """What a report says, as facts to record; whatever the venue calls it, a report of an order also accepts it."""
    if report.status == "rejected":
        return [RecordRejection("VENUE_REJECTED", report.reason)]
    said: list[OrderReport] = [RecordAcceptance(report.venue_order_id)] if report.venue_order_id else []
    if report.fill is not None:
        fill = report.fill
        said.append(
            RecordFill(
                fill_id=fill.fill_id,
                quantity=fill.quantity,
                price=fill.price,
                commission=fill.commission,
                venue=venue_name,
                executed_at=fill.executed_at,
            )
        )
    match report.status:
        case "cancelled":
            said.append(RecordCancellation(report.reason or "cancelled by the venue"))
        case "expired":
            said.append(RecordExpiry(report.reason or "time in force ended"))
        case "cancel_refused":
            said.append(RecordCancelRefusal(report.reason))
        case _:
            pass
    return said
