"""``orderlog rollout``: who may place orders, changed while the engine runs."""

from typing import Annotated, Any

import typer

from cli.engine import operator_client
from cli.exits import CommandError, ExitCode
from cli.options import Json, Token, Url, commands
from cli.output import wants_json, write_json, write_record

_PATH = "/api/v1/features"

app = commands("Say whether new orders are taken, and from which share of traders.")


@app.command("set")
def set_(
    *,
    ramp: Annotated[
        int | None, typer.Option(min=0, max=100, metavar="PERCENT", help="The share of traders: 0, 5, 25, 50, 100.")
    ] = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Take new orders at all, or none.")] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded.")],
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Change the switches, in every process at once; what is not named stays."""
    if ramp is None and enabled is None:
        raise CommandError("Say what to change: --ramp PERCENT, --on or --off", ExitCode.MISUSE)
    changes = {name: value for name, value in (("enabled", enabled), ("ramp_percent", ramp)) if value is not None}
    with operator_client(token, url) as client:
        _write(client.put(_PATH, {**changes, "reason": reason}), as_json=as_json)


@app.command()
def show(*, token: Token = None, url: Url = None, as_json: Json = False) -> None:
    """Show what holds, what is set, by whom and why, and what the environment says."""
    with operator_client(token, url) as client:
        _write(client.get(_PATH)["rollout"], as_json=as_json)


def _write(rollout: dict[str, Any], *, as_json: bool) -> None:
    if wants_json(as_json):
        write_json(rollout)
    else:
        write_record(rollout)
