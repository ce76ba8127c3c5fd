"""Options that several commands share, each with one spelling and one explanation."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Write JSON also to a terminal.")]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Where the engine is; by default the one that runs in the home."),
]
Trader = Annotated[
    str | None,
    typer.Option("--trader", metavar="TRADER", help="Act as this trader, with a token signed for this command."),
]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="JWT", envvar="ORDERLOG_TOKEN", help="Act with this token."),
]
