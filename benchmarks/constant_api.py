"""``python -m benchmarks.constant_api DESCRIPTOR``: the same server, answering every order with the same JSON.

It writes a line of the log for each request, and the head of an answer together with its body, as ours does.
"""

import socket
import sys
from contextlib import suppress

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from infrastructure.collector import keep_what_is_there
from infrastructure.joined_writes import JoiningHttpProtocol
from infrastructure.logs import configure_logs

_ANSWER = {"id": "00000000-0000-4000-8000-000000000001", "status": "PENDING"}


async def _answer(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse(_ANSWER, status_code=201)


async def _live(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


def main(descriptor: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logs("api")
    keep_what_is_there()
    app = Starlette(routes=[Route("/api/v1/orders", _answer, methods=["POST"]), Route("/livez", _live)])
    config = uvicorn.Config(
        app,
        http=JoiningHttpProtocol,
        ws="none",
        log_config=None,
        proxy_headers=False,
        server_header=False,
    )
    with suppress(KeyboardInterrupt):
        uvloop.run(uvicorn.Server(config).serve(sockets=[socket.socket(fileno=descriptor)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
