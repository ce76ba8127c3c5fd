"""The port ``Venue`` of one process: a network that loses, delays, doubles and reorders, with the exchange behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from application.venue import (
    Instrument,
    Sought,
    VenueBusyError,
    VenueHasOrderError,
    VenueOrder,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReplacement,
    VenueReport,
    VenueUnreachableError,
    WorkingOrder,
)
from domain.values import OrderId
from infrastructure.exchanges.alpaca_executions import Execution
from infrastructure.exchanges.alpaca_orders import named
from infrastructure.exchanges.paper.orders import Update
from tests.simulation.exchange import AlreadyThereError, LiveExchange
from tests.simulation.faults import Fault, Faults
from tests.simulation.journal import Journal, Request
from tests.simulation.process import Process
from tests.simulation.reports import told_by_query, told_by_stream

TIMEOUT_SECONDS = 5.0
STALE_SECONDS_MAX = 1.5

_WAY_SECONDS = (0.005, 0.05)
_LISTENING = VenueReport(client_order_id=OrderId(""), venue_order_id="", status="listening")
_NOBODYS = OrderId("")
_CANCEL_DRAGS_SECONDS = (0.1, 8.0)
_LATE_MESSAGE_SECONDS = (0.05, 8.0)
_SILENCE_SECONDS = (0.0, 2 * TIMEOUT_SECONDS)

Reports = Sequence[VenueReport]
T = TypeVar("T")


class VenueConnection:
    """One process's way to the exchange.

    ``name`` is what fills from here are labelled with.
    """

    name = "simulated"

    def __init__(self, exchange: LiveExchange, process: Process, faults: Faults, journal: Journal) -> None:
        self._exchange = exchange
        self._process = process
        self._faults = faults
        self._journal = journal
        self._loop = asyncio.get_running_loop()

    async def submit(self, order: VenueOrder) -> Reports:
        """See the port."""
        request = self._request("submit", order.client_order_id)
        return await self._ask(request, lambda: self._place(order))

    async def find(self, sought: Sought) -> Reports:
        """See the port."""
        request = self._request("find", sought.client_order_id, sought.replacement)
        reports = await self._ask(request, lambda: self._show(sought))
        if not reports:
            request.outcome = "not found"
        elif sought.replacement and not any(report.replacement == sought.replacement for report in reports):
            request.outcome = "not replaced"
        return reports

    async def cancel(self, venue_order_id: str) -> None:
        """See the port."""
        await self._ask(self._request("cancel", self._named(venue_order_id)), lambda: self._cancel(venue_order_id))

    async def replace(self, replacement: VenueReplacement) -> Reports:
        """See the port."""
        request = self._request("replace", replacement.client_order_id, replacement.number)
        return await self._ask(request, lambda: self._replace(replacement))

    async def working_orders(self) -> Sequence[WorkingOrder]:
        """See the port."""
        return await self._ask(self._request("working orders"), self._list)

    async def executions(self, after: datetime) -> Reports:
        """See the port."""
        return await self._ask(self._request("executions"), lambda: self._list_executions(after))

    async def client_order_id(self, venue_order_id: str) -> OrderId | None:
        """See the port."""
        return await self._ask(self._request("name"), lambda: self._name(venue_order_id))

    async def instruments(self) -> Sequence[Instrument]:
        """Not asked for in a simulation."""
        raise NotImplementedError

    # ── What the exchange does when a request arrives ────────────────────────────────────────────────────────────────

    def _place(self, order: VenueOrder) -> Reports:
        faults, leg = self._faults, None if order.leg is None else order.leg.client_order_id
        sought = Sought(client_order_id=order.client_order_id, leg=leg)
        if faults.strikes(Fault.REFUSED):
            raise VenueRefusedError("40310000", "insufficient buying power")
        rejected_because = "the market is closed to you" if faults.strikes(Fault.REJECTED_LATER) else ""
        try:
            self._exchange.place(order, rejected_because)
        except AlreadyThereError:
            if faults.strikes(Fault.DUPLICATE_UNSEEN):
                raise VenueHasOrderError("the venue says that it has the order, and that it does not") from None
        return told_by_query(self._exchange, sought)

    def _show(self, sought: Sought) -> Reports:
        reports = told_by_query(self._exchange, sought, self._moment_shown())
        if self._faults.strikes(Fault.FILLS_MISSING):
            first = next((place for place, report in enumerate(reports) if report.fill is not None), len(reports))
            return reports[:first]
        return reports

    def _replace(self, wish: VenueReplacement) -> Reports:
        faults = self._faults
        if faults.strikes(Fault.REFUSED):
            raise VenueRefusedError("42210000", "unable to replace order")
        try:
            self._exchange.replace(
                wish,
                refused_because="too late to replace" if faults.strikes(Fault.REPLACE_REFUSED_LATER) else "",
                keeps_predecessor=faults.strikes(Fault.PREDECESSOR_KEPT),
            )
        except AlreadyThereError:
            if faults.strikes(Fault.DUPLICATE_UNSEEN):
                raise VenueOutcomeUnknownError("the venue says that it has it, and that it does not") from None
        sought = Sought(
            client_order_id=wish.client_order_id, venue_order_id=wish.venue_order_id, replacement=wish.number
        )
        return told_by_query(self._exchange, sought)

    def _cancel(self, venue_order_id: str) -> None:
        if self._faults.strikes(Fault.CANCEL_DRAGS):
            seconds = self._faults.seconds(*_CANCEL_DRAGS_SECONDS)
            self._loop.call_later(seconds, _quietly, lambda: self._exchange.cancel(venue_order_id))
        else:
            refused_because = "too late to cancel" if self._faults.strikes(Fault.CANCEL_REFUSED_LATER) else ""
            self._exchange.cancel(venue_order_id, refused_because)

    def _list(self) -> Sequence[WorkingOrder]:
        until = self._moment_shown()
        shown = [self._exchange.order(order.id, until) for order in self._exchange.exchange.orders.open()]
        return [self._exchange.working(order) for order in shown if order is not None]

    def _list_executions(self, after: datetime) -> Reports:
        until = self._moment_shown()
        exchange = self._exchange
        listed: list[VenueReport] = []
        for execution, report in zip(reversed(exchange.executions), reversed(exchange.listed_executions), strict=True):
            if execution.at <= after:
                break
            if until is None or execution.at <= until:
                listed.append(report)
        return listed[::-1]

    def _name(self, venue_order_id: str) -> OrderId | None:
        order = self._exchange.order(venue_order_id)
        return None if order is None else named(order.client_order_id)[0]

    def _named(self, venue_order_id: str) -> OrderId:
        return self._name(venue_order_id) or OrderId("unknown")

    def _moment_shown(self) -> datetime | None:
        """As of when a question is answered: mostly as of now."""
        if not self._faults.strikes(Fault.STALE_ANSWER):
            return None
        return self._exchange.now() - timedelta(seconds=self._faults.seconds(0.0, STALE_SECONDS_MAX))

    # ── What the network does with a request ─────────────────────────────────────────────────────────────────────────

    def _request(self, kind: str, order_id: OrderId = _NOBODYS, number: int = 0) -> Request:
        self._process.pass_out()
        process, task = self._process, asyncio.current_task()
        asker = "" if task is None else task.get_name()  # asyncio counts them, so that no two tasks share one
        at = self._loop.time()
        return self._journal.begin(Request(at, process.name, process.number, asker, kind, order_id, number))

    async def _ask(self, request: Request, act: Callable[[], T]) -> T:
        answer: asyncio.Future[T] = self._loop.create_future()
        self._send(request, act, answer)
        try:
            reports = await answer
        except (VenueUnreachableError, VenueBusyError, VenueRefusedError, VenueOutcomeUnknownError) as error:
            self._process.pass_out()
            request.outcome = _outcome(error)
            request.code = getattr(error, "code", "")
            raise
        else:
            self._process.pass_out()
            request.outcome = "ok"
            return reports
        finally:
            request.answered_at = self._loop.time()

    def _send(self, request: Request, act: Callable[[], T], answer: asyncio.Future[T]) -> None:
        faults, strikes, later = self._faults, self._faults.strikes, self._loop.call_later
        way = faults.seconds(*_WAY_SECONDS)
        if strikes(Fault.NO_CONNECTION):
            request.fate = "no connection"
            later(way, _fail, answer, VenueUnreachableError("connection refused"))
        elif strikes(Fault.REQUEST_LOST):
            request.fate = "lost"
            later(TIMEOUT_SECONDS, _fail, answer, VenueOutcomeUnknownError("no answer in time"))
        elif strikes(Fault.REQUEST_LATE):
            gave_up = faults.seconds(way, TIMEOUT_SECONDS)
            late = gave_up + faults.seconds(0.0, faults.latest_seconds)
            request.fate = f"arrives at {self._loop.time() + late:.3f}"
            later(gave_up, _fail, answer, VenueOutcomeUnknownError("the connection died"))
            later(late, _quietly, act)
        elif strikes(Fault.BUSY):
            request.fate = "429"
            later(2 * way, _fail, answer, VenueBusyError(1.0 + int(faults.seconds(0.0, 4.0))))
        elif strikes(Fault.ERROR_BEFORE):
            request.fate = "503, not done"
            later(2 * way, _fail, answer, VenueOutcomeUnknownError("503"))
        elif strikes(Fault.ERROR_AFTER):
            request.fate = "504, done"
            later(way, _quietly, act)
            later(2 * way, _fail, answer, VenueOutcomeUnknownError("504"))
        elif strikes(Fault.ANSWER_LOST):
            request.fate = "answer lost"
            later(way, _quietly, act)
            later(TIMEOUT_SECONDS, _fail, answer, VenueOutcomeUnknownError("no answer in time"))
        else:
            request.fate = "arrives"
            later(way, self._arrive, act, answer, faults.seconds(*_WAY_SECONDS))

    def _arrive(self, act: Callable[[], T], answer: asyncio.Future[T], way_back: float) -> None:
        try:
            reports = act()
        except (VenueRefusedError, VenueOutcomeUnknownError) as error:
            self._loop.call_later(way_back, _fail, answer, error)
        else:
            self._loop.call_later(way_back, _tell, answer, reports)

    # ── The stream ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def reports(self) -> AsyncIterator[VenueReport]:
        """See the port."""
        self._process.pass_out()
        faults = self._faults
        await asyncio.sleep(faults.seconds(*_WAY_SECONDS))
        if faults.strikes(Fault.NO_CONNECTION):
            raise VenueUnreachableError("connection refused")
        arriving: asyncio.Queue[VenueReport | Exception] = asyncio.Queue()
        wire = _Wire(arriving, self._loop, faults)
        self._exchange.listeners.append(wire.send)
        try:
            arriving.put_nowait(_LISTENING)
            while True:
                said = await arriving.get()
                self._process.pass_out()
                if isinstance(said, Exception):
                    raise said
                yield said
        finally:
            self._exchange.listeners.remove(wire.send)


class _Wire:
    """The way of the stream's messages, from the exchange to one listener."""

    def __init__(
        self,
        arriving: asyncio.Queue[VenueReport | Exception],
        loop: asyncio.AbstractEventLoop,
        faults: Faults,
    ) -> None:
        self._arriving = arriving
        self._loop = loop
        self._faults = faults
        self._way_seconds = faults.seconds(*_WAY_SECONDS)
        self._is_cut = False

    def send(self, update: Update, execution: Execution | None) -> None:
        """An update sets out, and arrives once, sooner or later; or twice, or unreadable, or never."""
        faults, loop = self._faults, self._loop
        if self._is_cut:
            return
        if faults.strikes(Fault.STREAM_DROPPED):
            # Whatever is sent from here on is lost; what was on its way has arrived or will not.
            self._is_cut = True
            error = VenueOutcomeUnknownError("the stream was lost")
            loop.call_later(faults.seconds(*_SILENCE_SECONDS), self._arriving.put_nowait, error)
            return
        report = told_by_stream(update, execution)
        if faults.strikes(Fault.MESSAGE_UNREADABLE):
            report = _LISTENING
        way = self._way_seconds
        if faults.strikes(Fault.MESSAGE_LATE):
            way += faults.seconds(*_LATE_MESSAGE_SECONDS)
        loop.call_later(way, self._arrive, report)
        if faults.strikes(Fault.MESSAGE_TWICE):
            loop.call_later(way + faults.seconds(*_LATE_MESSAGE_SECONDS), self._arrive, report)

    def _arrive(self, report: VenueReport) -> None:
        if not self._is_cut:
            self._arriving.put_nowait(report)


def _tell(answer: asyncio.Future[T], reports: T) -> None:
    if not answer.done():
        answer.set_result(reports)


def _fail(answer: asyncio.Future[T], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _quietly(act: Callable[[], object]) -> None:
    """Do it, although nobody hears what came of it."""
    with suppress(VenueRefusedError, VenueOutcomeUnknownError):
        act()


def _outcome(error: Exception) -> str:
    match error:
        case VenueUnreachableError():
            return "unreachable"
        case VenueBusyError():
            return "busy"
        case VenueRefusedError():
            return "refused"
        case VenueHasOrderError():
            return "has order"
        case _:
            return "unknown"
