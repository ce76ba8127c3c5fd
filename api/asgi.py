"""The application, and the server that runs it."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from logging import Filter, LogRecord, getLogger

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.admission import Admission
from api.answers import json_answer, problem_answer
from api.asyncapi import streams_document
from api.auth import Gate
from api.browsers import browser_middleware
from api.endpoints import Running
from api.fan_out import FanOut
from api.http_protocol import Config, ConnectionLimits, HttpProtocol
from api.observed import Observed
from api.openapi import document_of
from api.page import page_routes
from api.problems import Problem
from api.routes import ENDPOINTS, Document, routes_of
from api.seats import Seats
from api.streams import FRAMES, order_events
from infrastructure.composition import Engine
from infrastructure.edge_settings import EdgeSettings
from infrastructure.postgres.log_tree import LogTree
from infrastructure.postgres.tickets import StreamTickets
from infrastructure.quotas import Buckets, OwnBuckets, Quotas, SharedBuckets
from infrastructure.settings import Settings
from infrastructure.token_keys import token_keys

_HEARTBEAT_SECONDS = 10.0
_BACKLOG_MAX = 10_000
_SOCKET_MESSAGE_BYTES_MAX = 4096
_KEEP_ALIVE_SECONDS = 30
_GRACE_SECONDS = 3
_TICKS_PER_SECOND = 10
_EDGE = EdgeSettings()

_secret = re.compile(r"([?&](?:token|ticket)=)[^&\s\"]+", re.IGNORECASE)


def build_app(
    engine_factory: Callable[[], AbstractAsyncContextManager[Engine]],
    *,
    heartbeat_seconds: float = _HEARTBEAT_SECONDS,
    backlog_max: int = _BACKLOG_MAX,
    page_reaches: Sequence[str] = (),
    edge: EdgeSettings = _EDGE,
) -> Starlette:
    """The API on an engine that is opened when the application starts and closed when it ends.

    Args:
        engine_factory: opens the engine.
        heartbeat_seconds: how long a stream may be silent.
        backlog_max: how many messages may wait for a stream whose client is slow.
        page_reaches: origins that the page may talk to beside the one it comes from.
        edge: how often somebody may ask, and from where.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            engine_factory() as engine,
            token_keys(engine.settings) as keys,
            _buckets(engine.settings) as buckets,
        ):
            admission = Admission(Quotas(buckets), edge)
            fan_out = FanOut(engine.follower, engine.store, backlog_max, heartbeat_seconds)
            app.state.running = Running(
                engine,
                Gate(keys, engine.clock, admission, engine.settings.jwt_issuer, engine.settings.jwt_audience),
                admission,
                Seats(edge.streams, edge.streams_per_trader),
                fan_out,
                StreamTickets(engine.pool),
                LogTree(str(engine.settings.session_url)),
            )
            reading = asyncio.create_task(fan_out.run(engine.follower.position), name="fan-out")
            try:
                yield
            finally:
                fan_out.close()
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    document = json_answer(document_of(ENDPOINTS))
    app = Application(
        routes=[
            *routes_of(ENDPOINTS),
            Route("/openapi.json", Document(document)),
            Route("/asyncapi.json", Document(json_answer(streams_document()))),
            WebSocketRoute("/ws/orders/events", order_events),
            *page_routes(connect_also=page_reaches),
        ],
        middleware=[Middleware(Observed), *browser_middleware(edge)],
        lifespan=lifespan,
    )
    # A redirect to the path with or without a slash is no JSON, and no client of ours needs it.
    app.router.redirect_slashes = False
    app.router.default = _nothing_here
    return app


def _buckets(settings: Settings) -> AbstractAsyncContextManager[Buckets]:
    """Where quotas are kept: for all processes, or without a Redis in this one."""
    if settings.redis_url in {None, "none"}:
        return nullcontext(OwnBuckets())
    return SharedBuckets(str(settings.redis_url))


class Application(Starlette):
    """Starlette without its own layers for errors, which cost every request: what is raised ends in ``Observed``."""

    def build_middleware_stack(self) -> ASGIApp:
        """Only what was asked for, around the routes."""
        app: ASGIApp = self.router
        for cls, args, kwargs in reversed(self.user_middleware):
            app = cls(app, *args, **kwargs)
        return app


_NOT_FOUND = problem_answer(Problem("NOT_FOUND", "There is nothing at this path"))


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    answer: ASGIApp = WebSocketClose() if scope["type"] == "websocket" else _NOT_FOUND
    await answer(scope, receive, send)


# ── The server ───────────────────────────────────────────────────────────────────────────────────────────────────────


class RedactSecrets(Filter):
    """Takes tokens and tickets in URLs out of the log."""

    def filter(self, record: LogRecord) -> bool:
        """Change the record, and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(_secret.sub(r"\1***", each) if isinstance(each, str) else each for each in record.args)
        return True


_REDACT = RedactSecrets()


class SocketProtocol(WebSocketsSansIOProtocol):
    """Says goodbye also to a client that does not read: the close goes behind what waits for it in the buffer.

    Offers the application to write whole frames at once.
    """

    async def run_asgi(self) -> None:
        """Run the application for this connection."""
        self.scope["extensions"][FRAMES] = {"write": self.write_frame}
        try:
            await super().run_asgi()
        finally:
            del self.scope["extensions"][FRAMES]  # a circle, in which the connection would stay

    def write_frame(self, frame: bytes) -> bool:
        """Write the frame unless something else waits to be written or the connection ends; whether it was."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True

    async def send(self, message: ASGISendEvent) -> None:
        """Send the message; only a close does not wait for room in the buffer."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)


class Server(uvicorn.Server):
    """Ends the streams first when it is told to stop, so that no client of theirs holds it up.

    Ends connections whose requests do not arrive.
    """

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections once a second; whether it is time to stop."""
        if counter % _TICKS_PER_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, HttpProtocol):
                    connection.end_if_late(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop taking requests, and finish those there are."""
        self._app.state.running.fan_out.close()
        await super().shutdown(sockets)


def server_of(app: Starlette, limits: ConnectionLimits = ConnectionLimits(_EDGE.connections)) -> Server:  # noqa: B008 - never changed
    """The server; ``await server.serve(sockets=[listen(host, port)])`` runs it until a signal or ``should_exit``.

    It logs to whatever the process has set up.
    """
    for name in ("uvicorn.access", "uvicorn.error"):
        getLogger(name).addFilter(_REDACT)
    config = Config(
        app,
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=_SOCKET_MESSAGE_BYTES_MAX,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,  # each request is observed
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    config.limits = limits
    return Server(config, app)
