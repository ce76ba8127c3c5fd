"""How each read model stands to the log and to this program: for the command line, the API, and whoever watches them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import AsyncConnection

from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.rows import array
from projections.projection import Projection
from projections.registry import PROJECTIONS

# The rate is a mean that fades while nothing is projected. Of a projection that is behind, the age of the first event that
# it has not read is its lag; times never fall as positions rise, so what comes next in the table will do.
_STATUS = """
SELECT wanted.name, checkpoint.position, checkpoint.version, checkpoint.updated_at,
    checkpoint.rate * exp(-least(extract(epoch FROM clock_timestamp() - checkpoint.updated_at)::float8 / 10, 100)),
    head.position, clock_timestamp(),
    (SELECT recorded_at FROM events WHERE events.position > checkpoint.position ORDER BY events.position LIMIT 1),
    stop.position, stop.event_type, stop.reason, stop.since, stop.tried_at,
    build.version, build.position, build.shards, build.began_at, build.updated_at,
    EXISTS (
        SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'previous' AND relname = wanted.name
    )
FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, n)
CROSS JOIN log_head AS head
LEFT JOIN checkpoints AS checkpoint USING (name)
LEFT JOIN projection_stops AS stop USING (name)
LEFT JOIN (
    SELECT name, min(version) AS version, min(position) AS position, max(shards) AS shards, max(began_at) AS began_at,
        max(updated_at) AS updated_at
    FROM building.progress GROUP BY name
) AS build USING (name)
ORDER BY n
"""


class State(StrEnum):
    """What a read model is doing."""

    LIVE = "live"
    STOPPED = "stopped"
    NEEDS_REBUILD = "needs_rebuild"
    NEWER = "newer"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class StopReport:
    """An event that a projection could not apply, since when, and when that was last tried."""

    position: int
    event_type: str
    reason: str
    since: datetime
    tried_at: datetime


@dataclass(frozen=True, slots=True)
class BuildReport:
    """A table that is being built, or that a migration has prepared (then ``began_at`` is None)."""

    version: int
    position: int
    shards: int
    began_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """A read model.

    ``version`` is that of the rows, None where there is no checkpoint, ``program_version`` that of this program; ``rate``
    is in events a second; ``last_error`` may be over. ``has_previous``: the table before the last rebuild is still there.
    """

    name: str
    state: State
    position: int
    head_position: int
    lag_seconds: float
    rate: float
    version: int | None
    program_version: int
    updated_at: datetime | None
    last_error: StopReport | None
    build: BuildReport | None
    has_previous: bool

    @property
    def lag_events(self) -> int:
        """How many events it has not read."""
        return self.head_position - self.position


async def projection_status(
    connection: AsyncConnection[Any], projections: Sequence[Projection[Any]] = PROJECTIONS
) -> list[ProjectionStatus]:
    """How the read models stand, all as of one moment.

    Raises:
        psycopg.Error: the database cannot be read, or is not migrated.
    """
    found = await (await connection.execute(_STATUS.encode(), _wanted(projections), binary=True)).fetchall()
    return [_status(projection, row) for projection, row in zip(projections, found, strict=True)]


def projection_status_at(
    database_url: str, projections: Sequence[Projection[Any]] = PROJECTIONS
) -> list[ProjectionStatus]:
    """The same, for whoever has no loop.

    Raises:
        psycopg.Error: the database cannot be read, or is not migrated.
    """
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        found = connection.execute(_STATUS.encode(), _wanted(projections), binary=True).fetchall()
    return [_status(projection, row) for projection, row in zip(projections, found, strict=True)]


def _wanted(projections: Sequence[Projection[Any]]) -> tuple[str]:
    return (array([projection.name for projection in projections], "text"),)


def _status(projection: Projection[Any], row: Sequence[Any]) -> ProjectionStatus:
    name, position, version, updated_at, rate, head, now, waiting_since = row[:8]
    stop = None if row[8] is None else StopReport(row[8], row[9], row[10], _utc(row[11]), _utc(row[12]))
    build = None
    if row[13] is not None:
        build = BuildReport(row[13], row[14], row[15], row[16] and _utc(row[16]), _utc(row[17]))
    return ProjectionStatus(
        name=name,
        state=_state(projection, position, version, stop),
        position=position or 0,
        head_position=head,
        lag_seconds=max((now - waiting_since).total_seconds(), 0.0) if waiting_since else 0.0,
        rate=rate or 0.0,
        version=version,
        program_version=projection.version,
        updated_at=updated_at and _utc(updated_at),
        last_error=stop,
        build=build,
        has_previous=row[18],
    )


def _state(projection: Projection[Any], position: int, version: int | None, stop: StopReport | None) -> State:
    if version is None:
        return State.MISSING
    if version != projection.version:
        return State.NEEDS_REBUILD if version < projection.version else State.NEWER
    return State.STOPPED if stop is not None and stop.position == position + 1 else State.LIVE


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
