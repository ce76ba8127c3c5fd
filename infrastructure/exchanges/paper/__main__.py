"""Start a paper venue: `python -m infrastructure.exchanges.paper --port 0`, which prints `READY` and its URL."""

import argparse
import socket
import sys
from decimal import Decimal
from pathlib import Path

from infrastructure.exchanges.paper.faults.reading import read_faults
from infrastructure.exchanges.paper.journal import JournalDamaged, JournalInUse
from infrastructure.exchanges.paper.refusals import BadFaults
from infrastructure.exchanges.paper.server import bind, parse_commission, serve_venue


def main() -> int:
    """Serve until a signal ends it.

    Returns:
        The exit code: 0 after a signal, 1 when the venue could not start.
    """
    parser = argparse.ArgumentParser(prog="python -m infrastructure.exchanges.paper", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0: any free one")
    parser.add_argument("--fd", type=int, help="an open socket to listen on instead, by its file descriptor")
    parser.add_argument("--journal", type=Path, help="the file that keeps orders and fills across restarts")
    parser.add_argument("--commission-per-share", type=parse_commission, default=Decimal(0), help="in US dollars")
    parser.add_argument("--faults", type=Path, help="a file of rules for what goes wrong")
    options = parser.parse_args()
    try:
        faults = [] if options.faults is None else read_faults(options.faults)
    except (BadFaults, OSError) as error:
        parser.error(str(error))
    try:
        serve_venue(
            bind(options.host, options.port) if options.fd is None else socket.socket(fileno=options.fd),
            journal=options.journal,
            commission_per_share=options.commission_per_share,
            faults=faults,
            announce=lambda url: print(f"READY {url}", flush=True),  # noqa: T201 - the line its parent waits for
        )
    except (JournalInUse, JournalDamaged, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the reason, for its parent and the operator
        return 1
    return 0


sys.exit(main())
