"""The WebSocket at `/stream`: log in, listen to `trade_updates`, receive them in binary frames, as at Alpaca."""

import asyncio
import contextlib
from typing import Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from infrastructure.exchanges.paper.broadcast import Broadcast, Listener
from infrastructure.exchanges.paper.dialect import Json, encode

TRADE_UPDATES: Final = "trade_updates"

# Close code 1008, policy violation, and how long the farewell may take on a connection that does not drain.
_TOO_SLOW: Final = 1008
_FAREWELL_SECONDS: Final = 1


class _Details(msgspec.Struct):
    key_id: str = ""
    secret_key: str = ""
    streams: list[str] = msgspec.field(default_factory=list)


class _Message(msgspec.Struct):
    action: str
    key: str = ""
    secret: str = ""
    data: _Details = msgspec.field(default_factory=_Details)


async def serve_stream(websocket: WebSocket, updates: Broadcast) -> None:
    """Serve one connection until the client leaves or falls too far behind."""
    await websocket.accept()
    with updates.listener() as listener:
        tasks = [
            asyncio.create_task(_converse(websocket, listener)),
            asyncio.create_task(_deliver(websocket, listener)),
            asyncio.create_task(listener.is_lost.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    if listener.is_lost.is_set():
        with contextlib.suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await websocket.close(_TOO_SLOW, "too slow")


async def _converse(websocket: WebSocket, listener: Listener) -> None:
    """Answer what the client says. The answers queue with the updates, so that they arrive in order."""
    is_authorized = False
    while True:
        event = await websocket.receive()
        if event["type"] == "websocket.disconnect":
            return
        try:
            message = msgspec.json.decode(event.get("bytes") or event.get("text") or b"", type=_Message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            listener.offer(_message("error", {"error": "invalid message"}))
            continue
        match message.action:
            case "auth" | "authenticate":
                is_authorized = bool(message.key or message.data.key_id) and bool(
                    message.secret or message.data.secret_key
                )
                listener.offer(_authorization("authenticate", is_authorized=is_authorized))
            case "listen" if is_authorized:
                listener.is_subscribed = TRADE_UPDATES in message.data.streams
                streams = [TRADE_UPDATES] if listener.is_subscribed else []
                listener.offer(_message("listening", {"streams": streams}))
            case "listen":
                listener.offer(_authorization("listen", is_authorized=False))
            case _:
                listener.offer(_message("error", {"error": "unknown action"}))


async def _deliver(websocket: WebSocket, listener: Listener) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.send_bytes(await listener.messages.get())


def _authorization(action: str, *, is_authorized: bool) -> bytes:
    return _message("authorization", {"status": "authorized" if is_authorized else "unauthorized", "action": action})


def _message(stream: str, data: Json) -> bytes:
    return encode({"stream": stream, "data": data})
