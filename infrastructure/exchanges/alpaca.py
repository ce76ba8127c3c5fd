"""Alpaca's Trading API as a venue: the same adapter for the real one and for every server that speaks like it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, timedelta
from http import HTTPStatus
from re import IGNORECASE
from re import compile as pattern
from types import TracebackType
from typing import Final, Self

import structlog

from application.ports import (
    Instrument,
    VenueBusyError,
    VenueFill,
    VenueHasOrderError,
    VenueOrder,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueUnreachableError,
)
from domain.values import ZERO, FillId, OrderId
from infrastructure.exchanges.alpaca_dialect import WireOrder, order_request, read_fills, read_order, reports_of
from infrastructure.exchanges.alpaca_http import AlpacaHttp, is_loopback
from infrastructure.exchanges.alpaca_instruments import read_instruments
from infrastructure.exchanges.alpaca_stream import trade_updates

FILLS_PER_PAGE: Final = 100
# The clocks of the order desk and of the exchange may differ a little, and a fill must not be missed for that.
_CLOCKS_DIFFER_BY_MAX: Final = timedelta(seconds=1)
# Alpaca has written it with underscores and with spaces.
_DUPLICATE: Final = pattern(rb"client[_ -]?order[_ -]?id must be unique", IGNORECASE)
# An order id goes into a path, where an empty one would cancel every order of the account.
_ORDER_ID: Final = pattern(r"[A-Za-z0-9_-]{1,64}")

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
        self._http = AlpacaHttp(
            key_id=key_id, secret=secret, timeout_seconds=timeout_seconds, direct=is_loopback(base_url)
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(error_type, error, trace)

    async def submit(self, order: VenueOrder) -> Sequence[VenueReport]:
        """Send the order; the reports say what became of it at once.

        Raises:
            VenueRefusedError: the venue said no, and the order is not there.
            VenueUnreachableError, VenueBusyError: the venue never saw it, or did not act on it.
            VenueOutcomeUnknownError: it may or may not be there.
        """
        answer = await self._http.send("POST", f"{self._base_url}/v2/orders", content=order_request(order))
        if not answer.refused:
            placed = read_order(answer.body, order.client_order_id)
            return reports_of(placed, await self._fills_so_far(placed))
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and _DUPLICATE.search(answer.body):
            return await self._already_there(order.client_order_id)
        raise answer.refusal()

    async def find(self, client_order_id: OrderId) -> Sequence[VenueReport]:
        """Everything the venue knows of the order, whatever its state. Empty: it does not know it.

        Raises:
            VenueUnreachableError, VenueBusyError: the venue could not be asked.
            VenueOutcomeUnknownError: no answer, or one that says nothing of the order; also where the venue refuses to
                say, since a refused question proves nothing about the order.
        """
        url = f"{self._base_url}/v2/orders:by_client_order_id"
        answer = await self._http.send("GET", url, params={"client_order_id": client_order_id})
        if answer.status == HTTPStatus.NOT_FOUND:
            return []
        if answer.refused:
            raise VenueOutcomeUnknownError(f"the venue refuses to show the order: {answer.refusal()}")
        order = read_order(answer.body, client_order_id)
        return reports_of(order, await self._fills(order))

    async def cancel(self, venue_order_id: str) -> None:
        """Ask for the order to be cancelled; the outcome comes as a report.

        Raises:
            VenueRefusedError: the order is not there, is over, or cannot be cancelled now.
            VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError: as for `submit`.
        """
        if not _ORDER_ID.fullmatch(venue_order_id):
            raise VenueRefusedError("INVALID_ORDER_ID", f"{venue_order_id!r} is no order id")
        answer = await self._http.send("DELETE", f"{self._base_url}/v2/orders/{venue_order_id}")
        if answer.refused:
            raise answer.refusal()

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

    async def _already_there(self, client_order_id: OrderId) -> Sequence[VenueReport]:
        """The reports of an order that the venue knows to have; whatever goes wrong here, it must not look refused."""
        try:
            reports = await self.find(client_order_id)
        except (VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError) as error:
            raise VenueHasOrderError(f"the venue has the order but could not be asked for it: {error}") from error
        if not reports:
            raise VenueHasOrderError("the venue says that it has the order, and that it does not")
        return reports

    async def _fills_so_far(self, order: WireOrder) -> Sequence[VenueFill]:
        """The fills of an order that was just placed; if they cannot be had now, the stream or a query brings them."""
        try:
            return await self._fills(order)
        except (VenueUnreachableError, VenueBusyError, VenueOutcomeUnknownError) as error:
            log.warning("venue_fills_missing", order_id=order.client_order_id, problem=str(error))
            return []

    async def _fills(self, order: WireOrder) -> Sequence[VenueFill]:
        """The executions of the order, from the account's activities.

        Servers older than July 2026 ignore ``order_id`` and list everybody's fills, so pages are read, oldest first,
        until all that the order has filled has been found.
        """
        fills: dict[FillId, VenueFill] = {}
        url = f"{self._base_url}/v2/account/activities/FILL"
        params = {"order_id": order.id, "direction": "asc", "page_size": str(FILLS_PER_PAGE), **_after(order)}
        while sum((fill.quantity for fill in fills.values()), ZERO) < order.filled:
            answer = await self._http.send("GET", url, params=params)
            if answer.refused:
                raise VenueOutcomeUnknownError(f"the venue refuses to show the fills: {answer.refusal()}")
            page = read_fills(answer.body, order.id)
            fills |= {fill.fill_id: fill for fill in page.fills}
            if page.entries < FILLS_PER_PAGE or page.last_id == params.get("page_token", ""):
                break
            params["page_token"] = page.last_id
        return list(fills.values())


def _after(order: WireOrder) -> dict[str, str]:
    """The parameter that leaves out activities from before the order, where the venue says when that was."""
    if order.created_at is None:
        return {}
    try:
        start = order.created_at.astimezone(UTC) - _CLOCKS_DIFFER_BY_MAX
    except OverflowError:  # a venue written in Go says year 1 where it means nothing
        return {}
    return {"after": start.strftime("%Y-%m-%dT%H:%M:%SZ")}
