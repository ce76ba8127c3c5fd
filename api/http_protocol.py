"""HTTP for everybody: what a client may hold up, and for how long, before anything of the application runs."""

from asyncio import AbstractEventLoop, Transport
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from api.answers import problem_answer
from api.problems import Problem
from infrastructure.joined_writes import JoiningHttpProtocol

REQUEST_SECONDS_MAX = 20.0
"""How long a request may take to arrive, from its first byte (of a new connection: from its beginning) to its last."""

HEAD_BYTES_MAX = 32 * 1024
"""How large the request line and the headers may be; the longest token has a quarter of that."""

HEADERS_MAX = 100


def _raw(problem: Problem) -> bytes:
    """The problem as the last answer of a connection."""
    answer = problem_answer(problem)
    lines = [b"%b: %b\r\n" % header for header in (*answer.headers, (b"connection", b"close"))]
    return b"".join([STATUS_LINE[answer.status], *lines, b"\r\n", answer.body])


_TOO_MANY = _raw(
    Problem("TOO_MANY_CONNECTIONS", "This process has as many connections as it takes", headers={"retry-after": "1"})
)
_TOO_LARGE = _raw(
    Problem(
        "HEADERS_TOO_LARGE",
        f"The request line and the headers may have {HEAD_BYTES_MAX:,} bytes, and {HEADERS_MAX} headers",
    )
)
_TOO_LATE = _raw(Problem("REQUEST_TIMEOUT", f"The request did not arrive within {REQUEST_SECONDS_MAX:.0f} seconds"))
_NO_HTTP = _raw(Problem("INVALID_REQUEST", "This is not HTTP"))


class ConnectionLimits(NamedTuple):
    """How many connections a process takes, and for how long each may take to say what it wants."""

    connections: int
    request_seconds: float = REQUEST_SECONDS_MAX


class Config(uvicorn.Config):
    """The configuration of a server, with what its protocol allows."""

    limits = ConnectionLimits(1_000_000)


class HttpProtocol(JoiningHttpProtocol):
    """Ends connections that are too many, requests that do not end, and heads that are too large.

    It costs a request a comparison or two: bytes are counted for each read, not for each header, and what takes too long
    is found once a second for all connections.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._is_refused = False
        self._is_in_head = False
        self._read_bytes = 0
        self._since: float | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin, unless there are too many."""
        super().connection_made(transport)
        self._since = self.loop.time()
        if len(self.connections) > self._limits.connections:
            self._refuse(_TOO_MANY)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._since is None:
            self._since = self.loop.time()
        self._read_bytes = self._read_bytes + len(data) if self._is_in_head else len(data)
        if self._is_in_head and self._read_bytes > HEAD_BYTES_MAX:
            self._refuse(_TOO_LARGE)
        if not self._is_refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._since = self.loop.time() if self._since is None else self._since
        self._is_in_head = True

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._is_in_head = False
        # What was read for it bounds its head, so that hardly any is measured.
        if len(self.headers) > HEADERS_MAX or (
            self._read_bytes > HEAD_BYTES_MAX and self._head_bytes() > HEAD_BYTES_MAX
        ):
            self._refuse(_TOO_LARGE)
            raise ValueError("the head is too large")  # the parser stops
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what is no HTTP; and stop where the parser was stopped."""
        if not self._is_refused:
            self._refuse(_NO_HTTP)

    def end_if_late(self, now: float) -> None:
        """End the connection if its request should be here by now."""
        if self._since is not None and now - self._since > self._limits.request_seconds:
            self._refuse(_TOO_LATE)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self, answer: bytes) -> None:
        """Say why, unless an answer has begun, and hang up."""
        self._is_refused = True
        self._since = None
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(answer)
        self.transport.close()
