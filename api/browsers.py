"""What browsers of other origins may do, and what browsers are told about TLS. Without settings: nothing, and nothing."""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.addresses import is_https
from infrastructure.edge_settings import EdgeSettings, Network

_METHODS = ("GET", "POST", "PUT", "DELETE")
_ASKED = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
)
_TOLD = ("etag", "idempotent-replayed", "location", "ratelimit", "ratelimit-policy", "retry-after")
_PREFLIGHT_SECONDS = 600

_STRICT_TRANSPORT = "max-age=31536000"


class StrictTransport:
    """Tells browsers that came over TLS to do so always. It is a proxy that they came to, and it has to be trusted."""

    def __init__(self, app: ASGIApp, trusted: tuple[Network, ...]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and say so."""
        if scope["type"] != "http" or not is_https(scope, self._trusted):
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["strict-transport-security"] = _STRICT_TRANSPORT
            await send(message)

        await self._app(scope, receive, told)


def browser_middleware(edge: EdgeSettings) -> Sequence[Middleware]:
    """What stands before the application for the sake of browsers: only what is set, because each costs every request."""
    found = []
    if edge.trusted_proxies:
        found.append(Middleware(StrictTransport, trusted=edge.trusted_proxies))
    if edge.cors_origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=edge.cors_origins,
                allow_methods=_METHODS,
                allow_headers=_ASKED,
                expose_headers=_TOLD,
                max_age=_PREFLIGHT_SECONDS,
            )
        )
    return found
