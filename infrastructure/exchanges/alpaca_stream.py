"""The venue's live stream of what happens to orders.

The connection is probed with pings, so that one that died in silence is noticed within two timeouts. It is not made
again here: whoever consumes the reports has to ask for what happened in between, and then connects again.
"""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from application.venue import (
    VenueBusyError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueUnreachableError,
)
from domain.values import OrderId
from infrastructure.exchanges.alpaca_http import is_loopback, retry_after_seconds
from infrastructure.exchanges.alpaca_reading import UnreadableError, decoded, raw_text
from infrastructure.exchanges.alpaca_updates import TradeUpdates

LISTENING: Final = VenueReport(client_order_id=OrderId(""), venue_order_id="", status="listening")

# A consumer that waits for its database must not look like a venue that stopped answering: pongs queue behind the
# messages before them.
_MESSAGES_WAITING_MAX: Final = 16_384
_CLOSE_SECONDS: Final = 1.0
_TRADE_UPDATES: Final = "trade_updates"

log = structlog.get_logger(__name__)


class _Frame(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class _Authorization(msgspec.Struct):
    status: str


class _Listening(msgspec.Struct):
    streams: list[str]


async def trade_updates(url: str, key_id: str, secret: str, timeout_seconds: float) -> AsyncIterator[VenueReport]:
    """Reports from now on. The first one, ``listening``, says that after it none is missed.

    A message that cannot be read is logged with its text, and ``listening`` comes in its place: it may have been a
    fill, which the order still shows to whoever asks.

    Raises:
        VenueUnreachableError: the stream could not be opened.
        VenueRefusedError: the venue does not accept the key, or offers no trade updates.
        VenueBusyError: the venue asks to wait before connecting again.
        VenueOutcomeUnknownError: the stream was lost, or closed by the venue.
    """
    listening, updates = False, TradeUpdates()
    try:
        async with connect(
            url,
            proxy=None if is_loopback(url) else True,
            open_timeout=timeout_seconds,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=timeout_seconds,
            ping_timeout=timeout_seconds,
            max_queue=_MESSAGES_WAITING_MAX,
            compression=None,  # messages this short take longer to deflate and inflate than to send
        ) as socket:
            async with asyncio.timeout(timeout_seconds):
                early = await _subscribe(socket, updates, key_id, secret)
            listening = True
            yield LISTENING
            for report in early:
                yield report
            async for said in socket:
                if (later := _report(said, updates)) is not None:
                    yield later
    except InvalidStatus as error:
        raise _turned_away(error) from error
    except (OSError, WebSocketException) as error:
        problem = f"{type(error).__name__} {error}"
        raise VenueOutcomeUnknownError(problem) if listening else VenueUnreachableError(problem) from error
    raise VenueOutcomeUnknownError("the venue closed the stream")


async def _subscribe(socket: ClientConnection, updates: TradeUpdates, key_id: str, secret: str) -> list[VenueReport]:
    """Sign in and ask for trade updates. Returns those that came before the venue confirmed."""
    early: list[VenueReport] = []
    await _send(socket, "authenticate", {"key_id": key_id, "secret_key": secret})
    async for said in socket:
        frame = decoded(said, _Frame)
        if frame.stream == "authorization":
            if decoded(frame.data, _Authorization).status != "authorized":
                raise VenueRefusedError("UNAUTHORIZED", "the venue does not accept the key")
            await _send(socket, "listen", {"streams": [_TRADE_UPDATES]})
        elif frame.stream == "listening":
            if _TRADE_UPDATES not in decoded(frame.data, _Listening).streams:
                raise VenueRefusedError("NO_TRADE_UPDATES", "the venue offers no trade updates")
            return early
        elif (report := _report(said, updates)) is not None:
            early.append(report)
    raise VenueUnreachableError("the venue closed the stream before it had begun")


async def _send(socket: ClientConnection, action: str, data: object) -> None:
    await socket.send(msgspec.json.encode({"action": action, "data": data}).decode())


def _report(said: str | bytes, updates: TradeUpdates) -> VenueReport | None:
    """The report in a frame; None in a frame about something else."""
    try:
        frame = decoded(said, _Frame)
        return updates.read(frame.data) if frame.stream == _TRADE_UPDATES else None
    except UnreadableError as error:
        log.error("venue_update_unreadable", problem=str(error), raw=raw_text(said))  # noqa: TRY400 - no traceback: the text is what helps
        return LISTENING


def _turned_away(error: InvalidStatus) -> Exception:
    """What it means that the venue answered the request for a stream with an ordinary HTTP answer."""
    status = error.response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return VenueBusyError(retry_after_seconds(error.response.headers.get("Retry-After")))
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return VenueRefusedError(f"HTTP_{status}", f"the venue refuses its stream: {error}")
    return VenueUnreachableError(f"the venue does not offer its stream: {error}")
