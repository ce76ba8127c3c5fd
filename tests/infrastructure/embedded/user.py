"""A process that uses the embedded servers of a home: prints their addresses, then stays until its input ends.

python -m tests.infrastructure.embedded.user HOME SERVER...
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.server import Server
from infrastructure.embedded.servers import embedded_servers
from infrastructure.embedded.valkey import Valkey

SERVERS: dict[str, Server] = {"postgres": Postgres(), "valkey": Valkey()}


def main(home: str, *names: str) -> None:
    try:
        with embedded_servers(Path(home), [SERVERS[name] for name in names]) as addresses:
            sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
