"""``python -m benchmarks.listening``: a process with many WebSockets that notes when each message arrives.

It reads what to open on standard input, says ``ready`` when everything is open, listens until its input ends, and then
prints one ``[position, milliseconds since it was recorded]`` for each message.
"""

import asyncio
import json
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from subprocess import PIPE, Popen
from time import time  # noqa: TID251 - what a clock on the wall says is measured here
from typing import NamedTuple

import uvloop

_LONG = 126
_PING, _TEXT = 0x89, 0x81


class Sockets(NamedTuple):
    """One WebSocket for each token."""

    host: str
    port: int
    tokens: Sequence[str]


class Listener:
    """The process, from outside."""

    def __init__(self, process: "Popen[str]") -> None:
        self._process = process

    def heard(self) -> list[tuple[int, float]]:
        """Stop listening: position and latency in milliseconds of every message."""
        output, _ = self._process.communicate()
        return [(position, latency_ms) for position, latency_ms in json.loads(output)]


@contextmanager
def listening(sockets: Sockets) -> Iterator[Listener]:
    """Open the WebSockets in a process of its own."""
    with Popen([sys.executable, "-m", "benchmarks.listening"], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        assert process.stdout is not None  # noqa: S101 - the same
        process.stdin.write(json.dumps(sockets) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the sockets could not be opened")
        yield Listener(process)


class _Socket(asyncio.Protocol):
    """A WebSocket that only listens, and says that it is there when it is asked."""

    def __init__(self, hello: bytes, heard: list[tuple[float, bytes]]) -> None:
        self._hello = hello
        self._heard = heard
        self._received = b""
        self._transport: asyncio.Transport
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # of a stream, it is one
        self._transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        now = time()
        self._received += data
        if not self.opened.done():
            head, found, rest = self._received.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(RuntimeError(head.decode()))
                return
            self.opened.set_result(None)
            self._received = rest
        while (frame := self._next()) is not None:
            kind, content = frame
            if kind == _TEXT:
                self._heard.append((now, content))
            elif kind == _PING:
                self._transport.write(bytes([0x8A, 0x80 | len(content), 0, 0, 0, 0]) + content)  # masked with zeros

    def _next(self) -> tuple[int, bytes] | None:
        """The kind and the content of the next frame, if all of it is here."""
        if len(self._received) < 4:  # noqa: PLR2004 - the longest head there is here
            return None
        kind, length, begins = self._received[0], self._received[1], 2
        if length == _LONG:
            length, begins = int.from_bytes(self._received[2:4], "big"), 4
        if len(self._received) < begins + length:
            return None
        content, self._received = self._received[begins : begins + length], self._received[begins + length :]
        return kind, content


async def _listen() -> None:
    sockets = Sockets(*json.loads(sys.stdin.readline()))
    heard: list[tuple[float, bytes]] = []
    loop = asyncio.get_running_loop()
    for token in sockets.tokens:
        hello = (
            f"GET /ws/orders/events?token={token} HTTP/1.1\r\nHost: {sockets.host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(bytes(16)).decode()}\r\n\r\n"
        ).encode()
        _, socket = await loop.create_connection(lambda hello=hello: _Socket(hello, heard), sockets.host, sockets.port)  # type: ignore[misc] # a lambda with a default
        await socket.opened
    print("ready", flush=True)  # noqa: T201 - whoever waits for it reads it
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.sleep(0.5)  # what is on its way
    print(json.dumps([each for at, message in heard if (each := _latency(at, message))]))  # noqa: T201 - the answer


def _latency(at: float, message: bytes) -> tuple[int, float] | None:
    told = json.loads(message)
    if told["event"] == "heartbeat":
        return None
    return told["position"], 1000 * (at - datetime.fromisoformat(told["timestamp"]).timestamp())


if __name__ == "__main__":
    uvloop.run(_listen())
