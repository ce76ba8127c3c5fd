"""Clients that listen to everything that is said about one trader, and resume where they were when the wire breaks."""

import asyncio
import json
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.plain_http import PLAIN

_PAUSE_SECONDS = 0.1


class Subscriber(ABC):
    """One client with a memory of one number: the last position it saw.

    Args:
        name: what it is called in sentences.
        url: of the API.
        trader_id: who listens.
        token: of the trader.

    Attributes:
        seen: the position and the order of every message, as they came.
        breaks: how often the connection was lost.
    """

    def __init__(self, name: str, url: str, trader_id: str, token: str) -> None:
        self.name = name
        self.trader_id = trader_id
        self.seen: list[tuple[int, str]] = []
        self.breaks = 0
        self.after = 0
        self._url = url
        self._token = token

    async def follow(self) -> None:
        """Listen until cancelled."""
        while True:
            with suppress(OSError, WebSocketException, httpx2.HTTPError, TimeoutError):
                await self._listen()
            self.breaks += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message in; a heartbeat says how far the stream has come without one."""
        if message["event"] != "heartbeat":
            self.seen.append((message["position"], message["order_id"]))
        self.after = message["position"]

    @abstractmethod
    async def _listen(self) -> None:
        """Hear everything after the last position until the connection is lost."""


class WebSocketSubscriber(Subscriber):
    """Listens at the WebSocket.

    Args:
        leaves_after: it hangs up by itself after so many messages, and comes back.
    """

    def __init__(self, name: str, url: str, trader_id: str, token: str, leaves_after: int | None = None) -> None:
        super().__init__(name, url, trader_id, token)
        self._leaves_after = leaves_after

    async def _listen(self) -> None:
        url = f"{self._url.replace('http', 'ws', 1)}/ws/orders/events?token={self._token}&after={self.after}"
        count = 0
        async with connect(url, proxy=None, open_timeout=10, close_timeout=1) as socket:
            async for text in socket:
                self.hear(json.loads(text))
                count += 1
                if count == self._leaves_after:
                    return


class EventSourceSubscriber(Subscriber):
    """Listens to server-sent events, and resumes with the id of the last one, as browsers do."""

    async def _listen(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Last-Event-ID": str(self.after)}
        async with (
            httpx2.AsyncClient(base_url=self._url, **PLAIN, timeout=httpx2.Timeout(30, connect=10)) as client,
            client.stream("GET", "/api/v1/orders/stream", headers=headers) as answer,
        ):
            named = False
            async for line in answer.raise_for_status().aiter_lines():
                # An event with a name is no message: it says why the stream ends.
                named = bool(line) and (named or line.startswith("event: "))
                if line.startswith("data: ") and not named:
                    self.hear(json.loads(line.removeprefix("data: ")))
