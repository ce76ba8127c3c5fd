"""Keeps the read models up with the log.

Projections that stand at one position form a lane: a batch of events takes all of them forward in one transaction, rows
and checkpoints together. So a crash neither loses nor repeats an event, and what one query sees of several read models
fits together. A projection that fails leaves its lane and tries again alone, while the others go on; what it could not
apply is written down for whoever looks from another process.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import time_ns
from typing import Any

from psycopg import Error

from application.pacing import paced
from application.ports import Feed
from domain.events import RecordedEvent
from infrastructure.postgres.past import past_of
from infrastructure.postgres.patience import LONG_SECONDS, Pool, patiently
from infrastructure.postgres.rows import Table, array
from infrastructure.postgres.skips import Skips, skips_of, unskipped
from projections.projection import Batch, Projection
from projections.registry import PROJECTIONS

log = logging.getLogger(__name__)

Lane = Sequence[Projection[Any]]

_INTERVAL_SECONDS = 0.05

PAUSE_SECONDS = 1.0
PAUSE_SECONDS_MAX = 60.0
_REASON_LENGTH_MAX = 1_000

# Nothing waits for the disk: after a crash of the server rows and checkpoint are older together, and catch up. A worker
# that is stopped in the middle loses its lock on the checkpoints, and another one goes on.
_SETTINGS = """
SELECT set_config('synchronous_commit', 'off', true), set_config('idle_in_transaction_session_timeout', '10s', true),
       set_config('statement_timeout', '60s', true)
"""

# Always in the same order, so that two workers wait for each other but never in a circle.
_LOCK = "SELECT name, position, version FROM checkpoints WHERE name = ANY (%s::text[]) ORDER BY name FOR UPDATE"

# The rate is a mean in which what is ten seconds older counts a third. What is too small for a number is an error.
_MOVE = """
UPDATE checkpoints SET position = moved.position, updated_at = clock_timestamp(),
    rate = rate * faded + (moved.position - checkpoints.position) * (1 - faded) / seconds
FROM unnest(%s::text[], %s::bigint[]) AS moved (name, position)
CROSS JOIN LATERAL (
    SELECT greatest(extract(epoch FROM clock_timestamp() - since.updated_at)::float8, 0.000001) AS seconds
    FROM checkpoints AS since WHERE since.name = moved.name
) AS passed
CROSS JOIN LATERAL (SELECT exp(-least(seconds / 10, 100)) AS faded) AS fading
WHERE checkpoints.name = moved.name
"""

_NOTE_STOP = """
INSERT INTO projection_stops AS stop (name, position, event_type, reason, since, tried_at)
VALUES (%s, %s, %s, %s, clock_timestamp(), clock_timestamp())
ON CONFLICT (name) DO UPDATE SET position = excluded.position, event_type = excluded.event_type, reason = excluded.reason,
    since = CASE WHEN stop.position = excluded.position THEN stop.since ELSE excluded.since END, tried_at = excluded.tried_at
"""

_VERSION = "SELECT version FROM checkpoints WHERE name = %s"

_POSITIONS = "SELECT name, position FROM checkpoints WHERE name = ANY (%s::text[])"


class CannotContinueError(Exception):
    """What is in the database is not what this projection left there."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where a projection was stopped and why, and how long it waits before it tries again."""

    position: int
    pause_seconds: float
    reason: str


class Projector:
    """Runs projections over the feed. Several workers may: whoever locks the checkpoints first applies the events.

    Args:
        pool: each lane uses one of its connections while it applies a batch.
        feed: the log as it grows.
        projections: the read models to keep.
        on_applied: called with each batch that all of a lane have, and when that began and ended, in nanoseconds since 1970.
    """

    def __init__(
        self,
        pool: Pool,
        feed: Feed,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
        on_applied: Callable[[Batch, tuple[int, int]], None] | None = None,
    ) -> None:
        self._on_applied = on_applied
        self._pool = pool
        self._feed = feed
        self._projections = projections
        self._tables = {projection.name: Table(projection) for projection in projections}
        self._stops: dict[str, _Stop] = {}
        self._skips: dict[str, Collection[int]] = {}

    async def run(self) -> None:
        """Project until cancelled; a database that is away is waited for."""
        positions = await patiently(partial(self._positions, self._projections))
        together: defaultdict[int, list[Projection[Any]]] = defaultdict(list)
        for projection in self._projections:
            together[positions[projection.name]].append(projection)
        async with asyncio.TaskGroup() as lanes:
            for lane in together.values():
                lanes.create_task(self._follow(lane, lanes))

    async def _follow(self, lane: Lane, lanes: asyncio.TaskGroup) -> None:
        """Take the lane along the log until nothing is left in it, or the feed is closed."""
        while True:
            positions = await patiently(partial(self._positions, lane))
            self._skips |= await patiently(partial(self._skipped, lane))
            try:
                async for batch in paced(self._feed.follow(min(positions.values())), _INTERVAL_SECONDS):
                    stopped = await self._apply(lane, batch)
                    for projection in stopped:
                        lanes.create_task(self._follow_later(projection, lanes))
                    lane = [projection for projection in lane if projection not in stopped]
                    if not lane:
                        break
            except Exception:
                log.exception("the log cannot be read, trying again in %.0f s", PAUSE_SECONDS)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _follow_later(self, projection: Projection[Any], lanes: asyncio.TaskGroup) -> None:
        await asyncio.sleep(self._stops[projection.name].pause_seconds)
        await self._follow([projection], lanes)

    async def _apply(self, lane: Lane, batch: Batch) -> list[Projection[Any]]:
        """Apply the batch to all; returns the projections that were stopped in it."""
        began = time_ns()
        try:
            await patiently(partial(self._advance, lane, batch))
        except Exception:  # noqa: BLE001 - what is wrong with one projection must not stop the others
            return [projection for projection in lane if not await self._apply_alone(projection, batch)]
        if self._on_applied is not None:
            self._on_applied(batch, (began, time_ns()))
        return []

    async def _apply_alone(self, projection: Projection[Any], batch: Batch) -> bool:
        """Apply as much as can be, halving the batch until the event that cannot be is found; was it everything?"""
        try:
            await patiently(partial(self._advance, [projection], batch))
        except Exception as error:  # noqa: BLE001 - the log says what it was
            if misfit := await patiently(partial(self._misfit, projection, error)):
                self._wait(projection, misfit)
                return False
            if half := len(batch) // 2:
                first, second = batch[:half], batch[half:]
                return await self._apply_alone(projection, first) and await self._apply_alone(projection, second)
            await self._stop(projection, batch[0], error)
            return False
        return True

    async def _misfit(self, projection: Projection[Any], error: Exception) -> CannotContinueError | None:
        """Why the projection cannot go on here: rows of another version may well be in a table of another shape."""
        if isinstance(error, CannotContinueError):
            return error
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_VERSION, (projection.name,))
            versions = await cursor.fetchall()
        return _wrong_version(projection, versions[0][0]) if versions else None

    def _wait(self, projection: Projection[Any], error: CannotContinueError) -> None:
        """Look again soon: somebody else may make the rows fit, as a rebuild does. Say it once."""
        last = self._stops.get(projection.name)
        if last is None or last.reason != str(error):
            log.error("the projection %s cannot go on, and looks again and again: %s", projection.name, error)
        self._stops[projection.name] = _Stop(0, PAUSE_SECONDS, str(error))

    async def _stop(self, projection: Projection[Any], recorded: RecordedEvent, error: Exception) -> None:
        position, reason = recorded.position, f"{type(error).__name__}: {error}".replace("\x00", "\ufffd")
        last = self._stops.get(projection.name)
        is_stuck = last is not None and last.position == position
        pause_seconds = min(2 * last.pause_seconds, PAUSE_SECONDS_MAX) if last and is_stuck else PAUSE_SECONDS
        self._stops[projection.name] = _Stop(position, pause_seconds, reason)
        message = "the projection %s stands before the event at position %d, trying again in %.0f s: %s"
        log.error(message, projection.name, position, pause_seconds, error, exc_info=error)
        try:
            async with self._pool.connection() as connection:
                noted = projection.name, position, type(recorded.event).__name__, reason[:_REASON_LENGTH_MAX]
                await connection.execute(_NOTE_STOP, noted)
        except Error as failure:
            log.warning("nobody else can be told: %s", failure)

    async def _advance(self, lane: Lane, batch: Batch) -> None:
        """Apply to every projection of the lane what is new to it, in one transaction of two round trips.

        One more for a projection that has to fold a row anew.
        """
        async with (
            self._pool.connection(answer_seconds=LONG_SECONDS) as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            await connection.execute(_SETTINGS)
            locked = await connection.execute(_LOCK, (array([each.name for each in lane], "text"),))
            # Rows are asked for before it is known which events are new; the lock comes first, so they are current.
            found = {}
            for projection in lane:
                if keys := projection.keys(batch):
                    cursor = connection.cursor(binary=True)
                    found[projection.name] = await cursor.execute(*self._tables[projection.name].load(keys))
            checkpoints = {name: (position, version) for name, position, version in await locked.fetchall()}
            moved = {}
            for projection in lane:
                if new := _new(projection, checkpoints, batch):
                    table = self._tables[projection.name]
                    rows = await found[projection.name].fetchall() if projection.name in found else []
                    wanted = unskipped(projection, new, self._skips)
                    past = await past_of(connection, projection, wanted, self._skips)
                    if changed := projection.fold(table.loaded(rows), wanted, past):
                        await connection.execute(*table.save(changed))
                    moved[projection.name] = new[-1].position
            await connection.execute(_MOVE, (array(moved, "text"), array(moved.values(), "bigint")))

    async def _positions(self, lane: Lane) -> dict[str, int]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_POSITIONS, (array([each.name for each in lane], "text"),))
            return dict.fromkeys([each.name for each in lane], 0) | dict(await cursor.fetchall())

    async def _skipped(self, lane: Lane) -> Skips:
        """What the lane passes over. Whoever skips an event moves the checkpoint too, so looking once is enough."""
        async with self._pool.connection() as connection:
            return await skips_of(connection, lane)


def _wrong_version(projection: Projection[Any], version: int) -> CannotContinueError | None:
    if version == projection.version:
        return None
    return CannotContinueError(
        f"the rows were written by version {version}, this program has version {projection.version}"
    )


def _new(projection: Projection[Any], checkpoints: Mapping[str, tuple[int, int]], batch: Batch) -> Batch:
    """The events after the projection's checkpoint."""
    if projection.name not in checkpoints:
        raise CannotContinueError("there is no checkpoint of this name; was the database migrated?")
    position, version = checkpoints[projection.name]
    if wrong := _wrong_version(projection, version):
        raise wrong
    new = [recorded for recorded in batch if recorded.position > position]
    if new and new[0].position != position + 1:
        raise CannotContinueError(f"the checkpoint was moved back to {position}")
    return new
