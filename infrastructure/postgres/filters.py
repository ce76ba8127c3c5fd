"""Which events of the log: filters that pass the same ones in every form, and up to what moment."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, TypedDict

from application.ports import NOW, AsOf
from domain.events import StreamId
from domain.values import TraderId
from infrastructure.postgres import arrays

# Times never fall as positions rise and positions have no gaps, so the last event up to a time is found by halving.
_HALVING = """(
    WITH RECURSIVE halving (low, high) AS (
        SELECT coalesce((SELECT min(position) FROM events), 1) - 1, position FROM log_head
        UNION ALL
        SELECT CASE WHEN recorded_at {up_to} THEN position ELSE low END,
               CASE WHEN recorded_at {up_to} THEN high ELSE position - 1 END
        FROM halving JOIN events ON position = (low + high + 1) / 2
        WHERE low < high
    )
    SELECT low FROM halving WHERE low = high
)"""
_BEFORE_SINCE = _HALVING.format(up_to="< %(since)s")
AT_TIME: Final = _HALVING.format(up_to="<= %(time)s")
"""The position of the last event up to the parameter ``time``."""

_CHOSEN = f"""
FROM events
WHERE position > %(after)s
  AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s))
  AND (%(trader_id)s::text IS NULL OR metadata::jsonb ->> 'trader_id' = %(trader_id)s)
  AND (%(stream_id)s::text IS NULL OR stream_id = %(stream_id)s)
  AND (%(since)s::timestamptz IS NULL OR position > {_BEFORE_SINCE})
  AND (%(time)s::timestamptz IS NULL OR position <= {AT_TIME})
  AND (%(position)s::bigint IS NULL OR position <= %(position)s)
ORDER BY position LIMIT %(limit)s
"""

RAW: Final = f"SELECT position, stream_id, version, type, data, metadata, recorded_at, hash {_CHOSEN}"
"""The fields of ``RawEvent``; the parameters are ``asked``."""

LINES: Final = f"""
SELECT position, stream_id, version, type, data, metadata,
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), encode(hash, 'hex') {_CHOSEN}
"""
"""The fields of ``Line``; the parameters are the same."""


class Filters(TypedDict, total=False):
    """What an event has to pass; without a filter all do.

    ``types``: only these topics; empty: all. ``trader_id``: only this trader's, by their metadata. ``stream_id``: only
    this stream's. ``since``: only those recorded at this time or later. ``as_of``: only those that there were at this moment.
    """

    types: Collection[str]
    trader_id: TraderId | None
    stream_id: StreamId | None
    since: datetime | None
    as_of: AsOf


def asked(after: int, limit: int, filters: Filters) -> dict[str, Any]:
    """The parameters of the first events behind a position that pass the filters."""
    types, as_of = filters.get("types", ()), filters.get("as_of", NOW)
    return {
        "after": after,
        "limit": limit,
        "types": arrays.texts(types) if types else None,
        "trader_id": filters.get("trader_id"),
        "stream_id": filters.get("stream_id"),
        "since": filters.get("since"),
        "time": as_of.time,
        "position": as_of.position,
    }
