"""What goes on at the moment, for operators: how many orders come, how long they wait, and which are in doubt."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from application.ports import StoreUnavailableError
from infrastructure.postgres.connecting import UNAVAILABLE
from infrastructure.postgres.patience import Pool

UNRESOLVED_MAX = 50
SECONDS = 60
"""Of how many whole seconds the orders are counted."""

# The log's entries have no index by time: the newest of them are those with the highest ids.
_RECENT = """
WITH recent AS (
    SELECT order_id, action, recorded_at FROM execution_log
    WHERE id > (SELECT coalesce(max(id), 0) FROM execution_log) - 50000
        AND recorded_at > clock_timestamp() - make_interval(mins => 5)
), submitted AS (
    SELECT order_id, recorded_at FROM recent WHERE action = 'SUBMITTED'
)
"""

_PER_SECOND = f"""
{_RECENT}
SELECT second, count(submitted.order_id)
FROM generate_series(1, {SECONDS}) AS ago
CROSS JOIN LATERAL (SELECT date_trunc('second', now()) - make_interval(secs => ago)) AS at (second)
LEFT JOIN submitted ON date_trunc('second', submitted.recorded_at) = second
GROUP BY second ORDER BY second
"""  # noqa: S608 - made of constants

_LATENCIES = f"""
{_RECENT}, reached AS (
    SELECT order_id, action, min(recorded_at) AS at FROM recent
    WHERE action IN ('ACCEPTED', 'FILLED') GROUP BY order_id, action
), waited AS (
    SELECT action, extract(epoch FROM reached.at - submitted.recorded_at)::float8 * 1000 AS ms
    FROM reached JOIN submitted USING (order_id)
)
SELECT named.action, count(ms), percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY ms)
FROM (VALUES ('ACCEPTED'), ('FILLED')) AS named (action) LEFT JOIN waited USING (action)
GROUP BY named.action ORDER BY named.action
"""  # noqa: S608 - made of constants

_OPEN = "SELECT count(*), count(*) FILTER (WHERE 'UNRESOLVED' = ANY (flags)) FROM orders WHERE is_open"

_IN_DOUBT = f"""
SELECT id, trader_id, symbol, created_at FROM orders
WHERE is_open AND 'UNRESOLVED' = ANY (flags) ORDER BY created_position LIMIT {UNRESOLVED_MAX}
"""  # noqa: S608 - made of a constant


class Latency(NamedTuple):
    """How many milliseconds orders waited, from when they were recorded, for what ``action`` names; of none, None."""

    action: str
    orders: int
    percentiles_ms: tuple[float, float, float] | None


class DoubtfulOrder(NamedTuple):
    """An order of which nobody knows whether the venue has it."""

    id: str
    trader_id: str
    symbol: str
    created_at: datetime


class Activity(NamedTuple):
    """The last five minutes: orders in each of the last seconds, the 50th, 95th and 99th percentile of what they waited."""

    open_orders: int
    unresolved_orders: int
    unresolved: Sequence[DoubtfulOrder]
    per_second: Sequence[tuple[datetime, int]]
    latencies: Sequence[Latency]


async def activity(pool: Pool) -> Activity:
    """What goes on, as far as the read models have come.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    try:
        async with pool.connection() as connection, connection.transaction():
            ((open_orders, unresolved_orders),) = await (await connection.execute(_OPEN)).fetchall()
            in_doubt = await (await connection.execute(_IN_DOUBT)).fetchall()
            per_second = await (await connection.execute(_PER_SECOND.encode())).fetchall()
            latencies = await (await connection.execute(_LATENCIES.encode())).fetchall()
    except UNAVAILABLE as error:
        raise StoreUnavailableError(str(error)) from error
    return Activity(
        open_orders,
        unresolved_orders,
        [DoubtfulOrder(*row) for row in in_doubt],
        [(second, count) for second, count in per_second],
        [Latency(action, waited, tuple(found) if found else None) for action, waited, found in latencies],
    )
