"""``orderlog events archive`` and ``restore``: old partitions of the log to files and back."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.engine import settings
from cli.exits import CommandError, ExitCode
from cli.options import Json
from cli.output import say, wants_json, write_json, write_table
from cli.progress import progress
from cli.storage import event_log

if TYPE_CHECKING:
    from infrastructure.archives.files import Archive, ArchiveFile
    from infrastructure.postgres.event_store import PostgresEventStore

ArchiveDirectory = Annotated[
    Path | None,
    typer.Option("--archive", metavar="DIR", help="Where the archived beginning of the log is."),
]

_COLUMNS = ("first_position", "last_position", "bytes", "sha256", "file")


def archive(
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the files are to be.")],
    before: Annotated[
        int | None,
        typer.Option("--before", min=1, metavar="POSITION", help="Only what is wholly before this position."),
    ] = None,
    older_than: Annotated[
        int | None,
        typer.Option("--older-than", min=0, metavar="DAYS", help="Only what ended at least so many days ago."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave each table in the database, detached from the log.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write closed partitions of the log to files, oldest first, check each, and take it out of the database."""
    from infrastructure.clock import SystemClock  # noqa: PLC0415 - takes longer to import than --help
    from infrastructure.postgres import archiving  # noqa: PLC0415 - see above

    if (before is None) == (older_than is None):
        raise CommandError("Say what to archive: either --before POSITION or --older-than DAYS", ExitCode.MISUSE)
    with event_log(settings()) as url:
        partitions = archiving.closed_partitions(url)
        if older_than is not None:
            wanted = archiving.older_than(partitions, timedelta(days=older_than), SystemClock().now())
        else:
            wanted = [each for each in partitions if before is not None and each.last_position < before]
        if not wanted:
            say("There is nothing to archive: no partition that is full and old enough")
        for partition in wanted:
            events = partition.last_position - partition.first_position + 1
            with progress(f"Archiving {partition.name}, events", events) as advanced:
                written = archiving.archive(url, partition, to, advanced, keep=keep)
            _write(written, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive, or its manifest.")],
    *,
    as_json: Json = False,
) -> None:
    """Put an archive back in front of the log in the database: the newest one first."""
    from infrastructure.archives.files import open_file  # noqa: PLC0415 - see above
    from infrastructure.postgres import archiving  # noqa: PLC0415 - see above

    manifest = open_file(file).manifest
    with (
        event_log(settings()) as url,
        progress(
            f"Restoring {manifest.file}, events", manifest.last_position - manifest.first_position + 1
        ) as advanced,
    ):
        restored = archiving.restore(url, file, advanced)
    _write(restored, as_json=as_json)


def open_archive(directory: Path | None) -> "Archive | None":
    """The archive that the option names.

    Raises:
        ArchiveError: there is none, or not all of it.
    """
    from infrastructure.archives.files import Archive  # noqa: PLC0415 - see above

    return None if directory is None else Archive(directory)


def log_at(database_url: str, archive: Path | None) -> "PostgresEventStore":
    """The log in the database, behind the archive that the option names if it names one.

    Raises:
        ArchiveError: there is none, or not all of it.
    """
    from infrastructure.archives.whole_log import WholeLog  # noqa: PLC0415 - see above
    from infrastructure.postgres.event_store import PostgresEventStore  # noqa: PLC0415 - see above

    files = open_archive(archive)
    return PostgresEventStore(database_url) if files is None else WholeLog(database_url, files)


def _write(file: "ArchiveFile", *, as_json: bool) -> None:
    manifest = file.manifest
    row = (manifest.first_position, manifest.last_position, manifest.bytes, manifest.sha256, str(file.path))
    if wants_json(as_json):
        write_json(dict(zip(_COLUMNS, row, strict=True)))
    else:
        write_table(_COLUMNS, [row])
