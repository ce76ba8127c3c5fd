"""The embedded paper venue: a separate process that the engine reaches the way it reaches any exchange."""

import re
import signal
import sys
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

from infrastructure.embedded.home import Home
from infrastructure.embedded.strays import stop_strays
from infrastructure.embedded.tether import tethered

_READY = re.compile(r"^READY (http://\S+)$", re.MULTILINE)


class PaperVenue(msgspec.Struct, frozen=True, tag=True):
    """A program that takes `--port` and `--journal` and says `READY http://HOST:PORT` on its standard output.

    Attributes:
        program: the command line before these two options.
    """

    name: ClassVar[str] = "venue"
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 5.0),)

    program: tuple[str, ...] = (sys.executable, "-m", "infrastructure.exchanges.paper")

    def clear(self, home: Home) -> None:
        """Stop a venue that outlived its guard."""
        stop_strays(home.server_directory(self.name), Path(self.program[0]).resolve().name, signal.SIGTERM)

    def prepare(self, home: Home) -> None:
        """Nothing to prepare: the venue makes its journal."""

    def command(self, home: Home, address: str | None) -> list[str]:
        """Return the command line; a venue that is started again keeps its address."""
        port = urlsplit(address).port if address else 0
        journal = home.server_directory(self.name) / "journal.jsonl"
        return tethered([*self.program, "--port", str(port), "--journal", str(journal)], death_signal=signal.SIGTERM)

    def address(self, _home: Home, _process: int, output: str) -> str | None:
        """Return the URL that the venue has announced."""
        found = _READY.search(output)
        return found[1] if found else None
