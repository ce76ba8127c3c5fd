"""How this program connects to PostgreSQL: the one place for timeouts, prepared statements and second attempts."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from time import monotonic, sleep
from typing import Any, TypeVar

from psycopg import AsyncConnection, Connection, InterfaceError, OperationalError, connect
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import IdleInTransactionSessionTimeout, ReadOnlySqlTransaction, TransactionTimeout
from psycopg.rows import TupleRow

from infrastructure.postgres import arrays

T = TypeVar("T")

PREPARE_THRESHOLD = 5
"""psycopg prepares a statement on the server when it has run this often."""

PLANNED_ONCE = (
    "-c plan_cache_mode=force_generic_plan"
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c jit=off"  # before version 18 what is switched off costs so much that compiling seems worth it where there is no other way
)
"""Settings for a connection that has short statements alone: each is planned once, and by the indexes.

To plan them takes longer than to run them, and the server would plan most of them each time, because a plan for the values
at hand looks cheaper to it. A plan that stays must not be one for tables that were small when it was made.
"""

UNAVAILABLE = (
    OperationalError,
    InterfaceError,
    ReadOnlySqlTransaction,
    IdleInTransactionSessionTimeout,
    TransactionTimeout,
)
"""What psycopg raises when the server is gone, going, starting, full, blocked, lost patience with us, or is a standby."""

# A dead peer is noticed within about ten seconds, connected or connecting. What the URL says goes first.
_DEFAULTS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "orderlog",
}


def conninfo(url: str, settings: str = "") -> str:
    """The URL with the timeouts that it does not set itself, and with these settings of the server, unless it sets them."""
    parameters: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url)}
    if settings:
        parameters["options"] = f"{settings} {parameters.get('options', '')}".strip()
    return make_conninfo("", **parameters)


def prepare_threshold(*, pooled: bool) -> int | None:
    """After how many runs psycopg prepares a statement: never where the next transaction may be on another server process."""
    return None if pooled else PREPARE_THRESHOLD


def longer(pause: float) -> float:
    """The pause, in seconds, after the next failure in a row."""
    return min(2 * pause + 0.02, 0.5)


def hang_up(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    """End the connection under whoever waits for its answer, who sees it as lost. Any thread may call it."""
    with suppress(OSError, OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


@contextmanager
def answered_within(connection: AsyncConnection[Any], seconds: float | None) -> Iterator[None]:
    """Hang up if the block takes longer, whatever TCP makes of the connection; None never does."""
    watch = None if seconds is None else asyncio.get_running_loop().call_later(seconds, hang_up, connection)
    try:
        yield
    finally:
        if watch is not None:
            watch.cancel()


class Session:
    """One connection in autocommit, opened when it is needed and again when it is broken; threads take turns.

    Args:
        url: of the database.
        patience_seconds: how long to go on trying while the database cannot be reached. An attempt that has begun may
            take longer.
        settings: of the server, for this connection; a pooler has none.
        pooled: the URL leads through a pooler that gives each transaction another connection.
    """

    def __init__(self, url: str, patience_seconds: float, settings: str = "", *, pooled: bool = False) -> None:
        self._conninfo = conninfo(url, "" if pooled else settings)
        self._prepare_threshold = prepare_threshold(pooled=pooled)
        self._patience_seconds = patience_seconds
        self._turn = Lock()
        self._connection: Connection[TupleRow] | None = None

    def run(self, work: Callable[[Connection[TupleRow]], T]) -> T:
        """What the work returns, which is begun anew on another connection when the database was unavailable.

        Raises:
            psycopg.Error: whatever the work raises; one of UNAVAILABLE only when patience has ended.
        """
        with self._turn:
            deadline = monotonic() + self._patience_seconds
            pause = 0.0
            while True:
                try:
                    return work(self._connected())
                except BaseException as error:
                    # Not only a broken connection: after an error in a pipeline psycopg takes statements for prepared
                    # that are not.
                    self._disconnect()
                    if not isinstance(error, UNAVAILABLE) or monotonic() >= deadline:
                        raise
                sleep(pause)
                pause = longer(pause)

    def interrupt(self) -> None:
        """Make the work that waits for an answer fail as if the connection were lost. For any thread to call."""
        connection = self._connection
        if connection is not None:
            hang_up(connection)

    def close(self) -> None:
        """Disconnect, after the work that is under way."""
        with self._turn:
            self._disconnect()

    def _connected(self) -> Connection[TupleRow]:
        if self._connection is None:
            self._connection = connect(self._conninfo, autocommit=True, prepare_threshold=self._prepare_threshold)
            arrays.register(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
