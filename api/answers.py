"""Answers as they go out: bytes with few headers, never cached, never sniffed."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Problem
from api.views import order_view
from application.snapshots import Snapshot
from domain.order import Order

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
NDJSON = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"
METRICS = "text/plain; version=0.0.4; charset=utf-8"

SAFE_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
"""On every answer: it is what its content type says, and it is for the one who asked, now."""

_DATA = frozenset({JSON, PROBLEM_JSON})
_DATA_HEADERS = {
    **SAFE_HEADERS,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
"""On data: whatever a browser takes it for, it does nothing, stands in no frame, and tells nobody where it was."""

_RAW_SAFE_HEADERS = [(name.encode(), value.encode()) for name, value in SAFE_HEADERS.items()]
_RAW_DATA_HEADERS = [(name.encode(), value.encode()) for name, value in _DATA_HEADERS.items()]
_encode = msgspec.json.Encoder().encode


class Answer:
    """A whole answer, as an ASGI application. Lighter than a Starlette response, which this path cannot afford."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int, body: bytes = b"", media_type: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body
        safe = _RAW_DATA_HEADERS if media_type in _DATA else _RAW_SAFE_HEADERS
        self.headers = [*safe, (b"content-length", b"%d" % len(body))]
        if media_type:
            self.headers.append((b"content-type", media_type.encode()))
        if headers:
            self.headers += [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def add_headers(answer: ASGIApp, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Have the answer say this, too."""
    if isinstance(answer, Answer):
        answer.headers += headers
    elif isinstance(answer, Response):  # pragma: no branch - there is no third kind
        answer.raw_headers += headers


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:  # noqa: ANN401 - whatever msgspec encodes
    """The content as JSON."""
    return Answer(status, _encode(content), JSON, headers)


def etag(version: int) -> str:
    """The entity tag of a version of an order."""
    return f'"{version}"'


def order_answer(order: Snapshot[Order], status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """The order, with its version as entity tag."""
    return json_answer(order_view(order), status, {"etag": etag(order.version), **(headers or {})})


def problem_answer(problem: Problem) -> Answer:
    """The problem as its document."""
    return Answer(problem.status, _encode(problem.document()), PROBLEM_JSON, problem.headers)
