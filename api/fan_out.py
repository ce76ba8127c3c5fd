"""Status messages to any number of streams of this process, from one reader of the log.

A stream that wants the past reads it from the store, and only once it has caught up does it take what the reader brings:
no gap, because it listens before it reads the last of the past, and no repeat, because positions rise.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from struct import pack
from typing import Any, NamedTuple

import msgspec

from application.ports import Feed, UnreadableEventError
from application.status import MESSAGE_NAMES, status_message
from domain.events import TOPICS, RecordedEvent
from domain.values import TraderId
from infrastructure.codec import Codec
from infrastructure.postgres.event_store import PostgresEventStore

log = logging.getLogger(__name__)

PAGE = 500
"""How many events a stream reads from the store at a time."""

_PAUSE_SECONDS = 1.0
_TYPES = tuple(topic for topic, cls in TOPICS.items() if cls in MESSAGE_NAMES)

_encode = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """A message as JSON, and the same as a WebSocket frame: made once for all streams of its trader.

    A heartbeat says how far the stream has come.
    """

    position: int
    text: str
    frame: bytes


class TooSlowError(Exception):
    """The client does not take messages as fast as they come; it can resume after the last one it has."""


class ExpiredError(Exception):
    """The time is over for which the client may follow; it can resume when it may again."""


class ClosingError(Exception):
    """The process is going away; the client can resume at another one."""


class FanOut:
    """Reads the log once and hands each message to the streams of its trader.

    Args:
        feed: the log as it grows.
        store: the log as it was.
        backlog_max: how many messages may wait for a stream before it is too slow.
        heartbeat_seconds: how long a stream may be silent.
    """

    def __init__(self, feed: Feed, store: PostgresEventStore, backlog_max: int, heartbeat_seconds: float) -> None:
        self.position = 0
        self.store = store
        self.codec = Codec()
        self.backlog_max = backlog_max
        self.heartbeat_seconds = heartbeat_seconds
        self.is_closing = False
        self._feed = feed
        self._streams: defaultdict[TraderId, set[Stream]] = defaultdict(set)
        self._grown = asyncio.Event()

    async def run(self, after: int) -> None:
        """Hand out everything above the position, until cancelled, or until an event comes that this program does not know.

        Then every stream ends, so that its client goes on at another process: during a deployment a newer one.
        """
        self.position = after
        while True:
            try:
                async for batch in self._feed.follow(self.position):
                    self._hand_out(batch)
            except UnreadableEventError as error:
                log.error("the streams of this process end: %s", error)  # noqa: TRY400 - the sentence says it all
                self.close()
                return
            except Exception:
                log.exception("the streams read on in a moment")
            await asyncio.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """End every stream."""
        self.is_closing = True
        self._grow()
        for streams in self._streams.values():
            for stream in streams:
                stream.wake()

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._streams.values()))

    async def beyond(self, position: int) -> None:
        """Wait until the log is known to have gone beyond the position.

        Raises:
            ClosingError: the process is going away.
        """
        while self.position <= position:
            if self.is_closing:
                raise ClosingError
            await self._grown.wait()

    def join(self, trader_id: TraderId, stream: "Stream") -> None:
        """From now on the stream gets the trader's messages."""
        self._streams[trader_id].add(stream)

    def leave(self, trader_id: TraderId, stream: "Stream") -> None:
        """The stream gets no more messages."""
        streams = self._streams[trader_id]
        streams.discard(stream)
        if not streams:
            del self._streams[trader_id]

    def _hand_out(self, batch: Sequence[RecordedEvent]) -> None:
        for recorded in batch:
            streams = self._streams.get(recorded.metadata.trader_id)
            message = message_of(recorded) if streams else None
            if streams and message:
                for stream in streams:
                    stream.put(message)
        self.position = batch[-1].position
        self._grow()

    def _grow(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()


class Stream:
    """The messages of one trader for one client.

    Args:
        fan_out: where they come from.
        trader_id: whose they are.
    """

    on_overflow: Callable[[], object] | None = None
    """Called once when the client turns out to be too slow."""

    write: Callable[[bytes], bool] | None = None
    """Writes a frame at once, unless others wait for the client or it is gone; says whether it did.

    A message to a thousand clients that have caught up then costs a thousand writes, and wakes no task.
    """

    def __init__(self, fan_out: FanOut, trader_id: TraderId) -> None:
        self._fan_out = fan_out
        self._trader_id = trader_id
        self._waiting: deque[Message] = deque()
        self._awake = asyncio.Event()
        self._reached = 0
        self._is_idle = False
        self.is_too_slow = False
        self._is_expired = False

    def put(self, message: Message) -> None:
        """Give the message to the client if it waits for one, else let the message wait."""
        if self.is_too_slow or message.position <= self._reached:
            return
        if self._is_idle and self.write is not None and self.write(message.frame):
            self._reached = message.position
            return
        if len(self._waiting) >= self._fan_out.backlog_max:
            self.is_too_slow = True
            self._waiting.clear()
            if self.on_overflow is not None:
                self.on_overflow()
        else:
            self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        """Look again at what has changed."""
        self._is_idle = False
        self._awake.set()

    def expire(self) -> None:
        """The client may not follow any more."""
        self._is_expired = True
        self.wake()

    async def messages(self, after: int) -> AsyncGenerator[Message, None]:
        """Every message above the position, in order, none missing and none twice; heartbeats when there are none.

        Raises:
            TooSlowError: more messages are waiting than may wait.
            ExpiredError: the client may not follow any more.
            ClosingError: the process is going away.
            StoreUnavailableError: the past cannot be read.
        """
        self._reached = after
        async for message in self._past():
            yield message
        self._fan_out.join(self._trader_id, self)
        try:
            async for message in self._past():
                yield message
            while True:
                if await self._something_waits():
                    message = self._waiting.popleft()
                    if message.position > self._reached:
                        self._reached = message.position
                        yield message
                else:
                    yield heartbeat(max(self._reached, self._fan_out.position))
        finally:
            self._fan_out.leave(self._trader_id, self)

    async def _past(self) -> AsyncIterator[Message]:
        """What is in the log above what was reached."""
        full = True
        while full:
            self._check()
            page = await self._fan_out.store.raw(self._reached, PAGE, types=_TYPES, trader_id=self._trader_id)
            full = len(page) == PAGE
            for raw in page:
                message = message_of(self._fan_out.codec.to_recorded_event(raw))
                if message:  # pragma: no branch - the types that are asked for all have messages
                    self._reached = message.position
                    yield message

    async def _something_waits(self) -> bool:
        """Whether a message waits, or comes before the next heartbeat is due."""
        self._check()
        if not self._waiting:
            self._awake.clear()
            self._is_idle = True
            alarm = asyncio.get_running_loop().call_later(self._fan_out.heartbeat_seconds, self.wake)
            try:
                await self._awake.wait()
            finally:
                alarm.cancel()
                self._is_idle = False
            self._check()
        return bool(self._waiting)

    def _check(self) -> None:
        if self.is_too_slow:
            raise TooSlowError
        if self._is_expired:
            raise ExpiredError
        if self._fan_out.is_closing:
            raise ClosingError


def message_of(recorded: RecordedEvent) -> Message | None:
    """The message for an event, None for one that is not an order's."""
    message = status_message(recorded)
    return _message(recorded.position, message) if message else None


def heartbeat(position: int) -> Message:
    """Nothing has happened up to the position that the client does not know."""
    return _message(position, {"event": "heartbeat", "position": position})


def _message(position: int, content: Mapping[str, Any]) -> Message:
    text = _encode(content)
    return Message(position, text.decode(), text_frame(text))


def text_frame(text: bytes) -> bytes:
    """A whole message of text as a server sends it (RFC 6455, 5.2): ``websockets`` takes seven times as long to make it."""
    size = len(text)
    length = pack("!B", size) if size < 126 else pack("!BH", 126, size) if size < 65_536 else pack("!BQ", 127, size)  # noqa: PLR2004
    return b"\x81" + length + text
