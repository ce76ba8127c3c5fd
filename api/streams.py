"""Status messages to traders as they happen, by WebSocket and by server-sent events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import NamedTuple

from starlette.responses import StreamingResponse
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.answers import EVENT_STREAM, SAFE_HEADERS, Answer, json_answer
from api.auth import TRADER, require_role, unauthenticated
from api.endpoints import Call, Running
from api.fan_out import ClosingError, Message, Stream, TooSlowError
from api.problems import STATUS_OF, Problem
from api.requests import parse_last_event_id, parse_query
from api.schemas import StreamQuery
from api.views import time_text
from application.ports import EventsArchivedError, StoreUnavailableError
from domain.values import TraderId

log = logging.getLogger(__name__)

TICKET_SECONDS = 60

FRAMES = "orderlog.frames"
"""The extension of our own server: ``write`` takes a whole frame; see ``Stream.write``."""

_SEND_SECONDS_MAX = 10.0
_IGNORED_MAX = 100
_IGNORED_SECONDS = 60.0
_REASON_BYTES_MAX = 120


class Close(NamedTuple):
    """Why a WebSocket is closed; codes from 4400 are HTTP's with 4000 added."""

    code: int
    reason: str


BAD_DATA = Close(1008, "Too many messages: this socket only speaks")
FAILED = Close(1011, "Something went wrong on our side")
GOING_AWAY = Close(1012, "The service restarts; resume with `after`")
TRY_AGAIN = Close(1013, "The order log cannot be reached; resume with `after`")
TOO_SLOW = Close(4408, "Too slow to follow; resume with `after`")


async def issue_ticket(call: Call) -> Answer:
    """A ticket that opens one stream of the trader."""
    now = call.engine.clock.now()
    expires_at = now + timedelta(seconds=TICKET_SECONDS)
    # A fresh identifier is 122 random bits, which is what a secret needs.
    ticket = call.engine.trading.ids.new()
    await call.running.tickets.issue(ticket, call.trader_id, now, expires_at)
    return json_answer({"ticket": ticket, "expires_at": time_text(expires_at)}, 201)


async def stream_orders(call: Call) -> ASGIApp:
    """The trader's status messages as server-sent events; ``id`` is the position."""
    query: StreamQuery = call.query
    last = parse_last_event_id(call.headers)
    trader_id = await _trader_of(call.running, query, call.headers)
    after = await _beginning(call.running, query.after if last is None else last)
    stream = Stream(call.running.fan_out, trader_id)
    return StreamingResponse(_sse(stream, after), headers=SAFE_HEADERS, media_type=EVENT_STREAM)


async def order_events(socket: WebSocket) -> None:
    """The trader's status messages, one to a WebSocket message."""
    running: Running = socket.app.state.running
    close: Close | None
    try:
        query = parse_query(StreamQuery, socket.scope["query_string"])
        trader_id = await _trader_of(running, query, dict(socket.scope["headers"]))
        after = await _beginning(running, query.after)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
        # A browser learns the code only of a socket that was open.
        await socket.accept()
        close = _why(error)
    else:
        await socket.accept()
        close = await _serve(socket, running, trader_id, after)
    await _close(socket, close)


async def _trader_of(running: Running, query: StreamQuery, headers: Mapping[bytes, bytes]) -> TraderId:
    if query.ticket is not None:
        trader_id = await running.tickets.redeem(query.ticket, running.engine.clock.now())
        if trader_id is None:
            raise unauthenticated("The ticket was used before, has expired, or is not one of ours")
        return trader_id
    gate = running.gate
    identity = await (gate.identify(query.token) if query.token is not None else gate.bearer(headers))
    require_role(identity, frozenset({TRADER}))
    return identity.trader_id


async def _beginning(running: Running, after: int | None) -> int:
    """Where a stream begins: after what is in the log by now when the client does not say.

    Raises:
        EventsArchivedError: what comes after it is not in the database any more.
    """
    if after is None:
        return await running.engine.store.position()
    await running.engine.store.see_that_all_is_here(after)
    return after


async def _sse(stream: Stream, after: int) -> AsyncIterator[bytes]:
    try:
        async with aclosing(stream.messages(after)) as messages:
            async for message in messages:
                yield f"id: {message.position}\ndata: {message.text}\n\n".encode()
    except (TooSlowError, ClosingError, StoreUnavailableError):
        return  # the browser comes back by itself, with the id of the last event it has


async def _serve(socket: WebSocket, running: Running, trader_id: TraderId, after: int) -> Close | None:
    """Send until something ends it; None: the client left."""
    stream = Stream(running.fan_out, trader_id)
    stream.write = socket.scope.get("extensions", {}).get(FRAMES, {}).get("write")
    sending = asyncio.create_task(_send(socket, stream.messages(after)), name="socket-send")
    stream.on_overflow = sending.cancel
    reading = asyncio.create_task(_ignore(socket), name="socket-read")
    try:
        await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        reading.cancel()
        await asyncio.gather(sending, reading, return_exceptions=True)
    if stream.is_too_slow:
        return TOO_SLOW
    if not reading.cancelled():
        return reading.result()
    return sending.result()


async def _send(socket: WebSocket, messages: AsyncGenerator[Message, None]) -> Close | None:
    try:
        async with aclosing(messages):
            async for message in messages:
                async with asyncio.timeout(_SEND_SECONDS_MAX):
                    await socket.send({"type": "websocket.send", "text": message.text})
    except WebSocketDisconnect:
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
        return _why(error)
    return None


def _why(error: Exception) -> Close:
    """How the error ends a socket."""
    match error:
        case Problem():
            return Close(4000 + error.status, error.detail)
        case TooSlowError() | TimeoutError():
            return TOO_SLOW
        case ClosingError():
            return GOING_AWAY
        case StoreUnavailableError():
            return TRY_AGAIN
        case EventsArchivedError():
            return Close(4000 + STATUS_OF["EVENTS_ARCHIVED"], str(error))
        case _:
            log.error("a socket failed", exc_info=error)
            return FAILED


async def _ignore(socket: WebSocket) -> Close | None:
    """Read until the client leaves, or says too much."""
    clock = asyncio.get_running_loop().time
    count, since = 0, clock()
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        if clock() - since > _IGNORED_SECONDS:
            count, since = 0, clock()
        count += 1
        if count > _IGNORED_MAX:
            return BAD_DATA


async def _close(socket: WebSocket, close: Close | None) -> None:
    if close is not None:
        reason = close.reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
        with suppress(WebSocketDisconnect, RuntimeError):  # the client was faster
            await socket.close(close.code, reason)
