"""Start real paper venues for tests: in a thread (fast), or in a process of their own (which can be killed)."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from infrastructure.exchanges.paper.broadcast import BACKLOG
from infrastructure.exchanges.paper.journal import Journal
from infrastructure.exchanges.paper.server import VenueServer, bind, random_id, system_clock, url_of
from infrastructure.exchanges.paper.venue import Venue

ROOT = Path(__file__).parents[1]
START_SECONDS = 20


@dataclass(frozen=True, slots=True)
class VenueAddress:
    """Where a venue listens: `url` without a path, and `stream_url` ending in `/stream`."""

    url: str

    @property
    def stream_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/stream"


@contextmanager
def running_venue(
    journal: Path | None = None,
    commission: str = "0",
    port: int = 0,
    clock: Callable[[], datetime] = system_clock,
    *,
    narrow: bool = False,
) -> Iterator[VenueAddress]:
    """A venue that listens on 127.0.0.1 for as long as the context lasts, in a thread of this process.

    A narrow one loses patience with slow readers of its stream after 100 updates instead of thousands.
    """
    record = None if journal is None else Journal(journal)
    venue = Venue(clock, random_id, record, Decimal(commission), 100 if narrow else BACKLOG)
    ready = threading.Event()
    server = VenueServer(venue, ready.set)
    sock = bind("127.0.0.1", port)
    if narrow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    address = VenueAddress(url_of(sock))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="paper venue")
    thread.start()
    try:
        assert ready.wait(START_SECONDS), "the paper venue did not start"
        yield address
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        if record is not None:
            record.close()


@dataclass(frozen=True, slots=True)
class VenueProcess:
    """A venue in a process of its own."""

    address: VenueAddress
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, no goodbye."""
        self.process.kill()
        self.process.wait(START_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it politely and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(START_SECONDS)


@contextmanager
def venue_process(*arguments: str, pass_fds: tuple[int, ...] = ()) -> Iterator[VenueProcess]:
    """`python -m infrastructure.exchanges.paper` with these arguments, ready to answer, stopped at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "infrastructure.exchanges.paper", *arguments],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )
    assert process.stdout is not None
    try:
        word, url = process.stdout.readline().split()
        assert word == "READY"
        yield VenueProcess(VenueAddress(url), process)
    finally:
        process.terminate()
        process.wait(START_SECONDS)
        process.stdout.close()
