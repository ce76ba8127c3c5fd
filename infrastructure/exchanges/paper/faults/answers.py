"""The way of requests to the endpoints and of their answers back, and what goes wrong on it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, assert_never

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infrastructure.exchanges.paper.dialect import Json, encode
from infrastructure.exchanges.paper.faults.occasions import occasion_of
from infrastructure.exchanges.paper.faults.rules import (
    AcceptThenTimeout,
    Answer,
    DropBeforeAccept,
    Ignore,
    KeepPredecessor,
    Malformed,
    Occasion,
    On,
    Refuse,
    RefuseLater,
    Reject,
    RequestFault,
    UnknownFor,
)
from infrastructure.exchanges.paper.problems import answer
from infrastructure.exchanges.paper.refusals import OrderNotFound
from infrastructure.exchanges.paper.requests import BODY_SIZE_MAX
from infrastructure.exchanges.paper.rest import VERDICT
from infrastructure.exchanges.paper.venue import Venue

HALF_AN_ANSWER: Final = b'{"id": "61e6'

_OPERATOR: Final = ("/control/", "/healthz")
_TOO_MANY_REQUESTS: Final = 429

Wires = Callable[[Scope], Sequence[asyncio.Transport]]
"""Finds the connection a request came in on, which is gone when its client is."""


class FaultyAnswers:
    """Stands in front of a venue's endpoints, except those of its operator, and does to requests what the rules say.

    Args:
        app: The endpoints and the stream.
        venue: What they trade on.
        wires: Finds what can be cut.
    """

    def __init__(self, app: ASGIApp, venue: Venue, wires: Wires) -> None:
        self._app = app
        self._venue = venue
        self._wires = wires
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End every wait, since the venue stops."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one connection to the stream."""
        match scope["type"]:
            case "websocket":
                await self._connect(scope, receive, send)
            case "http" if self._venue.faults and not scope["path"].startswith(_OPERATOR):
                await self._request(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        wires = self._wires(scope)
        occasion = Occasion(On.STREAM)
        wait_seconds, fault = self._venue.faults.on_request(occasion)
        await self._pause(wait_seconds)
        if fault is not None:
            await self._meet(fault, occasion, scope, receive, send)
            return
        with self._venue.reports.connection(lambda: _cut(wires)):
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, receive = await _read_ahead(receive)
        occasion = occasion_of(scope, body, self._venue)
        wait_seconds, fault = self._venue.faults.on_request(occasion)
        await self._pause(wait_seconds)
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._meet(fault, occasion, scope, receive, send)

    async def _meet(self, fault: RequestFault, occasion: Occasion, scope: Scope, receive: Receive, send: Send) -> None:
        match fault:
            case DropBeforeAccept():
                await _hang_up(self._wires(scope), receive)
            case AcceptThenTimeout():
                wires = self._wires(scope)
                await self._act(scope, receive)
                await self._pause(fault.seconds)
                await _hang_up(wires, receive)
            case Answer():
                if fault.after_acting:
                    await self._act(scope, receive)
                await _trouble(fault)(scope, receive, send)
            case Refuse():
                refusal: Json = {"code": fault.code, "message": fault.message}
                await _json(encode(refusal), fault.status)(scope, receive, send)
            case Reject() | RefuseLater() | Ignore() | KeepPredecessor():
                await self._app({**scope, VERDICT: fault}, receive, send)
            case UnknownFor():
                response = await answer(Request(scope), OrderNotFound(str(occasion.client_order_id)))
                await response(scope, receive, send)
            case Malformed():
                await self._act(scope, receive)
                await _json(HALF_AN_ANSWER)(scope, receive, send)
            case _:
                assert_never(fault)

    async def _act(self, scope: Scope, receive: Receive) -> None:
        """Meet a request and keep the answer; to open a stream that is then closed is to do nothing."""
        if scope["type"] == "http":
            await self._app(scope, receive, _keep_silent)

    async def _pause(self, seconds: float) -> None:
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()


async def _read_ahead(receive: Receive) -> tuple[bytes, Receive]:
    """The body of a request, as far as anybody will read it, and a way to receive it all again."""
    messages: deque[Message] = deque()
    body = bytearray()
    is_complete = False
    while not is_complete and len(body) <= BODY_SIZE_MAX:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        is_complete = not message.get("more_body", False)

    async def receive_again() -> Message:
        return messages.popleft() if messages else await receive()

    return bytes(body), receive_again


def _cut(wires: Sequence[asyncio.Transport]) -> None:
    for wire in wires:
        wire.abort()


async def _hang_up(wires: Sequence[asyncio.Transport], receive: Receive) -> None:
    """Cut the connection, and stay until the server has noticed, or it would answer for us."""
    _cut(wires)
    while not (await receive())["type"].endswith(".disconnect"):
        pass


async def _keep_silent(_message: Message) -> None:
    pass


def _trouble(fault: Answer) -> Response:
    response = _json(encode({"code": fault.status * 100_000, "message": "the venue is in trouble"}), fault.status)
    retry_after = 1 if fault.retry_after is None and fault.status == _TOO_MANY_REQUESTS else fault.retry_after
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")
