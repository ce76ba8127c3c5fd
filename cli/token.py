"""``orderlog token``."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.engine import settings, sign
from cli.output import write_line


class Role(StrEnum):
    """What somebody may do."""

    TRADER = "trader"
    AUDITOR = "auditor"
    OPS = "ops"


def token(
    trader: Annotated[str, typer.Option("--trader", metavar="TRADER", help="Whose token: the trader id.")],
    role: Annotated[
        list[Role] | None, typer.Option("--role", help="What it permits; may be given several times. Default: trader.")
    ] = None,
    ttl: Annotated[int, typer.Option("--ttl", min=1, metavar="SECONDS", help="How long it is valid.")] = 86_400,
) -> None:
    """Print a token for a trader."""
    write_line(sign(settings(), trader, role or [Role.TRADER], ttl))
