"""How the read models stand, for operators."""

from datetime import datetime

from api.answers import Answer, json_answer
from api.endpoints import Call
from api.fields import TimeText
from api.schemas import Told
from api.views import View
from application.ports import StoreUnavailableError
from application.status import time_text
from infrastructure.postgres.connecting import UNAVAILABLE
from infrastructure.postgres.projection_status import ProjectionStatus, State, projection_status


class StopView(Told):
    """An event that a read model could not apply, since when, and when that was last tried."""

    position: int
    event_type: str
    reason: str
    since: TimeText
    tried_at: TimeText


class BuildView(Told):
    """A table that is being built by so many `workers`; before it began, one that a migration has prepared."""

    version: int
    position: int
    workers: int
    began_at: TimeText | None
    updated_at: TimeText


class ProjectionView(Told):
    """A read model.

    `version` is that of its rows, `program_version` that of this program. `rate` is in events a second. `last_error` may
    be over: a read model that is stopped has the `state` `stopped`.
    """

    name: str
    state: State
    position: int
    head_position: int
    lag_events: int
    lag_seconds: float
    rate: float
    version: int | None
    program_version: int
    updated_at: TimeText | None
    last_error: StopView | None
    build: BuildView | None
    has_previous: bool


class ProjectionsPage(Told):
    """Every read model, and where the log ends."""

    projections: list[ProjectionView]
    position: int


async def list_projections(call: Call) -> Answer:
    """Every read model: how far it is behind the log, and what stops it."""
    try:
        async with call.engine.pool.connection() as connection:
            found = await projection_status(connection)
    except UNAVAILABLE as error:
        raise StoreUnavailableError(str(error)) from error
    return json_answer({"projections": [projection_view(each) for each in found], "position": found[0].head_position})


def projection_view(status: ProjectionStatus) -> View:
    """A read model as the API and the command line show it."""
    error, build = status.last_error, status.build
    return {
        "name": status.name,
        "state": status.state.value,
        "position": status.position,
        "head_position": status.head_position,
        "lag_events": status.lag_events,
        "lag_seconds": round(status.lag_seconds, 3),
        "rate": round(status.rate, 1),
        "version": status.version,
        "program_version": status.program_version,
        "updated_at": _time(status.updated_at),
        "last_error": error
        and {
            "position": error.position,
            "event_type": error.event_type,
            "reason": error.reason,
            "since": time_text(error.since),
            "tried_at": time_text(error.tried_at),
        },
        "build": build
        and {
            "version": build.version,
            "position": build.position,
            "workers": build.shards,
            "began_at": _time(build.began_at),
            "updated_at": time_text(build.updated_at),
        },
        "has_previous": status.has_previous,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else time_text(at)
