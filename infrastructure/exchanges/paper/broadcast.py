"""Sends each message to every listener without ever waiting for one of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# About ten seconds of a very busy day. Whoever is further behind has lost touch and should come back and ask.
BACKLOG: Final = 10_000


class Listener:
    """One reader with a bounded backlog.

    Attributes:
        messages: What the reader has not taken yet.
        is_subscribed: Whether it wants the messages of the broadcast.
        is_lost: Set once the backlog was full; from then on messages are missing.
    """

    def __init__(self, backlog: int) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue(backlog)
        self.is_subscribed = False
        self.is_lost = asyncio.Event()

    def offer(self, message: bytes) -> None:
        """Queue a message, or give the reader up when its backlog is full."""
        try:
            self.messages.put_nowait(message)
        except asyncio.QueueFull:
            self.is_subscribed = False
            self.is_lost.set()


class Broadcast:
    """The listeners of a venue.

    Args:
        backlog: How many messages a listener may be behind.
    """

    def __init__(self, backlog: int) -> None:
        self._backlog = backlog
        self._listeners: set[Listener] = set()

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """A listener for as long as the context lasts."""
        listener = Listener(self._backlog)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def send(self, message: bytes) -> None:
        """Offer a message to everyone who subscribed."""
        for listener in self._listeners:
            if listener.is_subscribed:
                listener.offer(message)
