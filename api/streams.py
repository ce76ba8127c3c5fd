"""Status messages to traders as they happen, by WebSocket and by server-sent events."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import NamedTuple

import msgspec
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.answers import Answer, json_answer
from api.auth import TRADER, require_role, unauthenticated
from api.endpoints import Call, Running
from api.fan_out import ClosingError, ExpiredError, Message, Stream, TooSlowError
from api.problems import STATUS_OF, Problem
from api.requests import parse_last_event_id, parse_query
from api.schemas import StreamQuery
from api.seats import SeatedEvents
from application.ports import EventsArchivedError, StoreUnavailableError
from application.status import time_text
from domain.values import TraderId
from infrastructure.metrics import Metrics

log = logging.getLogger(__name__)

TICKET_SECONDS = 60
_END_MAX = 10**15 - 1
_END_OF_TICKET = re.compile(r"\.([0-9]{1,15})\Z")

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
EXPIRED = Close(4401, "The token has expired; resume with `after` and another one")
TOO_SLOW = Close(4408, "Too slow to follow; resume with `after`")


async def issue_ticket(call: Call) -> Answer:
    """A ticket that opens one stream of the trader."""
    now = call.engine.clock.now()
    expires_at = now + timedelta(seconds=TICKET_SECONDS)
    # A fresh identifier is 122 random bits, which is what a secret needs. The stream ends when the token would: nobody
    # can change when that is, because a ticket is known by a digest of its whole text.
    ticket = f"{call.engine.trading.ids.new()}.{min(int(call.caller.expires_at), _END_MAX)}"
    await call.running.tickets.issue(ticket, call.trader_id, now, expires_at)
    return json_answer({"ticket": ticket, "expires_at": time_text(expires_at)}, 201)


async def stream_orders(call: Call) -> ASGIApp:
    """The trader's status messages as server-sent events; ``id`` is the position."""
    query: StreamQuery = call.query
    last = parse_last_event_id(call.headers)
    running = call.running
    follower = await _follower_of(running, query, call.headers, call.address)
    call.standing = await running.admission.admit(None, follower.trader_id)
    running.seats.check(follower.trader_id)
    after = await _beginning(running, query.after if last is None else last)
    stream = Stream(running.fan_out, follower.trader_id)
    seconds = follower.until - running.engine.clock.now().timestamp()
    return SeatedEvents(_sse(stream, after, seconds, running.engine.metrics), running.seats, follower.trader_id)


async def order_events(socket: WebSocket) -> None:
    """The trader's status messages, one to a WebSocket message."""
    running: Running = socket.app.state.running
    close: Close | None
    try:
        query = parse_query(StreamQuery, socket.scope["query_string"])
        address = running.admission.address_of(socket.scope)
        follower = await _follower_of(running, query, dict(socket.scope["headers"]), address)
        await running.admission.admit(address, follower.trader_id)
        running.seats.check(follower.trader_id)
        after = await _beginning(running, query.after)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
        # A browser learns the code only of a socket that was open.
        await socket.accept()
        close = _why(error)
        if isinstance(error, Problem):
            running.engine.metrics.refusals.labels(error.code).inc()
    else:
        with running.seats.taken(follower.trader_id):
            await socket.accept()
            close = await _serve(socket, running, follower, after)
    await _close(socket, close)


class _Follower(NamedTuple):
    """Whose messages a stream tells, and until when, in seconds since 1970."""

    trader_id: TraderId
    until: float


async def _follower_of(running: Running, query: StreamQuery, headers: Mapping[bytes, bytes], address: str) -> _Follower:
    if query.ticket is not None:
        running.admission.check(address)
        trader_id = await running.tickets.redeem(query.ticket, running.engine.clock.now())
        until = _END_OF_TICKET.search(query.ticket)
        if trader_id is None or until is None:
            problem = unauthenticated("The ticket was used before, has expired, or is not one of ours")
            raise await running.admission.failed(address, problem)
        return _Follower(trader_id, float(until[1]))
    gate = running.gate
    identity = await (gate.identify(query.token, address) if query.token is not None else gate.bearer(headers, address))
    require_role(identity, frozenset({TRADER}))
    return _Follower(identity.trader_id, identity.expires_at)


async def _beginning(running: Running, after: int | None) -> int:
    """Where a stream begins: after what is in the log by now when the client does not say.

    Raises:
        EventsArchivedError: what comes after it is not in the database any more.
    """
    if after is None:
        return await running.engine.store.position()
    await running.engine.store.see_that_all_is_here(after)
    if after < running.fan_out.position:
        running.engine.metrics.gaps.labels("resumed").inc()
    return after


async def _sse(stream: Stream, after: int, seconds: float, metrics: Metrics) -> AsyncIterator[bytes]:
    expiring = asyncio.get_running_loop().call_later(max(0.0, seconds), stream.expire)
    try:
        with metrics.streaming("sse"):
            async with aclosing(stream.messages(after)) as messages:
                async for message in messages:
                    yield f"id: {message.position}\ndata: {message.text}\n\n".encode()
    except (TooSlowError, ExpiredError, ClosingError, StoreUnavailableError) as error:
        if isinstance(error, TooSlowError):
            metrics.gaps.labels("too_slow").inc()
        # The browser comes back by itself, with the id of the last event it has; others are told why and how.
        yield b"event: close\ndata: %b\n\n" % msgspec.json.encode(_why(error)._asdict())
    finally:
        expiring.cancel()


async def _serve(socket: WebSocket, running: Running, follower: _Follower, after: int) -> Close | None:
    """Send until something ends it; None: the client left."""
    stream = Stream(running.fan_out, follower.trader_id)
    stream.write = socket.scope.get("extensions", {}).get(FRAMES, {}).get("write")
    sending = asyncio.create_task(_send(socket, stream.messages(after)), name="socket-send")
    stream.on_overflow = sending.cancel
    reading = asyncio.create_task(_ignore(socket), name="socket-read")
    seconds = max(0.0, follower.until - running.engine.clock.now().timestamp())
    expiring = asyncio.get_running_loop().call_later(seconds, stream.expire)
    try:
        with running.engine.metrics.streaming("websocket"):
            await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        expiring.cancel()
        sending.cancel()
        reading.cancel()
        await asyncio.gather(sending, reading, return_exceptions=True)
        stream.on_overflow = stream.write = None  # circles, in which all of this would stay
    if stream.is_too_slow:
        running.engine.metrics.gaps.labels("too_slow").inc()
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
        case ExpiredError():
            return EXPIRED
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
