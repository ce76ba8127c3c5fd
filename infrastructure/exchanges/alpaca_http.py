"""One request to the venue: its deadline, and what its outcome proves.

What went wrong matters less than whether the request can have left: only then may the venue have acted on it. So the
moment is noted in which the request gets its connection, and every error before that moment proves that nothing was
sent, every error after it proves nothing.
"""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from application.venue import VenueBusyError, VenueOutcomeUnknownError, VenueRefusedError, VenueUnreachableError
from infrastructure.exchanges.alpaca_reading import NUL_ESCAPES

KEEPALIVE_SECONDS = 30.0
RETRY_AFTER_SECONDS = 1.0
RETRY_AFTER_SECONDS_MAX = 60.0
EXCERPT_CHARACTERS = 300

_SUCCESS, _CLIENT_ERROR = 2, 4  # hundreds of status codes, of which servers make up their own

# Refusals by number that say nothing about the request itself. 408: whoever stood in between gave up waiting, perhaps
# after passing the request on. 409: it collided with something that is going on, perhaps with its own first copy.
_UNCLEAR = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the venue answered: a success (2xx), or a refusal (4xx) that means what it says."""

    status: int
    body: bytes

    @property
    def refused(self) -> bool:
        """Whether the venue said no."""
        return self.status >= HTTPStatus.BAD_REQUEST

    def excerpt(self) -> str:
        """The beginning of the body, for a log line or an error."""
        return self.body[:EXCERPT_CHARACTERS].decode(errors="replace").replace("\0", "\ufffd")

    def refusal(self) -> VenueRefusedError:
        """The refusal as an error: the venue's own code and sentence, or what HTTP says when it gave none."""
        try:
            said = msgspec.json.decode(self.body.replace(*NUL_ESCAPES), type=_Refusal)
        except msgspec.MsgspecError:
            said = _Refusal()
        code = f"HTTP_{self.status}" if said.code is None else str(said.code)
        message = said.message and said.message[:EXCERPT_CHARACTERS]
        return VenueRefusedError(code, message or self.excerpt() or f"the venue answered {self.status}")


class _Refusal(msgspec.Struct):
    code: int | str | None = None
    message: str | None = None


class AlpacaHttp:
    """Requests under one key, over kept connections of their own.

    Args:
        key_id: The key, sent with every request.
        secret: Its secret, sent with every request.
        timeout_seconds: The deadline of one request, from the wait for a connection to the last byte of the answer.
        direct: Do not use the proxy that the environment names.
        connections: How many requests go on at a time; the others wait.
    """

    def __init__(self, *, key_id: str, secret: str, timeout_seconds: float, direct: bool, connections: int) -> None:
        self._headers = {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret, "Accept": "application/json"}
        self._timeout_seconds = timeout_seconds
        self._direct = direct
        self._connections = connections

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=self._connections, keepalive_timeout=KEEPALIVE_SECONDS),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # one deadline around the whole request, the wait included
            trust_env=not self._direct,
        )
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(
        self, method: str, url: str, *, params: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        """Send one request, never twice, unless it is one that changes nothing or cancels.

        Raises:
            VenueUnreachableError: nothing was sent (no connection, no free one in time, a name that does not resolve).
            VenueBusyError: 429.
            VenueOutcomeUnknownError: no complete answer in time, or one that proves nothing (5xx, 3xx, 408, 409).
        """
        progress = _Progress()
        _PROGRESS.set(progress)
        request = self._session.request(
            method,
            URL(url, encoded=True),
            params=params,
            data=content,
            headers=None if content is None else {"Content-Type": "application/json"},
            allow_redirects=False,
        )
        try:
            async with asyncio.timeout(self._timeout_seconds), request as response:
                answer = Answer(response.status, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            problem = f"{method} {urlsplit(url).path}: {_described(error)}"
            raise VenueOutcomeUnknownError(problem) if progress.left else VenueUnreachableError(problem) from error
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise VenueBusyError(retry_after_seconds(response.headers.get("Retry-After")))
        hundreds = answer.status // 100
        if hundreds == _SUCCESS or (hundreds == _CLIENT_ERROR and answer.status not in _UNCLEAR):
            return answer
        raise VenueOutcomeUnknownError(f"{method} {urlsplit(url).path}: {answer.status} {answer.excerpt()}")


@dataclass(slots=True)
class _Progress:
    """Whether a request has got a connection, and so can have left."""

    left: bool = False


_PROGRESS: ContextVar[_Progress] = ContextVar("progress")
"""That of the request that the task is about."""


class _Connector(aiohttp.TCPConnector):
    """Notes that a request has got a connection; the tracing of aiohttp tells it, too, for a tenth of the whole time."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - so aiohttp calls it
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _PROGRESS.get().left = True
        return connection


def retry_after_seconds(header: str | None) -> float:
    """How long to wait after a 429: what the header says in whole seconds, at most 60, or 1 where it says nothing."""
    if header is not None and header.isascii() and header.isdigit():
        return min(float(header[:9]), RETRY_AFTER_SECONDS_MAX)
    return RETRY_AFTER_SECONDS


def is_loopback(url: str) -> bool:
    """Whether the URL leads to this machine, where no proxy of the environment has any business."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _described(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
