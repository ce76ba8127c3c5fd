"""``orderlog projections``: how the read models stand, and rebuild, verify or repair them."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.archives import ArchiveDirectory, log_at
from cli.engine import settings
from cli.exits import CommandError, ExitCode
from cli.options import Json, commands
from cli.output import say, wants_json, write_json, write_table
from cli.storage import event_log

if TYPE_CHECKING:
    from infrastructure.postgres.preparing import Prospect
    from infrastructure.postgres.projection_status import ProjectionStatus
    from infrastructure.postgres.rebuilding import Rebuilt
    from projections.projection import Projection

_BATCH = 10_000
_UNITS = {"": "seconds", "s": "seconds", "e": "events"}

app = commands("See how the read models stand; rebuild and verify them.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Read models; by default all.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A read model.")]


@app.command("list")
def list_projections(*, as_json: Json = False) -> None:
    """List the read models of this program: the version of each, what tells its rows apart, what it is folded from."""
    from domain.events import TOPICS  # noqa: PLC0415 - takes longer to import than --help

    rows = []
    for projection in _named(None):
        events = [topic for topic, event in TOPICS.items() if event in projection.events]
        rows.append((projection.name, projection.version, list(projection.key), events))
    if wants_json(as_json):
        for name, version, key, events in rows:
            write_json({"name": name, "version": version, "key": key, "events": events})
    else:
        cells = [(name, version, ", ".join(key), ", ".join(events)) for name, version, key, events in rows]
        write_table(("name", "version", "key", "events"), cells)


@app.command()
def status(
    *,
    max_lag: Annotated[
        str | None,
        typer.Option(metavar="LAG", help="End with 4 if one is further behind: seconds (30 or 30s) or events (500e)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how far each read model is behind the log, how fast it goes, and what stops it."""
    limit = None if max_lag is None else _lag(max_lag)
    with _read_models() as url:
        found = asyncio.run(_status(url))
    if wants_json(as_json):
        from api.projections import projection_view  # noqa: PLC0415 - see above

        for each in found:
            write_json(projection_view(each))
    else:
        columns = ("name", "state", "position", "lag", "behind", "rate", "version", "last error")
        write_table(columns, map(_status_row, found))
    late = [each for each in found if limit and _is_late(each, *limit)]
    if late:
        behind = ", ".join(f"{each.name} by {each.lag_events} events and {each.lag_seconds:.1f} s" for each in late)
        raise CommandError(f"Behind the log by more than {max_lag}: {behind}", ExitCode.LAG)


@app.command()
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Read models to rebuild.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Rebuild all of them.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Build in so many processes.")] = 1,
    batch: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Events in a transaction.")] = _BATCH,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a rebuild that was interrupted.")] = False,
    archive: ArchiveDirectory = None,
    as_json: Json = False,
) -> None:
    """Build read models anew from the log, while everything works on, check them, and swap them in."""
    if everything == bool(names):
        raise CommandError(f"Say which: --all, or some of {', '.join(_known())}", ExitCode.MISUSE)
    if archive is not None and workers > 1:
        raise CommandError("An archive is read by one process: leave out --workers", ExitCode.MISUSE)
    projections = _named(names)
    with _read_models() as url:
        if dry_run:
            _write_plan(asyncio.run(_plan(url, projections, workers, resume=resume)), as_json=as_json)
            return
        done = asyncio.run(_rebuild(url, projections, workers, batch, resume=resume, archive=archive))
    _write_rebuilt(done, as_json=as_json)


@app.command()
def verify(names: Names = None, *, archive: ArchiveDirectory = None, as_json: Json = False) -> None:
    """Fold the log afresh and compare every row; name the first that differs, and end with 3."""
    projections = _named(names)
    with _read_models() as url:
        compared = asyncio.run(_verified(url, projections, archive))
    records = [
        {
            "name": each.projection,
            "position": each.position,
            "rows": each.rows,
            "totals": {name: f"{total:f}" for name, total in each.found.totals.items()},
            "checksum": each.found.checksum,
            "equal": each.difference is None,
            "difference": each.difference and each.difference.described(),
        }
        for each in compared
    ]
    if wants_json(as_json):
        for record in records:
            write_json(record)
    else:
        columns = ("name", "position", "rows", "equal", "checksum")
        write_table(columns, [[record[column] for column in columns] for record in records])
    differences = [each.difference for each in compared if each.difference]
    if differences:
        raise CommandError(
            f"Not what the log leads to; the first row that differs: {differences[0].described()}", ExitCode.DIFFERENCE
        )


@app.command()
def skip(
    name: Name,
    position: Annotated[int, typer.Argument(min=1, metavar="POSITION", help="The event that it cannot apply.")],
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded.")],
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who decided; by default whoever runs this.")] = None,
) -> None:
    """Take a stopped read model past the event that stops it. That is recorded, and every rebuild passes over it too."""
    from getpass import getuser  # noqa: PLC0415 - see above

    from domain.events import Metadata  # noqa: PLC0415 - see above
    from domain.values import TraderId  # noqa: PLC0415 - see above
    from infrastructure.ids import UuidIds  # noqa: PLC0415 - see above
    from infrastructure.postgres import skipping  # noqa: PLC0415 - see above

    (projection,) = _named([name])
    if not reason.strip():
        raise CommandError("Say why: --reason must not be empty", ExitCode.MISUSE)
    request = UuidIds().new()
    metadata = Metadata(TraderId(""), f"ops:{by or getuser()}", request, request)
    with _read_models() as url:
        skipped = skipping.skip(url, projection, position, reason, metadata)
    say(f"{name} passes over the {skipped.event_type} at position {position}, for ever; it goes on behind it")


@app.command("drop-previous")
def drop_previous(names: Names = None) -> None:
    """Drop the tables that rebuilt ones have replaced."""
    from infrastructure.postgres.swapping import drop_previous  # noqa: PLC0415 - see above

    projections = _named(names)
    with _read_models() as url:
        dropped = asyncio.run(drop_previous(url, projections))
    say(f"Dropped what was before {', '.join(dropped)}" if dropped else "There is nothing to drop")


# ── Work ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _status(url: str) -> "list[ProjectionStatus]":
    from psycopg import AsyncConnection  # noqa: PLC0415 - see above

    from infrastructure.postgres.connecting import conninfo  # noqa: PLC0415 - see above
    from infrastructure.postgres.projection_status import projection_status  # noqa: PLC0415 - see above

    async with await AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
        return await projection_status(connection)


async def _plan(url: str, projections: "Sequence[Projection[Any]]", workers: int, *, resume: bool) -> "list[Prospect]":
    from infrastructure.postgres.rebuilding import plan  # noqa: PLC0415 - see above

    return await plan(url, projections, workers=workers, resume=resume)


async def _rebuild(
    url: str,
    projections: "Sequence[Projection[Any]]",
    workers: int,
    batch: int,
    *,
    resume: bool,
    archive: Path | None,
) -> "list[Rebuilt]":
    from cli.progress import progress  # noqa: PLC0415 - see above
    from infrastructure.collector import HOLDING_BATCHES, keep_what_is_there  # noqa: PLC0415 - see above
    from infrastructure.postgres.rebuilding import (  # noqa: PLC0415 - see above
        AlreadyRebuildingError,
        RebuiltWronglyError,
        rebuild,
    )

    keep_what_is_there(HOLDING_BATCHES)
    try:
        async with log_at(url, archive) as store:
            return await rebuild(url, store, projections, workers=workers, batch=batch, resume=resume, stage=progress)
    except AlreadyRebuildingError as error:
        raise CommandError(str(error), ExitCode.ALREADY_RUNNING) from error
    except RebuiltWronglyError as error:
        raise CommandError(str(error), ExitCode.DIFFERENCE) from error


async def _verified(url: str, projections: "Sequence[Projection[Any]]", archive: Path | None) -> Any:  # noqa: ANN401 - imported below
    from cli.progress import progress  # noqa: PLC0415 - see above
    from infrastructure.collector import HOLDING_BATCHES, keep_what_is_there  # noqa: PLC0415 - see above
    from infrastructure.postgres.verification import verify  # noqa: PLC0415 - see above

    keep_what_is_there(HOLDING_BATCHES)
    async with log_at(url, archive) as store:
        with progress("Folding the log afresh, events", await store.position()) as advanced:
            return await verify(url, store, projections, advanced=advanced)


@contextmanager
def _read_models() -> Iterator[str]:
    """The URL of a database that is migrated far enough."""
    from infrastructure.postgres.migrating import current, head  # noqa: PLC0415 - see above

    with event_log(settings()) as url:
        revision = current(url) or ""
        if revision < head():
            raise CommandError(
                f"The database is at revision {revision}, and this needs {head()}: `orderlog db upgrade` brings it there"
            )
        yield url


def _named(names: Sequence[str] | None) -> "list[Projection[Any]]":
    """The projections with these names, all by default."""
    from projections.registry import PROJECTIONS  # noqa: PLC0415 - see above

    for name in names or ():
        if name not in _known():
            raise CommandError(f"There is no read model {name}; there are {', '.join(_known())}", ExitCode.MISUSE)
    return [projection for projection in PROJECTIONS if not names or projection.name in names]


def _known() -> list[str]:
    from projections.registry import PROJECTIONS  # noqa: PLC0415 - see above

    return [projection.name for projection in PROJECTIONS]


# ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def _lag(text: str) -> tuple[float, str]:
    """A lag as it is written on the command line: a number, of ``seconds`` or ``events``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([se]?)[a-z]*", text)
    if found is None:
        raise CommandError(f"{text} is no lag: say seconds (30 or 30s) or events (500e)", ExitCode.MISUSE)
    return float(found[1]), _UNITS[found[2]]


def _is_late(projection: "ProjectionStatus", limit: float, unit: str) -> bool:
    return (projection.lag_seconds if unit == "seconds" else projection.lag_events) > limit


def _status_row(projection: "ProjectionStatus") -> list[Any]:
    version = str(projection.version)
    if projection.version != projection.program_version:
        version += f" (this program: {projection.program_version})"
    return [
        projection.name,
        _state(projection),
        projection.position,
        projection.lag_events,
        f"{projection.lag_seconds:.1f} s",
        f"{projection.rate:,.0f}/s",
        version,
        _last_error(projection),
    ]


def _state(projection: "ProjectionStatus") -> str:
    state, build = projection.state.value.replace("_", " "), projection.build
    if build is None:
        return state
    if build.began_at is None:
        return f"{state}, version {build.version} prepared"
    return f"{state}, building {build.position / max(projection.head_position, 1):.0%}"


def _last_error(projection: "ProjectionStatus") -> str:
    error = projection.last_error
    if error is None:
        return ""
    when = "since" if projection.state.value == "stopped" else "over, was"
    return f"{error.event_type} at {error.position}, {when} {_time(error.since)}: {error.reason}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _write_plan(found: "Sequence[Prospect]", *, as_json: bool) -> None:
    records = [
        {
            "name": each.projection.name,
            "version": each.live_version,
            "new_version": each.projection.version,
            "from_position": each.position,
            "to_position": each.head_position,
            "events": each.head_position - each.position,
            "workers": each.shards,
            "rows": each.live_rows,
            "bytes": each.live_bytes,
            "resumes": each.resumes,
            "prepared": each.is_prepared,
            "thrown_away": each.abandoned,
        }
        for each in found
    ]
    if wants_json(as_json):
        for record in records:
            write_json(record)
        return
    columns = ("name", "version", "new_version", "from_position", "events", "workers", "rows", "bytes")
    write_table(columns, [[record[column] for column in columns] for record in records])
    for each in found:
        if each.abandoned is not None:
            say(f"{each.projection.name}: what is built up to {each.abandoned} would be thrown away; --resume goes on")


def _write_rebuilt(done: "Sequence[Rebuilt]", *, as_json: bool) -> None:
    if not wants_json(as_json):
        columns = ("name", "version", "position", "rows", "seconds", "readers waited", "checksum")
        write_table(columns, map(_rebuilt_row, done))
        say("The tables before are kept until `orderlog projections drop-previous`")
        return
    for each in done:
        write_json(
            {
                "name": each.projection,
                "version": each.version,
                "position": each.position,
                "checked_position": each.checked_position,
                "rows": each.summary.rows,
                "totals": {name: f"{total:f}" for name, total in each.summary.totals.items()},
                "checksum": each.summary.checksum,
                "seconds": round(each.seconds, 3),
                "locked_seconds": round(each.locked_seconds, 4),
            }
        )


def _rebuilt_row(each: "Rebuilt") -> tuple[Any, ...]:
    waited = f"at most {1000 * each.locked_seconds:.0f} ms"
    seconds = round(each.seconds, 1)
    return each.projection, each.version, each.position, each.summary.rows, seconds, waited, each.summary.checksum
