"""Status messages on their way between processes: over Redis, or over PostgreSQL where there is no Redis.

Transport, never truth: who misses a message finds everything in the log. So a bus that is down costs its publisher
neither an error nor time: what cannot be sent is dropped, and a bus that failed is left alone for a second. On either
bus, a peer that died in silence is found out by the TCP keepalives that its client library sets.
"""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Final, LiteralString, Self

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from infrastructure.postgres import arrays
from infrastructure.postgres.connecting import conninfo

SEND_SECONDS_MAX: Final = 1.0
REST_SECONDS: Final = 1.0

# PostgreSQL's own limits: a notification's payload, and the name of a channel. Both in bytes.
_PAYLOAD_BYTES_MAX: Final = 7_999
_CHANNEL_BYTES_MAX: Final = 63
_NOTIFY: Final = "SELECT pg_notify(channel, message) FROM unnest(%s::text[], %s::text[]) AS outgoing (channel, message)"

_REFERENCE: Final = ("event", "order_id", "status", "timestamp", "position", "version")

_DOWN: Final = (RedisError, psycopg.Error, OSError)

log = structlog.get_logger(__name__)


class _Outage:
    """Whether the bus is down, said once when it begins and once when it ends."""

    def __init__(self, bus: str, use: str) -> None:
        self._bus = bus
        self._use = use
        self._since: float | None = None
        self._rest_until = 0.0

    @property
    def resting(self) -> bool:
        """Whether the bus has failed so recently that it is left alone."""
        return monotonic() < self._rest_until

    def goes_on(self, error: Exception) -> None:
        """The bus does not work."""
        now = monotonic()
        self._rest_until = now + REST_SECONDS
        if self._since is None:
            self._since = now
            log.warning("bus_down", bus=self._bus, use=self._use, problem=f"{type(error).__name__} {error}".strip())

    def is_over(self) -> None:
        """The bus works."""
        if self._since is not None:
            log.info("bus_back", bus=self._bus, use=self._use, seconds=round(monotonic() - self._since, 1))
            self._since = None


class RedisBus:
    """The bus over Redis or Valkey: PUBLISH and SUBSCRIBE. An async context manager.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
    """

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            socket_connect_timeout=SEND_SECONDS_MAX,
            socket_timeout=SEND_SECONDS_MAX,
            retry=Retry(NoBackoff(), 0),
        )
        self._outage = _Outage("redis", "publish")

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._redis.aclose()

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send each (channel, message) in order, or drop them all if the bus is down."""
        if not messages or self._outage.resting:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX), self._redis.pipeline(transaction=False) as pipeline:
                for channel, message in messages:
                    pipeline.publish(channel, message)
                await pipeline.execute()
        except _DOWN as error:
            self._outage.goes_on(error)
        else:
            self._outage.is_over()
        _end_if_cancelled()

    async def is_up(self) -> bool:
        """Whether the server answers now."""
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await self._redis.ping()
        except _DOWN:
            return False
        return True

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages of the channel from now on, for ever: while the bus is down, this waits for it to come back."""
        outage = _Outage("redis", "subscribe")
        while True:
            try:
                async with self._redis.pubsub() as listener:
                    await listener.subscribe(channel)
                    async for said in listener.listen():  # pragma: no branch - it only ends with an error
                        outage.is_over()
                        if said["type"] == "message":
                            yield said["data"]
            except _DOWN as error:
                outage.goes_on(error)
            await asyncio.sleep(REST_SECONDS)


def _end_if_cancelled() -> None:
    """End a task whose cancellation was swallowed.

    redis-py sends with ``asyncio.wait_for``, which before Python 3.12 swallows one that comes just as it ends; a worker
    that has lost its lead would go on.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class PostgresBus:
    """The bus over PostgreSQL: NOTIFY and LISTEN on connections of its own. An async context manager.

    Messages are text in UTF-8, as JSON is. One that is too long for a notification is reduced to a reference: the
    fields that say what it is about, and ``"truncated": true``. Of equal messages in one call, one is sent.

    Args:
        url: of the database.
    """

    def __init__(self, url: str) -> None:
        self._conninfo = conninfo(url)
        self._connection: AsyncConnection[TupleRow] | None = None
        self._turn = asyncio.Lock()
        self._outage = _Outage("postgres", "publish")

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        async with self._turn:
            await self._disconnect()

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send each (channel, message) in order, or drop them all if the bus is down."""
        outgoing = [
            (_channel_name(channel), text) for channel, message in messages if (text := _payload(message)) is not None
        ]
        if not outgoing or self._outage.resting:
            return
        channels, texts = zip(*outgoing, strict=True)
        try:
            await self._execute(_NOTIFY, (arrays.texts(channels), arrays.texts(texts)))
        except _DOWN as error:
            self._outage.goes_on(error)
        else:
            self._outage.is_over()

    async def is_up(self) -> bool:
        """Whether the server answers now."""
        try:
            await self._execute("SELECT 1")
        except _DOWN:
            return False
        return True

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages of the channel from now on, for ever: while the bus is down, this waits for it to come back."""
        outage = _Outage("postgres", "subscribe")
        listen = SQL("LISTEN {}").format(Identifier(_channel_name(channel)))
        while True:
            try:
                async with await AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    await connection.execute(listen)
                    outage.is_over()
                    async for notification in connection.notifies():  # pragma: no branch - it only ends with an error
                        yield notification.payload.encode()
            except _DOWN as error:
                outage.goes_on(error)
            await asyncio.sleep(REST_SECONDS)

    async def _execute(self, statement: LiteralString, parameters: Sequence[arrays.TextArray] = ()) -> None:
        async with self._turn:
            try:
                if self._connection is None:
                    async with asyncio.timeout(SEND_SECONDS_MAX):
                        self._connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
                    arrays.register(self._connection)
                deadline = asyncio.get_running_loop().call_later(SEND_SECONDS_MAX, _hang_up, self._connection)
                try:
                    await self._connection.execute(statement, parameters)
                finally:
                    deadline.cancel()
            except BaseException:
                await self._disconnect()
                raise

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def _hang_up(connection: AsyncConnection[TupleRow]) -> None:
    """Make a statement that waits for an answer fail. To cancel it would take seconds, for the server has a say in it."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def _channel_name(channel: str) -> str:
    """The channel as PostgreSQL takes it: under its own name, or under a hash of one that is too long."""
    if len(channel.encode()) <= _CHANNEL_BYTES_MAX:
        return channel
    return hashlib.sha256(channel.encode()).hexdigest()[:_CHANNEL_BYTES_MAX]


def _payload(message: bytes) -> str | None:
    """The message as a notification can carry it, or None where nothing of it can be."""
    if len(message) > _PAYLOAD_BYTES_MAX:
        message = _reference(message)
    try:
        text = message.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(message) > _PAYLOAD_BYTES_MAX:
        log.error("bus_message_dropped", bus="postgres", size=len(message), begin=message[:200])
        return None
    return text


def _reference(message: bytes) -> bytes:
    """What a long message is about, or the message itself where it does not say."""
    try:
        fields = msgspec.json.decode(message, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return message
    kept = {name: fields[name] for name in _REFERENCE if name in fields}
    return msgspec.json.encode({**kept, "truncated": True}) if kept else message
