"""Tickets that open one stream, once, whichever process gave them out and whichever is asked to take them."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from psycopg.rows import TupleRow

from application.ports import StoreUnavailableError
from domain.values import TraderId
from infrastructure.postgres.connecting import UNAVAILABLE
from infrastructure.postgres.patience import Pool, patiently

_PATIENCE_SECONDS = 2.0

# What nobody used in time goes with the next one that is given out.
_ISSUE = """
WITH expired AS (DELETE FROM stream_tickets WHERE expires_at <= %(now)s)
INSERT INTO stream_tickets (digest, trader_id, expires_at) VALUES (%(digest)s, %(trader_id)s, %(expires_at)s)
ON CONFLICT DO NOTHING
"""

_REDEEM = "DELETE FROM stream_tickets WHERE digest = %(digest)s AND expires_at > %(now)s RETURNING trader_id"


class StreamTickets:
    """The tickets that nobody has used yet. The database knows their digests only."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def issue(self, ticket: str, trader_id: TraderId, now: datetime, expires_at: datetime) -> None:
        """Give out the ticket, a fresh secret, to the trader.

        Raises:
            StoreUnavailableError: the database cannot be reached.
        """
        parameters = {"digest": _digest(ticket), "trader_id": trader_id, "now": now, "expires_at": expires_at}
        await self._ask(_ISSUE, parameters)

    async def redeem(self, ticket: str, now: datetime) -> TraderId | None:
        """Take the ticket: whose it is, None when it is not one of ours, expired, or was used before.

        Raises:
            StoreUnavailableError: the database cannot be reached.
        """
        taken = await self._ask(_REDEEM, {"digest": _digest(ticket), "now": now})
        return TraderId(taken[0][0]) if taken else None

    async def _ask(self, statement: str, parameters: Mapping[str, Any]) -> list[TupleRow]:
        async def ask() -> list[TupleRow]:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(statement.encode(), parameters)
                return await cursor.fetchall() if cursor.description else []

        try:
            return await patiently(ask, _PATIENCE_SECONDS)
        except UNAVAILABLE as error:
            raise StoreUnavailableError(str(error)) from error


def _digest(ticket: str) -> bytes:
    return sha256(ticket.encode()).digest()
