"""One API process: ``python -m api LISTENING_DESCRIPTOR``, with every address in its environment."""

import os
import socket
import sys
from contextlib import suppress

import uvloop

from api.asgi import build_app, server_of
from api.features import posthog_origin
from api.http_protocol import ConnectionLimits
from api.listening import raise_file_limit
from infrastructure.collector import keep_what_is_there
from infrastructure.composition import open_engine
from infrastructure.embedded.home import open_home
from infrastructure.errors import report_errors, sinks_of
from infrastructure.logs import configure_logs
from infrastructure.metrics import published
from infrastructure.settings import load_settings


def main(descriptor: int) -> None:
    """Serve on the inherited listening socket until SIGTERM or SIGINT."""
    configure_logs("api")
    settings = load_settings(os.environ)
    metrics = published(open_home(settings.home).directory, "api")
    report_errors("api", [*sinks_of(settings), metrics.failed])
    app = build_app(
        lambda: open_engine(settings, metrics),
        page_reaches=[origin] if (origin := posthog_origin(settings)) else [],
        edge=settings,
    )
    server = server_of(app, ConnectionLimits(settings.connections))
    raise_file_limit()
    keep_what_is_there()
    with suppress(KeyboardInterrupt):  # the server has stopped by then, and passes on what it was told
        uvloop.run(server.serve(sockets=[socket.socket(fileno=descriptor)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
