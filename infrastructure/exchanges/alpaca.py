"""Alpaca's Trading API as a venue: the same adapter for the real one and for every server that speaks like it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from http import HTTPStatus
from re import IGNORECASE
from re import compile as pattern
from types import TracebackType
from typing import Final, Self

import structlog

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
from infrastructure.exchanges.alpaca_history import NOT_OPENED, tell
from infrastructure.exchanges.alpaca_http import AlpacaHttp, is_loopback
from infrastructure.exchanges.alpaca_instruments import read_instruments
from infrastructure.exchanges.alpaca_orders import (
    WireOrder,
    named,
    order_request,
    read_order,
    read_order_named,
    replacement_name,
    replacement_request,
)
from infrastructure.exchanges.alpaca_questions import Questions, is_order_id
from infrastructure.exchanges.alpaca_stream import trade_updates

CONNECTIONS_MAX: Final = 16
# A cancel never waits for orders and questions: it has connections of its own.
CANCEL_CONNECTIONS_MAX: Final = 4
NO_ANSWER: Final = (VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError)
# Alpaca has written it with underscores and with spaces.
_DUPLICATE: Final = pattern(rb"client[_ -]?order[_ -]?id must be unique", IGNORECASE)

log = structlog.get_logger(__name__)


class AlpacaVenue:
    """The venue behind one key. An async context manager: leaving it closes its connections.

    Args:
        base_url: The Trading API, without ``/v2`` at its end.
        stream_url: Its stream, ending in ``/stream``.
        data_url: The Market Data API, for reference prices.
        key_id: The key.
        secret: The key's secret.
        timeout_seconds: The deadline of one request, from the wait for a connection to the last byte of the answer.
        name: What fills from here are labelled with.
    """

    def __init__(
        self,
        *,
        base_url: str,
        stream_url: str,
        data_url: str,
        key_id: str,
        secret: str,
        timeout_seconds: float,
        name: str = "alpaca",
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._stream_url = stream_url
        self._data_url = data_url.rstrip("/")
        self._key_id = key_id
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._http, self._cancels = (
            AlpacaHttp(
                key_id=key_id,
                secret=secret,
                timeout_seconds=timeout_seconds,
                direct=is_loopback(base_url),
                connections=connections,
            )
            for connections in (CONNECTIONS_MAX, CANCEL_CONNECTIONS_MAX)
        )
        self._questions = Questions(self._http, self._base_url)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        await self._cancels.__aenter__()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cancels.__aexit__(error_type, error, trace)
        await self._http.__aexit__(error_type, error, trace)

    async def submit(self, order: VenueOrder) -> Sequence[VenueReport]:
        """Send the order; the reports say what became of it, and of its leg, at once.

        Raises:
            VenueRefusedError: the venue said no, and the order is not there.
            VenueUnreachableError, VenueBusyError: the venue never saw it, or did not act on it.
            VenueOutcomeUnknownError: it may or may not be there.
        """
        answer = await self._http.send("POST", f"{self._base_url}/v2/orders", content=order_request(order))
        leg = None if order.leg is None else order.leg.client_order_id
        if not answer.refused:
            placed = read_order_named(answer.body, order.client_order_id)
            reports = tell(order.client_order_id, [placed], await self._executions_so_far([placed]))
            return [*reports, *await self._leg_so_far(leg, placed)]
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and _DUPLICATE.search(answer.body):
            return await self._already_there(Sought(client_order_id=order.client_order_id, leg=leg))
        raise answer.refusal()

    async def find(self, sought: Sought) -> Sequence[VenueReport]:
        """Everything the venue knows of the order and its leg, whatever their state. Empty: it does not know it.

        Raises:
            VenueUnreachableError, VenueBusyError: the venue could not be asked.
            VenueOutcomeUnknownError: no answer, or one that says nothing of the order, or of the replacement that is
                asked for; also where the venue refuses to say, since a refused question proves nothing.
        """
        orders = await self._questions.orders_of(sought)
        if not orders:
            return []
        executions = await self._questions.executions_of(orders)
        reports = tell(sought.client_order_id, orders, executions, replacement=sought.replacement)
        return reports if sought.leg is None else [*reports, *await self._leg(sought.leg, orders)]

    async def cancel(self, venue_order_id: str) -> None:
        """Ask for the order to be cancelled; the outcome comes as a report. Never waits for other requests.

        Raises:
            VenueRefusedError: the order is not there, is over, or cannot be cancelled now.
            VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError: as for `submit`.
        """
        answer = await self._cancels.send("DELETE", self._url_of(venue_order_id))
        if answer.refused:
            raise answer.refusal()

    async def replace(self, replacement: VenueReplacement) -> Sequence[VenueReport]:
        """Ask for other terms; the reports say what became of it at once.

        Alpaca's yes to a replacement promises nothing, so what came of it is looked up.

        Raises:
            VenueRefusedError: the venue said no, and has not done it before either.
            VenueUnreachableError, VenueBusyError: the venue never saw it, or did not act on it.
            VenueOutcomeUnknownError: it may or may not be carried out; also while the venue has not decided.
        """
        name = replacement_name(replacement.client_order_id, replacement.number)
        url = self._url_of(replacement.venue_order_id)
        answer = await self._http.send("PATCH", url, content=replacement_request(replacement))
        if answer.refused and answer.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise answer.refusal()
        venue_order_id = replacement.venue_order_id if answer.refused else read_order_named(answer.body, name).id
        sought = Sought(
            client_order_id=replacement.client_order_id,
            venue_order_id=venue_order_id,
            replacement=replacement.number,
        )
        try:
            orders = await self._questions.orders_of(sought)
        except NO_ANSWER as error:
            problem = f"the venue could not be asked what became of the replacement: {error}"
            raise VenueOutcomeUnknownError(problem) from error
        is_shown = any(order.client_order_id == name for order in orders)
        was_replaced = bool(orders) and orders[-1].status == "replaced"  # by what the venue does not show
        if is_shown or was_replaced:
            executions = await self._executions_so_far(orders)
            return tell(replacement.client_order_id, orders, executions, replacement=replacement.number)
        if not answer.refused or _DUPLICATE.search(answer.body):
            raise VenueHasOrderError("the venue says that it has the replacement, and that it does not")
        raise answer.refusal()

    async def working_orders(self) -> Sequence[WorkingOrder]:
        """Every order of the account that works right now; what cannot be read is logged as an error and left out.

        Raises:
            VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError: no complete list could be had.
        """
        return await self._questions.working_orders()

    async def executions(self, after: datetime) -> Sequence[VenueReport]:
        """Every fill, bust and correction of the account after a moment, oldest first; some from shortly before, too.

        What cannot be read is logged as an error and left out.

        Raises:
            VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError: no complete list could be had.
        """
        return [execution.report(OrderId("")) for execution in await self._questions.executions(after)]

    async def client_order_id(self, venue_order_id: str) -> OrderId | None:
        """Whose order that is, as in a report; None when the venue does not know it.

        Raises:
            VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError: the venue did not say.
        """
        order = await self._questions.order(venue_order_id)
        return None if order is None else named(order.client_order_id)[0]

    def reports(self) -> AsyncIterator[VenueReport]:
        """The live stream of reports; the first, ``listening``, says that after it none is missed.

        Raises:
            VenueUnreachableError, VenueRefusedError, VenueBusyError: it could not be opened.
            VenueOutcomeUnknownError: it was lost; ask for what happened since, and call this again.
        """
        return trade_updates(self._stream_url, self._key_id, self._secret, self._timeout_seconds)

    async def instruments(self) -> Sequence[Instrument]:
        """All active stocks and crypto pairs; the tradable ones with their last price, where it can be had.

        Raises:
            VenueRefusedError, VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError: no list could be had.
        """
        return await read_instruments(self._http, self._base_url, self._data_url)

    async def _already_there(self, sought: Sought) -> Sequence[VenueReport]:
        """The reports of an order that the venue knows to have; whatever goes wrong here, it must not look refused."""
        try:
            reports = await self.find(sought)
        except NO_ANSWER as error:
            raise VenueHasOrderError(f"the venue has the order but could not be asked for it: {error}") from error
        if not reports:
            raise VenueHasOrderError("the venue says that it has the order, and that it does not")
        return reports

    async def _executions_so_far(self, orders: Sequence[WireOrder]) -> Sequence[Execution]:
        """The executions of these orders; if they cannot be had now, the stream or a query brings them."""
        try:
            return await self._questions.executions_of(orders)
        except NO_ANSWER as error:
            log.warning("venue_fills_missing", order_id=orders[0].client_order_id, problem=str(error))
            return []

    async def _leg(self, leg: OrderId, orders: Sequence[WireOrder]) -> Sequence[VenueReport]:
        """The reports of the order that went along as a leg of these orders.

        An order that is shown without legs twice, by its name and by its id, has none.
        """
        shown = next((order.legs[0] for order in orders if order.legs), None)
        if shown is None:
            main = await self._questions.order(orders[0].id)
            if main is None:
                return []
            if not main.legs:
                return [VenueReport(client_order_id=leg, venue_order_id="", status="rejected", reason=NOT_OPENED)]
            shown = main.legs[0]
        line = await self._questions.line_of(read_order(shown))
        return tell(leg, line, await self._questions.executions_of(line))

    async def _leg_so_far(self, leg: OrderId | None, placed: WireOrder) -> Sequence[VenueReport]:
        """The reports of the leg, if there is one and it can be found now; else a query brings them."""
        if leg is None:
            return []
        try:
            return await self._leg(leg, [placed])
        except NO_ANSWER as error:
            log.warning("venue_leg_missing", order_id=placed.client_order_id, leg=leg, problem=str(error))
            return []

    def _url_of(self, venue_order_id: str) -> str:
        if not is_order_id(venue_order_id):
            raise VenueRefusedError("INVALID_ORDER_ID", f"{venue_order_id!r} is no order id")
        return f"{self._base_url}/v2/orders/{venue_order_id}"
