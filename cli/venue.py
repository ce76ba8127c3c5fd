"""`orderlog venue`: the paper venue alone, for engines and clients that speak Alpaca."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from infrastructure.exchanges.paper.faults.reading import read_faults
from infrastructure.exchanges.paper.journal import JournalDamaged, JournalInUse
from infrastructure.exchanges.paper.refusals import BadFaults
from infrastructure.exchanges.paper.server import bind, parse_commission, serve_venue


def venue(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 8010,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    journal: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps orders and fills across a restart or a kill; without it they are forgotten."
        ),
    ] = None,
    commission_per_share: Annotated[
        Decimal,
        typer.Option(parser=parse_commission, metavar="DOLLARS", help="What every share or coin costs extra."),
    ] = "0",  # type: ignore[assignment] # the parser reads the default, too
    faults: Annotated[
        Path | None,
        typer.Option(help="File of rules for what goes wrong; /control/faults changes them while the venue runs."),
    ] = None,
) -> None:
    """Serve the paper venue: REST under /v2, trade updates at /stream, any key accepted.

    It trades at least AAPL, MSFT, SPY, TSLA, GOOG and BTC/USD against a house that always quotes around a reference
    price; PUT /control/prices/SYMBOL moves that price. SIGTERM or Ctrl-C stops it.
    """
    try:
        rules = [] if faults is None else read_faults(faults)
    except (BadFaults, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from error
    try:
        serve_venue(
            bind(host, port),
            journal=journal,
            commission_per_share=commission_per_share,
            faults=rules,
            announce=lambda url: typer.echo(f"paper venue listening on {url}"),
        )
    except (JournalInUse, JournalDamaged, OSError) as error:
        typer.echo(f"the paper venue could not start: {error}", err=True)
        raise typer.Exit(1) from error
