"""What a stream held before a batch: for rows that are folded anew."""

from collections import defaultdict
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.events import TOPICS, RecordedEvent, StreamId
from infrastructure.codec import Codec
from infrastructure.postgres.archived import HERE_FROM, see_that_positions_are_here
from infrastructure.postgres.rows import array
from infrastructure.postgres.skips import NO_SKIPS, Skips, unskipped
from projections.projection import NO_PAST, Batch, Past, Projection

# In the order of their positions, which within a stream is that of their versions.
_BEFORE = """
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
FROM events WHERE stream_id = ANY (%s::text[]) AND type = ANY (%s::text[]) AND position < %s
ORDER BY stream_id, version
"""

_codec: Final = Codec()


async def past_of(
    connection: AsyncConnection[TupleRow], projection: Projection[Any], batch: Batch, skips: Skips = NO_SKIPS
) -> Past:
    """The streams that the projection needs to fold the batch, of which nothing is skipped, up to its end.

    Raises:
        psycopg.Error: the log cannot be read.
        UnreadableEventError: an event is not one that this program knows.
        EventsArchivedError: the beginning of a stream is archived, and rows without it would be wrong.
    """
    streams = projection.retold(batch)
    if not streams:
        return NO_PAST
    for stream_id in streams:
        ((here_from,),) = await (
            await connection.execute(HERE_FROM, {"stream_id": stream_id, "since": None})
        ).fetchall()
        see_that_positions_are_here(1, here_from)
    types = [topic for topic, event_type in TOPICS.items() if event_type in projection.events]
    parameters = (array(streams, "text"), array(types, "text"), batch[0].position)
    found = await (await connection.cursor(binary=True).execute(_BEFORE, parameters)).fetchall()
    before = list(_codec.recorded_events(found))
    past: defaultdict[StreamId, list[RecordedEvent]] = defaultdict(list)
    for recorded in [*unskipped(projection, before, skips), *batch]:
        past[recorded.stream_id].append(recorded)
    return past
