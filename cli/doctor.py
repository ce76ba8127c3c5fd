"""``orderlog doctor``: find what is wrong, and say what to do about it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from cli.engine import engine_url, settings
from cli.exits import ExitCode, explained
from cli.options import Json, Url
from cli.output import wants_json, write_json, write_line
from cli.storage import database

if TYPE_CHECKING:
    from cli.checks.finding import Finding
    from infrastructure.settings import Settings


def doctor(*, url: Url = None, as_json: Json = False) -> None:
    """Find what is wrong, and say what to do about it. Exit code 1 when anything is."""
    healthy = True
    for finding in _findings(url):
        healthy = healthy and finding.ok
        if wants_json(as_json):
            write_json(
                {"check": finding.check, "ok": finding.ok, "detail": finding.detail, "remedy": finding.remedy or None}
            )
        else:
            write_line(f"{'✓' if finding.ok else '✗'} {finding.check}: {finding.detail}")
            if not finding.ok:
                write_line(f"  to do: {finding.remedy}")
    if not healthy:
        raise typer.Exit(ExitCode.FAILED)


def _findings(url: str | None) -> "Iterator[Finding]":
    from cli.checks import machine, services  # noqa: PLC0415 - they import everything there is
    from cli.checks.finding import Finding, attempt  # noqa: PLC0415 - see above

    yield machine.python_version()
    yield from machine.programs()
    try:
        known = settings()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what the doctor is for
        yield Finding("settings", str(explained(error)), "set it right, or unset it")
        return
    yield Finding("settings", "every value is usable")
    yield from machine.home_directory(known.home)
    yield from _data(known)
    yield from _other_servers(known)
    yield attempt("bus", lambda: services.bus(known), "set REDIS_URL right, or start what it names")
    yield attempt("venue", lambda: services.venue(known), "start the exchange, or set ALPACA_BASE_URL right")
    remedy = "start it with `orderlog serve`, or say where it is with --url"
    yield attempt("engine", lambda: services.engine(engine_url(known, url)), remedy)


def _data(known: "Settings") -> "Iterator[Finding]":
    from cli.checks import data  # noqa: PLC0415 - see above
    from cli.checks.finding import Finding  # noqa: PLC0415 - see above
    from infrastructure.clock import SystemClock  # noqa: PLC0415 - see above

    if known.database_url is None and not (known.home / "postgres" / "data").exists():
        yield Finding("database", "embedded, not made yet; the first `orderlog serve` makes it")
        return
    remedy = "start it, or set DATABASE_URL right" if known.database_url else "see postgres/server.log in the home"
    try:
        with database(known) as database_url:
            yield from data.event_log(database_url, SystemClock().now())
    except Exception as error:  # noqa: BLE001 - see above
        yield Finding("database", str(explained(error)), remedy)


def _other_servers(known: "Settings") -> "Iterator[Finding]":
    from cli.checks import servers  # noqa: PLC0415 - see above
    from cli.checks.finding import attempt  # noqa: PLC0415 - see above

    url, read_url = str(known.database_url), known.read_database_url
    if known.direct_database_url is not None:
        yield attempt("pooler", lambda: servers.pooler(url), "start it, or set DATABASE_URL right")
    if read_url is not None:
        remedy = "start it, or set ORDERLOG_READ_DATABASE_URL right; until then the primary answers"
        yield attempt("standby", lambda: servers.standby(str(known.session_url), read_url), remedy)
