"""Many traders on one engine: their requests, repeated where that is safe, and what their status streams say."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from cli.engine import Problem, problem_of, unreachable
from cli.exits import CommandError
from cli.replay.tally import Tally

CONCURRENCY: Final = 16
PATIENCE_SECONDS: Final = 30.0
_TIMEOUT_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
_BAD_TOKEN = 4401


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said: ``data``, or the problem. ``seconds`` is the last round trip, it ended at ``at``."""

    data: Any
    problem: Problem | None
    seconds: float
    at: float


class Session:
    """The engine's API for many traders at once. Use as an async context manager.

    Args:
        url: of the engine.
        tokens: one for each trader.
        tally: takes in what the status streams say.
    """

    def __init__(self, url: str, tokens: Mapping[str, str], tally: Tally) -> None:
        self.retries = 0
        self._url = url
        self._tokens = tokens
        self._tally = tally
        self._watchers: list[asyncio.Task[None]] = []
        self._client = httpx2.AsyncClient(
            base_url=url,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            limits=httpx2.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY),
        )

    async def __aenter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the streams and close the connections."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await self._client.aclose()

    async def get(self, trader: str, path: str) -> Any:  # noqa: ANN401 - JSON
        """What the engine answers to a trader's query. An engine that is not there is not waited for.

        Raises:
            CommandError: it refuses, or does not answer.
        """
        return _data(await self._send("GET", path, self._tokens[trader], patience_seconds=0.0))

    async def post(
        self, trader: str, path: str, body: Mapping[str, Any] | None = None, key: str | None = None
    ) -> Answer:
        """What the engine answers to a trader's command, which has to be safe to repeat.

        While the engine is away or asks to wait, the command is sent again.

        Raises:
            CommandError: the engine is away for too long.
        """
        return await self._send("POST", path, self._tokens[trader], body, key, patience_seconds=PATIENCE_SECONDS)

    async def watch(self, trader: str) -> None:
        """Follow the trader's status stream from here on, without a gap, until this session ends."""
        page = await self.get(trader, "/api/v1/orders?limit=1")
        self._watchers.append(asyncio.create_task(self._watch(self._tokens[trader], page["position"])))

    def check_streams(self) -> None:
        """Say why when a stream has ended.

        Raises:
            CommandError: one has.
        """
        for watcher in self._watchers:
            if watcher.done():
                watcher.result()

    async def _send(
        self,
        method: str,
        path: str,
        token: str,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
        *,
        patience_seconds: float,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        began = perf_counter()
        while True:
            sent = perf_counter()
            try:
                response = await self._client.request(method, path, headers=headers, json=body)
            except httpx2.TransportError as error:
                if sent - began >= patience_seconds:
                    raise unreachable(self._url, error) from error
                pause = _PAUSE_SECONDS
            else:
                at = perf_counter()
                wait = response.headers.get("Retry-After")
                if wait is None or at - began >= patience_seconds:
                    problem = problem_of(response)
                    return Answer(None if problem else response.json(), problem, at - sent, at)
                pause = float(wait)
            self.retries += 1
            await asyncio.sleep(pause)

    async def _watch(self, token: str, after: int) -> None:
        heard_at = perf_counter()
        while True:
            query = urlencode({"token": token, "after": after})
            try:
                async with connect(
                    f"ws{self._url.removeprefix('http')}/ws/orders/events?{query}", proxy=None, max_size=None
                ) as stream:
                    async for text in stream:
                        message = json.loads(text)
                        after = max(after, message["position"])
                        heard_at = perf_counter()
                        await self._tally.hear(message)
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == _BAD_TOKEN:
                    raise CommandError("The engine does not accept our token on its status stream") from closed
            except (OSError, WebSocketException) as error:
                if perf_counter() - heard_at > PATIENCE_SECONDS:
                    raise unreachable(self._url, error) from error
            await asyncio.sleep(_PAUSE_SECONDS)


def account_path(trader: str, movement: str) -> str:
    """Where cash is moved; ``movement`` is ``deposits`` or ``withdrawals``."""
    return f"/api/v1/accounts/{quote(trader, safe='')}/{movement}"


def _data(answer: Answer) -> Any:  # noqa: ANN401 - JSON
    if answer.problem is not None:
        raise CommandError(answer.problem.sentence)
    return answer.data
