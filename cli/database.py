"""``orderlog db``: migrate the database, and say where it stands."""

import sys
from typing import Annotated

import typer

from cli.engine import settings
from cli.exits import CommandError, ExitCode
from cli.options import Json, commands
from cli.output import say, wants_json, write_json, write_record
from cli.storage import database

_EMPTY = "base"
_NEWEST = "head"

app = commands("Migrate the database, and say where it stands.")


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="[REVISION]", help="Where to; by default the newest.")] = _NEWEST,
) -> None:
    """Bring the database to a revision. Nothing happens when it is there already."""
    from infrastructure.postgres import migrating  # noqa: PLC0415 - takes longer to import than --help

    _check(revision)
    with database(settings()) as url:
        before = migrating.current(url)
        migrating.upgrade(url, revision)
        say(f"The database was at {_named(before)} and is at {_named(migrating.current(url))}")


@app.command()
def downgrade(
    revision: Annotated[
        str | None, typer.Argument(metavar="[REVISION]", help="Where to; by default the one before. `base` empties it.")
    ] = None,
) -> None:
    """Take the database back to a revision. What only newer revisions know is lost; `base` loses everything."""
    from infrastructure.postgres import migrating  # noqa: PLC0415 - see above

    with database(settings()) as url:
        before = migrating.current(url)
        wanted = revision or _before(before)
        _check(wanted)
        if sys.stdin.isatty():
            typer.confirm(f"Take the database back to {wanted}, and lose what only newer revisions know?", abort=True)
        if before is not None and (wanted == _EMPTY or wanted < before):
            migrating.downgrade(url, wanted)
        say(f"The database was at {_named(before)} and is at {_named(migrating.current(url))}")


@app.command()
def status(*, as_json: Json = False) -> None:
    """Say which revision the database is at, which is the newest, and how long the log is."""
    from infrastructure.postgres import migrating  # noqa: PLC0415 - see above
    from infrastructure.postgres.inspection import log_head  # noqa: PLC0415 - see above

    with database(settings()) as url:
        current = migrating.current(url)
        head = None if current is None else log_head(url)
    record = {
        "revision": current,
        "newest": migrating.head(),
        "up_to_date": current is not None and current >= migrating.head(),
        "position": head.position if head else None,
        "last_recorded_at": f"{head.recorded_at:%Y-%m-%dT%H:%M:%S.%fZ}" if head and head.recorded_at else None,
    }
    if wants_json(as_json):
        write_json(record)
    else:
        write_record(record)


def _revisions() -> list[str]:
    from infrastructure.postgres.migrating import MIGRATIONS  # noqa: PLC0415 - see above

    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _check(revision: str) -> None:
    known = [_EMPTY, *_revisions(), _NEWEST]
    if revision not in known:
        raise CommandError(f"There is no revision {revision}; there are {', '.join(known)}", ExitCode.MISUSE)


def _before(revision: str | None) -> str:
    return max((known for known in _revisions() if revision is not None and known < revision), default=_EMPTY)


def _named(revision: str | None) -> str:
    return f"revision {revision}" if revision else "no revision"
