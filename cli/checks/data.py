"""The database: reachable, migrated, its log and read models consistent, its clock and ours the same."""

from collections.abc import Iterator
from datetime import datetime
from time import monotonic, sleep

from cli.checks.finding import Finding
from infrastructure.postgres.inspection import LogHead, checkpoints, log_head
from infrastructure.postgres.migrating import current, head
from infrastructure.postgres.projection_status import ProjectionStatus, State, projection_status_at
from infrastructure.postgres.roles import APP, Rights, rights

_CATCH_UP_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.2
_CLOCK_SECONDS_MAX = 2.0


def event_log(database_url: str, now: datetime) -> Iterator[Finding]:
    """Everything about the database at this URL; ``now`` is the time by this machine's clock.

    Raises:
        psycopg.Error: it cannot be reached.
    """
    revision = current(database_url)
    yield Finding("database", "reachable")
    if revision is None or revision < head():
        at = "not migrated" if revision is None else f"at revision {revision}, the newest is {head()}"
        yield Finding("migrations", at, "`orderlog db upgrade`")
        return
    if revision > head():
        yield Finding(
            "migrations",
            f"revision {revision} is newer than this program, which knows {head()}",
            "install the newer one",
        )
        return
    yield Finding("migrations", f"at revision {revision}")
    end = log_head(database_url)
    yield _consistent(end)
    yield _clock(end, now)
    yield _rights(rights(database_url))
    yield _projections(database_url, end.position)


def _rights(user: Rights) -> Finding:
    if not user.changes_log:
        return Finding("roles", f"{user.user} can add to the log, and cannot change it")
    if user.becomes_app:
        return Finding("roles", f"the engine works as {APP}, which can add to the log and cannot change it")
    return Finding(
        "roles",
        f"the engine works as {user.user}, which could change the log",
        "make the roles, or log in as a member of one: docs/how-to/separate-database-roles.md",
    )


def _consistent(end: LogHead) -> Finding:
    if end.agrees:
        return Finding("log", f"{end.position} events")
    return Finding(
        "log",
        f"the head says {end.position}, and the last event says something else",
        "stop writing, keep a copy, and restore a backup: somebody changed the tables by hand",
    )


def _clock(end: LogHead, now: datetime) -> Finding:
    apart = (now - end.database_time).total_seconds()
    if abs(apart) > _CLOCK_SECONDS_MAX:
        return Finding("clock", f"{apart:+.1f} s from the database's", "keep both clocks right with NTP")
    ahead = (end.recorded_at - now).total_seconds() if end.recorded_at else 0.0
    if ahead > _CLOCK_SECONDS_MAX:
        return Finding("clock", f"the last event is {ahead:.1f} s in the future", "set the clock right with NTP")
    return Finding("clock", f"{apart:+.3f} s from the database's")


def _projections(database_url: str, end: int) -> Finding:
    """Whether the read models can follow the log, and come to where it ended a moment ago."""
    stuck = [each for each in projection_status_at(database_url) if each.state is not State.LIVE]
    if stuck:
        return Finding(
            "projections",
            "; ".join(map(_stuck, stuck)),
            "`orderlog projections status` says more, `rebuild` and `skip` help",
        )
    deadline = monotonic() + _CATCH_UP_SECONDS
    while behind := {name: end - position for name, position in checkpoints(database_url).items() if position < end}:
        if monotonic() > deadline:
            shown = ", ".join(f"{name} by {events}" for name, events in behind.items())
            return Finding(
                "projections",
                f"behind the log, in events: {shown}",
                "see that a worker runs (`orderlog serve` or `orderlog work`), and what it says",
            )
        sleep(_LOOK_AGAIN_SECONDS)
    return Finding("projections", f"up with the log at {end}")


def _stuck(projection: ProjectionStatus) -> str:
    """Why it does not follow the log, in a few words."""
    if projection.state is State.STOPPED and projection.last_error is not None:
        error = projection.last_error
        return f"{projection.name} stands before {error.event_type} at {error.position}, which it cannot apply: {error.reason}"
    if projection.state is State.MISSING:
        return f"{projection.name} has no checkpoint"
    return (
        f"{projection.name} has rows of version {projection.version}, and this program has {projection.program_version}"
    )
