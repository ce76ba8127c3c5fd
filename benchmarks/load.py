"""``python -m benchmarks.load``: a process that sends requests and measures the answers, told how on standard input.

It speaks just enough HTTP/1.1 to cost little beside the server that it measures.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle
from subprocess import PIPE, Popen
from time import perf_counter
from typing import Any, NamedTuple

import uvloop

from benchmarks.rounds import percentile


class Load(NamedTuple):
    """What to send: requests, in turn, over so many connections for so long. ``rate`` a second; 0: as fast as possible."""

    host: str
    port: int
    connections: int
    seconds: float
    requests: Sequence[str]
    rate: float = 0.0


class Answered(NamedTuple):
    """What came back: answers a second, how long the slowest 1 in 100 and the median took, statuses other than wanted."""

    per_second: float
    p50_ms: float
    p99_ms: float
    others: int


def send(load: Load) -> Answered:
    """Send the load from a process of its own."""
    with Popen([sys.executable, "-m", "benchmarks.load"], stdin=PIPE, stdout=PIPE, text=True) as process:
        output, _ = process.communicate(json.dumps(load))
    return Answered(*json.loads(output))


def request(host: str, path: str, token: str, body: Any) -> str:  # noqa: ANN401 - whatever JSON takes
    """A POST as it goes over the wire."""
    content = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
    )


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bool] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # of a stream, it is one

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and self._answer is not None and len(body) >= _length(head):
            self._received = b""
            self._answer.set_result(head.startswith(b"HTTP/1.1 201"))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError())

    def ask(self, content: bytes) -> "asyncio.Future[bool]":
        self._answer = asyncio.get_running_loop().create_future()
        assert self._transport is not None  # noqa: S101 - it is connected
        self._transport.write(content)
        return self._answer


def _length(head: bytes) -> int:
    at = head.lower().index(b"content-length:")
    return int(head[at + 15 : head.find(b"\r\n", at)] if b"\r\n" in head[at:] else head[at + 15 :])


async def _send(load: Load) -> Answered:
    requests = cycle([each.encode() for each in load.requests])
    turns = _turns(load)
    took: list[float] = []
    others = 0

    async def send_on() -> None:
        nonlocal others
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, load.host, load.port)
        for at in turns:
            wait = begun + at - perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            asked = perf_counter()
            others += not await connection.ask(next(requests))
            took.append(perf_counter() - asked)

    begun = perf_counter()
    await asyncio.gather(*(send_on() for _ in range(load.connections)))
    per_second = len(took) / (perf_counter() - begun)
    return Answered(per_second, 1000 * percentile(took, 0.5), 1000 * percentile(took, 0.99), others)


def _turns(load: Load) -> Iterator[float]:
    """When to send the next request, in seconds since the beginning."""
    if load.rate:
        yield from (number / load.rate for number in range(int(load.rate * load.seconds)))
        return
    begun = perf_counter()
    while perf_counter() - begun < load.seconds:
        yield 0.0


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_send(Load(*json.loads(sys.stdin.read()))))))  # noqa: T201 - the answer
