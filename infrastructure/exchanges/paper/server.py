"""The venue as a process of its own: one application, one socket, one journal, until a signal ends it."""

import asyncio
import contextlib
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import Scope
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from infrastructure.exchanges.paper.amounts import DECIMALS_MAX, fits
from infrastructure.exchanges.paper.faults.answers import FaultyAnswers
from infrastructure.exchanges.paper.faults.control import Switches
from infrastructure.exchanges.paper.faults.rules import Fault
from infrastructure.exchanges.paper.journal import Journal
from infrastructure.exchanges.paper.orders import end_of_day
from infrastructure.exchanges.paper.problems import ANSWERS, answer, no_such_endpoint, no_such_method
from infrastructure.exchanges.paper.rest import TradingApi
from infrastructure.exchanges.paper.stream import serve_stream
from infrastructure.exchanges.paper.venue import Venue
from infrastructure.joined_writes import JoiningHttpProtocol

COMMISSION_MAX: Final = 1_000

# Streams are open for as long as their readers like; a venue that stops does not wait for them.
_GOODBYE_SECONDS: Final = 1
_LOOK_AT_CLOCK_SECONDS: Final = 60
_MESSAGE_SIZE_MAX: Final = 65_536


def system_clock() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this process is its own world, and this is its one clock


def random_id() -> str:
    """A new UUID."""
    return str(uuid.uuid4())  # noqa: TID251 - this process is its own world, and this is its one source of ids


def build_app(venue: Venue) -> Starlette:
    """The ASGI application of a venue."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        days = asyncio.create_task(_end_days(venue))
        yield
        days.cancel()

    async def stream(websocket: WebSocket) -> None:
        await serve_stream(websocket, venue.updates)

    return Starlette(
        routes=[*TradingApi(venue).routes(), *Switches(venue.faults).routes(), WebSocketRoute("/stream", stream)],
        exception_handlers={
            **dict.fromkeys(ANSWERS, answer),
            404: no_such_endpoint,
            405: no_such_method,
        },
        lifespan=lifespan,
    )


class VenueServer(uvicorn.Server):
    """An HTTP server for one venue on an open socket.

    Args:
        venue: What it serves.
        ready: Called once it answers.
    """

    def __init__(self, venue: Venue, ready: Callable[[], None]) -> None:
        self._app = FaultyAnswers(build_app(venue), venue, self._wires)
        super().__init__(
            uvicorn.Config(
                self._app,
                http=JoiningHttpProtocol,
                ws=WebSocketsSansIOProtocol,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=_GOODBYE_SECONDS,
                ws_max_size=_MESSAGE_SIZE_MAX,
                # What a client says of itself is not where its connection is found.
                proxy_headers=False,
                # Updates are small and mostly travel within one machine.
                ws_per_message_deflate=False,
            ),
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for business and say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close; nobody waits for what a fault holds up."""
        self._app.stop()
        await super().shutdown(sockets)

    def _wires(self, scope: Scope) -> list[asyncio.Transport]:
        return [
            connection.transport
            for connection in self.server_state.connections
            if isinstance(connection, (JoiningHttpProtocol, WebSocketsSansIOProtocol))
            and connection.client == scope["client"]
        ]


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket on this address; port 0 takes any free one.

    Raises:
        OSError: The address cannot be had.
    """
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def url_of(sock: socket.socket) -> str:
    """Where a bound socket is reached, such as `http://127.0.0.1:8010`."""
    host, port, *_ = sock.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def parse_commission(text: str) -> Decimal:
    """Read a commission in US dollars.

    Raises:
        ValueError: It is no amount, or a negative one.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0 or amount > COMMISSION_MAX or not fits(amount, DECIMALS_MAX):
        raise ValueError(f"{text!r} is not an amount of dollars between 0 and {COMMISSION_MAX}")
    return amount


def serve_venue(
    sock: socket.socket,
    *,
    journal: Path | None,
    commission_per_share: Decimal,
    faults: Sequence[Fault] = (),
    announce: Callable[[str], None],
) -> None:
    """Serve a paper venue on a bound socket until SIGTERM or SIGINT, then return.

    Call it from the main thread, where signals arrive.

    Args:
        sock: Where to listen; closed in the end.
        journal: The file that keeps everything across a restart or a kill; None forgets.
        commission_per_share: What every share or coin costs extra, in US dollars.
        faults: What goes wrong from the beginning; `/control/faults` changes it.
        announce: Called with the URL once the venue answers.

    Raises:
        JournalInUse: Another venue writes to this journal.
        JournalDamaged: The journal cannot be read.
        OSError: The journal cannot be opened.
    """
    with contextlib.ExitStack() as closing:
        closing.enter_context(sock)
        record = None if journal is None else closing.enter_context(contextlib.closing(Journal(journal)))
        venue = Venue(system_clock, random_id, record, commission_per_share)
        venue.faults.arm(faults)
        server = VenueServer(venue, lambda: announce(url_of(sock)))
        # uvicorn hands a signal on after it has stopped. To be asked to stop and to stop is success: it ends here.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.handle_exit)
        server.run(sockets=[sock])


async def _end_days(venue: Venue) -> None:
    while True:
        # Counted from the last command, which was the end of the day before: no midnight falls between two rounds.
        midnight = end_of_day(venue.exchange.last_at)
        while (seconds := (midnight - venue.now()).total_seconds()) > 0:  # noqa: ASYNC110 - midnight sends no event
            # Timers stand still while a machine sleeps, and clocks are set: look again now and then.
            await asyncio.sleep(min(seconds, _LOOK_AT_CLOCK_SECONDS))
        venue.end_day()
