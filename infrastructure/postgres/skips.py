"""Events that a projection does not apply, because an operator said so: that is recorded, and holds for ever."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.events import RecordedEvent, projection_stream
from infrastructure.postgres.rows import array
from projections.projection import Projection

Skips = Mapping[str, Collection[int]]
"""The positions of the skipped events, by the name of the projection."""

NO_SKIPS: Skips = {}

_SKIPPED = """
SELECT data::jsonb ->> 'projection', array_agg((data::jsonb ->> 'position')::bigint)
FROM events WHERE stream_id = ANY (%s::text[]) AND type = 'ProjectionEventSkipped' GROUP BY 1
"""


async def skips_of(connection: AsyncConnection[Any], projections: Iterable[Projection[Any]]) -> Skips:
    """What these projections skip, as far as it is recorded.

    Raises:
        psycopg.Error: the log cannot be read.
    """
    streams = array([projection_stream(projection.name) for projection in projections], "text")
    return dict(await (await connection.execute(_SKIPPED, (streams,))).fetchall())


def unskipped(projection: Projection[Any], batch: Sequence[RecordedEvent], skips: Skips) -> Sequence[RecordedEvent]:
    """The batch without what the projection skips."""
    if skipped := skips.get(projection.name):
        return [recorded for recorded in batch if recorded.position not in skipped]
    return batch
