"""What the read models say, for the API: one statement per question, so that an answer is of one moment."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Generic

from psycopg.rows import TupleRow

from application.ports import StoreUnavailableError
from domain.events import order_of
from domain.lifecycle import Status
from domain.refusals import InvalidRequest
from domain.values import OrderId, Symbol, TraderId
from infrastructure.postgres.connecting import UNAVAILABLE
from infrastructure.postgres.patience import Pool, patiently
from infrastructure.postgres.rows import array, reader
from projections import accounts, execution_log, fills, orders, positions
from projections.accounts import AccountRow
from projections.execution_log import ExecutionLogRow
from projections.fills import FillRow
from projections.orders import OrderRow
from projections.positions import PositionRow
from projections.projection import Row
from projections.registry import PROJECTIONS

_NEWEST = 2**63 - 1
_ORDER_AT = 8  # in a row of orders.page: after the position and seven arrays

_CHECKPOINTS = "SELECT name, position FROM checkpoints WHERE name = ANY (%s::text[])"

_EXECUTIONS_READ = "SELECT until FROM executions_read WHERE venue = %(venue)s"

_SAVE_EXECUTIONS_READ = """
INSERT INTO executions_read (venue, until) VALUES (%(venue)s, %(until)s)
ON CONFLICT (venue) DO UPDATE SET until = excluded.until RETURNING until
"""

_ACKNOWLEDGED = """
SELECT stream_id FROM events
WHERE type IN ('OrderAccepted', 'OrderReplaced', 'OrderReconciled')
    AND data::jsonb ->> 'venue_order_id' = nullif(%(venue_order_id)s, '')
LIMIT 1
"""

_LAGS = """
SELECT checkpoint.name, checkpoint.position, head.position, next.recorded_at
FROM checkpoints AS checkpoint CROSS JOIN log_head AS head
LEFT JOIN events AS next ON next.position = checkpoint.position + 1
WHERE checkpoint.name = ANY (%s::text[])
ORDER BY checkpoint.name
"""


@dataclass(frozen=True, slots=True)
class Answer(Generic[Row]):
    """Rows of a read model as it stood when it had read the log up to ``position``."""

    rows: Sequence[Row]
    position: int


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """Orders with their fills, newest first; ``next_cursor`` leads to those before them, None: there are none."""

    orders: Sequence[tuple[OrderRow, Sequence[FillRow]]]
    next_cursor: str | None
    position: int


@dataclass(frozen=True, slots=True)
class AccountPage:
    """An account and everything its trader has traded, by symbol."""

    account: AccountRow
    positions: Sequence[PositionRow]
    position: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a projection is behind the log: ``seconds`` is the age of the first event that it has not read."""

    name: str
    position: int
    head_position: int
    seconds: float

    @property
    def events(self) -> int:
        """How many events it has not read."""
        return self.head_position - self.position


class ReadModels:
    """Queries over the read tables, and the port ``Bookkeeping``.

    All raise StoreUnavailableError when the database cannot be reached for ``patience_seconds``.
    """

    def __init__(self, pool: Pool, patience_seconds: float = 1.0) -> None:
        self._pool = pool
        self._patience_seconds = patience_seconds

    async def orders_page(
        self,
        trader_id: TraderId,
        *,
        status: Status | None = None,
        symbol: Symbol | None = None,
        limit: int = 20,
        offset: int = 0,
        cursor: str | None = None,
    ) -> OrdersPage:
        """A trader's orders, newest first, from the cursor on if there is one, without the first ``offset``.

        Raises:
            InvalidRequest: the cursor is not one of ours.
        """
        parameters = {
            "trader_id": trader_id,
            "status": status and status.value,
            "symbol": symbol,
            "before": position_of(cursor),
        }
        # One more tells whether there is a next page.
        query = orders.page(status, limit + 1, offset, by_symbol=symbol is not None)
        found = await self._ask(query, parameters)
        listed = [_with_fills(row) for row in found if row[_ORDER_AT] is not None]
        next_cursor = cursor_of(listed[limit - 1][0].created_position) if len(listed) > limit else None
        return OrdersPage(listed[:limit], next_cursor, position=found[0][0])

    async def fills_of(self, order_id: OrderId) -> Answer[FillRow]:
        """An order's fills, oldest first."""
        return _answer(_read_fill, await self._ask(fills.OF_ORDER, {"order_id": order_id}))

    async def account_of(self, trader_id: TraderId) -> AccountPage:
        """A trader's cash and positions; nothing but zeros for a trader without any."""
        found = await self._ask(accounts.OF_TRADER, {"trader_id": trader_id})
        width = 1 + len(AccountRow._fields)
        position, *account = found[0][:width]
        return AccountPage(
            _read_account(account) if account[0] is not None else AccountRow.new(trader_id),
            [_read_position(row[width:]) for row in found if row[width] is not None],
            position,
        )

    async def positions_of(self, trader_id: TraderId) -> Answer[PositionRow]:
        """Everything a trader has traded, by symbol, also where nothing is held any more."""
        return _answer(_read_position, await self._ask(positions.OF_TRADER, {"trader_id": trader_id}))

    async def execution_log(
        self,
        *,
        trader_id: TraderId | None = None,
        order_id: OrderId | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Answer[ExecutionLogRow]:
        """Entries with an id above ``after``, oldest first: everybody's, a trader's, or an order's."""
        statement = execution_log.entries(by_trader=trader_id is not None, by_order=order_id is not None)
        parameters = {"trader_id": trader_id, "order_id": order_id, "after": after, "limit": limit}
        return _answer(_read_entry, await self._ask(statement, parameters))

    async def open_orders(self) -> tuple[Sequence[OrderId], int]:
        """Ids of all orders that were not over, oldest first, when the log ended at the position beside them."""
        ((position, order_ids),) = await self._ask(orders.OPEN, {})
        return order_ids, position

    async def executions_read(self, venue_name: str) -> datetime | None:
        """The time up to which all executions of the venue are in the log; None: nobody has looked yet."""
        found = await self._ask(_EXECUTIONS_READ, {"venue": venue_name})
        return found[0][0] if found else None

    async def save_executions_read(self, venue_name: str, until: datetime) -> None:
        """All executions of the venue up to this time of its own are in the log."""
        await self._ask(_SAVE_EXECUTIONS_READ, {"venue": venue_name, "until": until})

    async def order_known_as(self, venue_order_id: str) -> OrderId | None:
        """The order that works, or worked, at the venue under this id; reads the log until it finds it, so ask seldom."""
        found = await self._ask(_ACKNOWLEDGED, {"venue_order_id": venue_order_id})
        return order_of(found[0][0]) if found else None

    async def checkpoint(self, name: str) -> int:
        """How far the projection has read the log.

        Raises:
            KeyError: there is no projection of this name.
        """
        return (await self._checkpoints([name]))[name]

    async def wait_for(self, names: Collection[str], position: int, timeout_seconds: float) -> bool:
        """Wait until all these projections have read the log up to the position; whether they have.

        Raises:
            KeyError: there is no projection of one of these names.
        """
        deadline = monotonic() + timeout_seconds
        pause_seconds = 0.002
        while True:
            checkpoints = await self._checkpoints(names)
            if min(checkpoints[name] for name in names) >= position:
                return True
            remaining_seconds = deadline - monotonic()
            if remaining_seconds <= 0:
                return False
            await asyncio.sleep(min(pause_seconds, remaining_seconds))
            pause_seconds = min(1.5 * pause_seconds, 0.05)

    async def lags(self, now: datetime) -> Sequence[Lag]:
        """How far each projection is behind the log, by name."""
        found = await self._ask(_LAGS, [array([projection.name for projection in PROJECTIONS], "text")])
        return [
            Lag(name, position, head, max((now - waiting_since).total_seconds(), 0.0) if waiting_since else 0.0)
            for name, position, head, waiting_since in found
        ]

    async def _checkpoints(self, names: Collection[str]) -> dict[str, int]:
        return dict(await self._ask(_CHECKPOINTS, [array(names, "text")]))

    async def _ask(self, statement: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[TupleRow]:
        async def ask() -> list[TupleRow]:
            async with self._pool.connection(self._patience_seconds) as connection:
                cursor = await connection.cursor(binary=True).execute(statement.encode(), parameters)
                return await cursor.fetchall()

        try:
            return await patiently(ask, self._patience_seconds)
        except UNAVAILABLE as error:
            raise StoreUnavailableError(str(error)) from error


_read_order = reader(OrderRow)
_read_fill = reader(FillRow)
_read_account = reader(AccountRow)
_read_position = reader(PositionRow)
_read_entry = reader(ExecutionLogRow)


def _answer(read: Callable[[Iterable[Any]], Row], found: Sequence[TupleRow]) -> Answer[Row]:
    """Rows of the position and cells, of which the first is null where there is no row."""
    return Answer([read(cells) for _, *cells in found if cells[0] is not None], found[0][0])


def _with_fills(row: TupleRow) -> tuple[OrderRow, Sequence[FillRow]]:
    order = _read_order(row[_ORDER_AT:])
    shared = order.id, order.trader_id, order.symbol, order.side
    arrays = [array or [] for array in row[1:_ORDER_AT]]
    return order, [_read_fill((fill_id, *shared, *cells)) for fill_id, *cells in zip(*arrays, strict=True)]


def cursor_of(position: int) -> str:
    """The name under which a client asks for what is before this position."""
    return urlsafe_b64encode(b"before %d" % position).decode()


def position_of(cursor: str | None) -> int:
    """The position that a cursor names; None names the end.

    Raises:
        InvalidRequest: it is not one of ours.
    """
    if cursor is None:
        return _NEWEST
    with suppress(ValueError):
        position = int(urlsafe_b64decode(cursor).removeprefix(b"before "))
        if 0 < position <= _NEWEST and cursor_of(position) == cursor:
            return position
    raise InvalidRequest("cursor", problem="is not one that came with a page of orders")
