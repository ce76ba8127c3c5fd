"""What is known of every request beside its answer: its story, a line in the log, how long it took, and what failed.

A client names its story in ``X-Correlation-Id``, and its request in ``X-Request-Id``; else a trace that it is part of
(W3C ``traceparent``) is the story. Names that are not sane are not taken over. Both are in every answer.
"""

import logging
import re
from collections.abc import Iterable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import problem_answer
from api.endpoints import Running
from api.problems import problem_of
from application.ports import Ids
from application.story import TOLD, Story
from infrastructure.ids import UuidIds
from infrastructure.measuring import until_now

log = logging.getLogger("orderlog.requests")

_CORRELATION_ID, _REQUEST_ID, _TRACEPARENT = b"x-correlation-id", b"x-request-id", b"traceparent"
# No slash: names of events have one, and nobody is to pass a request off as an event.
_sane = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_trace = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")

# Who looks whether we are well looks again and again.
_QUIET = frozenset({"/livez", "/readyz", "/metrics", "/api/v1/health/orders"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class Observed:
    """Everything that the application does, observed. An ASGI application around it, made once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ids = UuidIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or socket; whatever goes wrong is reported, and told as far as anybody can still be told."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        story = story_of(scope["headers"], self._ids)
        before = TOLD.set(story)
        began, status = perf_counter(), 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                seconds = perf_counter() - began
                _count(scope, status, seconds)
                _note(scope, status, seconds)
                # The headers may be those of an answer that is given to everybody.
                message["headers"] = [*message["headers"], *_headers(story)]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:  # noqa: BLE001 - this is where it ends
            problem = problem_of(error, self._ids.new)
            running: Running = scope["app"].state.running
            running.engine.metrics.refusals.labels(problem.code).inc()
            answer = problem_answer(problem)
            if scope["type"] == "http" and not status:
                await answer(scope, receive, observed)
        finally:
            TOLD.reset(before)


def story_of(headers: Iterable[tuple[bytes, bytes]], ids: Ids) -> Story:
    """The story that the headers name, as far as they do."""
    named = {name: value for name, value in headers if name in _NAMES}
    request_id = _taken(named.get(_REQUEST_ID)) or ids.new()
    correlation_id = _taken(named.get(_CORRELATION_ID))
    if not correlation_id and (trace := _trace.fullmatch(named.get(_TRACEPARENT, b""))):
        correlation_id = trace[1].decode()
    return Story(correlation_id or request_id, request_id)


_NAMES = frozenset({_CORRELATION_ID, _REQUEST_ID, _TRACEPARENT})


def _taken(value: bytes | None) -> str:
    return value.decode() if value is not None and _sane.fullmatch(value) else ""


def _headers(story: Story) -> list[tuple[bytes, bytes]]:
    return [(_CORRELATION_ID, story.correlation_id.encode()), (_REQUEST_ID, story.causation_id.encode())]


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("endpoint"), "route", "none")
    if route in _QUIET and status < 400:  # noqa: PLR2004 - all is well
        return
    # Without the query: there may be a token in it.
    said = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(1000 * seconds, 3)}
    log.info("request", extra={"fields": said})


def _count(scope: Scope, status: int, seconds: float) -> None:
    running: Running = scope["app"].state.running
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    route = getattr(scope.get("endpoint"), "route", "none")
    running.engine.metrics.answered(method, route, status, seconds)
    if running.engine.traces is not None and route not in _QUIET:
        trace = _trace.fullmatch(dict(scope["headers"]).get(_TRACEPARENT, b""))
        is_joined = trace is not None and trace[1].decode() == TOLD.get().correlation_id
        parent = trace[2].decode() if trace is not None and is_joined else ""
        running.engine.traces.answered(TOLD.get(), route, status, until_now(seconds), parent)
