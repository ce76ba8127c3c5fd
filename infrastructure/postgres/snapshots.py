"""Snapshots: states of streams, written down so that no stream has to be folded from its beginning.

They are derived. Without them everything is the same and slower, as long as the events are in the database. Of streams
whose beginning is archived they are what is left there, so nothing is archived without them.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from application.ports import EventsArchivedError
from application.snapshots import Snapshot, advanced, empty
from domain.aggregates import State
from domain.events import StreamId
from domain.values import exactly
from infrastructure.codec import Codec, RawEvent
from infrastructure.postgres.archived import events_away
from infrastructure.postgres.patience import LONG_SECONDS, Pool
from infrastructure.postgres.rows import array
from infrastructure.state_codec import decode, encode, shape_of, shapes

log = logging.getLogger(__name__)

EVERY = 200
"""A stream gets a new snapshot when it has grown by so many events. The index ``events_milestones`` has this number in it."""

_EVENTS_AT_ONCE = 500
_STREAMS_AT_ONCE = 100

KEPT = """
SELECT id, kept.shape, version, position, created_at, updated_at, CASE WHEN kept.shape = wanted.shape THEN state END,
    (SELECT metadata::jsonb ->> 'correlation_id' FROM events WHERE stream_id = id AND version = 1)
FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS wanted (id, after, shape)
CROSS JOIN LATERAL (SELECT * FROM snapshots WHERE stream_id = wanted.id AND version > wanted.after OFFSET 0) AS kept
"""
"""Of the streams, the snapshots after the given versions: the state only of those that have the given shape.

With them the story of each stream, as long as its first event is here.
"""

_SAVE = """
INSERT INTO snapshots (stream_id, shape, version, position, created_at, updated_at, state)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[])
ON CONFLICT (stream_id, shape) DO UPDATE
SET version = excluded.version, position = excluded.position, created_at = excluded.created_at,
    updated_at = excluded.updated_at, state = excluded.state
WHERE snapshots.version < excluded.version
"""

_EVENTS = """
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
FROM events WHERE stream_id = %s AND version > %s AND position > %s ORDER BY version LIMIT %s
"""

_GROWN = """
SELECT stream_id FROM (
    SELECT stream_id, max(version) AS version FROM events WHERE version %% 200 = 0 GROUP BY stream_id
) AS grown
WHERE stream_id <> ALL (%s::text[]) AND NOT EXISTS (
    SELECT FROM snapshots AS kept
    WHERE kept.stream_id = grown.stream_id AND kept.shape = ANY (%s::text[]) AND kept.version >= grown.version
)
LIMIT %s
"""


def read_snapshots(kept: Iterable[TupleRow]) -> dict[StreamId, Snapshot[State]]:
    """The snapshots that ``KEPT`` found and this program can read."""
    return {
        StreamId(stream_id): Snapshot(
            decode(stream_id, state), version, position, _utc(created_at), _utc(updated_at), story or ""
        )
        for stream_id, _, version, position, created_at, updated_at, state, story in kept
        if state is not None
    }


async def keep_snapshots(pool: Pool) -> None:
    """Write a snapshot of every stream that has grown enough since its last one, and can be folded.

    Raises:
        psycopg.Error: the database cannot be reached.
    """
    away: list[StreamId] = []
    while True:
        async with pool.connection(answer_seconds=LONG_SECONDS) as connection:
            parameters = array(away, "text"), array(shapes(), "text"), _STREAMS_AT_ONCE
            grown = await (await connection.execute(_GROWN, parameters)).fetchall()
            if not grown:
                return
            for stream_id in (StreamId(name) for (name,) in grown):
                try:
                    await save(connection, {stream_id: await folded(connection, stream_id)})
                except EventsArchivedError as error:
                    log.error("there is no snapshot: %s", error)  # noqa: TRY400 - the sentence says it all
                    away.append(stream_id)


async def folded(connection: AsyncConnection[TupleRow], stream_id: StreamId) -> Snapshot[State]:
    """The stream as it is, folded a few events at a time, so that whoever else is in this process is not kept waiting.

    Raises:
        EventsArchivedError: its beginning is archived, and there is no snapshot that this program can read.
    """
    wanted = array([stream_id], "text"), array([0], "bigint"), array([shape_of(stream_id)], "text")
    kept = await connection.cursor(binary=True).execute(KEPT, wanted)
    snapshot = read_snapshots(await kept.fetchall()).get(stream_id) or empty(stream_id)
    codec = Codec()
    while True:
        parameters = stream_id, snapshot.version, snapshot.position, _EVENTS_AT_ONCE
        rows = await (await connection.cursor(binary=True).execute(_EVENTS, parameters)).fetchall()
        if not rows:
            return snapshot
        if rows[0][2] > snapshot.version + 1:
            raise events_away(stream_id, snapshot.version)
        with exactly():
            snapshot = advanced(snapshot, (codec.to_recorded_event(RawEvent._make(row)) for row in rows))
        await asyncio.sleep(0)


async def save(connection: AsyncConnection[TupleRow], snapshots: Mapping[StreamId, Snapshot[State]]) -> None:
    """Write the snapshots, those of streams that have events; where there is a newer one, it stays."""
    there = {stream_id: each for stream_id, each in snapshots.items() if each.version}
    await connection.execute(
        _SAVE,
        (
            array(there, "text"),
            array(map(shape_of, there), "text"),
            array([each.version for each in there.values()], "bigint"),
            array([each.position for each in there.values()], "bigint"),
            array([each.created_at for each in there.values()], "timestamptz"),
            array([each.updated_at for each in there.values()], "timestamptz"),
            array([encode(each.state) for each in there.values()], "text"),
        ),
    )


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
