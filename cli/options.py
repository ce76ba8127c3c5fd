"""What commands share: options with one spelling and one explanation, and the look of their help."""

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
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="As it was at this time, such as 2026-11-22T12:00:00Z (RFC 3339)."),
]
AtPosition = Annotated[
    int | None,
    typer.Option("--position", min=0, metavar="N", help="As it was when the log ended at this position."),
]


def commands(summary: str | None = None) -> typer.Typer:
    """A group of commands. Its help is plain: quick, and the same on a terminal and in a pipe."""
    return typer.Typer(help=summary, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
