"""A living system: two servers, a venue, an API and two workers, with a wire between any two that can be held."""

import asyncio
import re
import shutil
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import psycopg
from psycopg import AsyncConnection

from api.listening import listen
from api.tokens import make_token
from domain.values import parse_trader_id
from infrastructure.clock import SystemClock
from infrastructure.embedded.home import open_home
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.valkey import Valkey
from infrastructure.postgres.migrating import upgrade
from tests.faults.processes import Program, Server
from tests.faults.wire import Address, Wire
from tests.plain_http import PLAIN

T = TypeVar("T")

WORKERS = ("worker 1", "worker 2")
PATIENCE_SECONDS = 40.0
_SECRET = "a secret that only the processes of this test share"
_LOOK_SECONDS = 0.03
_TOKEN_SECONDS = 3600
_HEARD = re.compile(rb'"client_order_id":"([^"]+)"')
_LEADER = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND application_name = ANY (%s)
"""
_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


class World:
    """Everything that can be killed. `build` starts it, `end` leaves nothing behind.

    Attributes:
        url: of the API, the same for ever: the listening socket outlives the API process, as it does in `orderlog serve`.
        venue_url: of the venue itself, past every wire.
        submitted: how often each client order id was sent to the venue.
    """

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="orderlog-faults-"))
        self._home = open_home(self._directory / "home")
        self._home.make_sockets()
        self.postgres = Server(Postgres(fsync=False), self._home)
        self.valkey = Server(Valkey(), self._home)
        self.programs: dict[str, Program] = {}
        self.wires: dict[tuple[str, str], Wire] = {}
        self.submitted: Counter[str] = Counter()
        self.database_url = ""
        self.venue_url = ""
        self._listener = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def build(self) -> None:
        """Start everything, and return when it works."""
        self.postgres.start()
        self.valkey.start()
        self._make_venue()
        self.programs["venue"].start()
        self.database_url = await self.postgres_is_up()
        await asyncio.to_thread(upgrade, self.database_url)
        await eventually("Valkey answers", lambda: _known(self.valkey.address))
        for name in ("api", *WORKERS):
            await self._make_engine(name)
        await self.venue_is_up()
        for name in ("api", *WORKERS):
            self.programs[name].start()
        await self.api_is_up()
        await self.leader_is_known()

    async def end(self) -> None:
        for wire in self.wires.values():
            if wire.trap is not None:
                wire.trap.release()
        for program in self.programs.values():
            await asyncio.to_thread(program.end)
        for wire in self.wires.values():
            await wire.close()
        for server in (self.postgres, self.valkey):
            await asyncio.to_thread(server.end)
        self._listener.close()
        shutil.rmtree(self._directory)
        with suppress(FileNotFoundError):
            shutil.rmtree(self._home.sockets)

    def token(self, name: str, *roles: str) -> str:
        return make_token(
            _SECRET.encode(), parse_trader_id(name), frozenset(roles), _TOKEN_SECONDS, SystemClock().now()
        )

    async def database(self) -> AsyncConnection[Any]:
        """A connection of our own, past every wire."""
        return await AsyncConnection.connect(self.database_url, autocommit=True)

    async def now(self) -> datetime:
        """The time as the log has it."""
        async with await self.database() as connection:
            cursor = await connection.execute("SELECT clock_timestamp()")
            ((moment,),) = await cursor.fetchall()
        assert isinstance(moment, datetime)
        return moment

    async def leader(self) -> str | None:
        """The worker that leads right now, as the database has it."""
        try:
            async with await self.database() as connection:
                cursor = await connection.execute(_LEADER, (list(WORKERS),))
                rows = await cursor.fetchall()
        except psycopg.OperationalError:
            return None
        assert len(rows) <= 1, f"several workers lead: {rows}"
        return str(rows[0][0]) if rows else None

    async def leader_is_known(self, *, other_than: str = "") -> str:
        """Wait until a worker leads."""

        async def known() -> str | None:
            name = await self.leader()
            return name if name != other_than else None

        return await eventually("a worker leads", known)

    async def postgres_is_up(self) -> str:
        return await eventually("PostgreSQL answers", lambda: _known(self.postgres.address))

    async def valkey_is_up(self) -> None:
        await eventually("Valkey answers", lambda: _known(self.valkey.address))

    async def venue_is_up(self) -> None:
        await eventually("the venue answers", lambda: _answers(f"{self.venue_url}/healthz"))

    async def api_is_up(self) -> None:
        await eventually("the API is ready", lambda: _answers(f"{self.url}/readyz"))

    async def worker_is_up(self, name: str) -> None:
        """It is connected, which is all that a standby does."""

        async def connected() -> bool:
            async with await self.database() as connection:
                cursor = await connection.execute(_CONNECTED, (name,))
                ((count,),) = await cursor.fetchall()
            return bool(count)

        await eventually(f"{name} is connected", connected)

    def said(self) -> str:
        """The end of what every process said, for whoever has to find out why."""
        logs = sorted(self._directory.rglob("*.log"))
        return "\n".join(f"── {log.name}\n{_tail(log)}" for log in logs)

    def _make_venue(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        self.venue_url = f"http://127.0.0.1:{port}"
        journal = self._directory / "journal.jsonl"
        module = "infrastructure.exchanges.paper"
        command = [sys.executable, "-m", module, "--port", str(port), "--journal", str(journal)]
        self.programs["venue"] = Program("venue", command, {}, self._directory / "venue.log")

    async def _make_engine(self, name: str) -> None:
        targets: dict[str, Callable[[], Address]] = {
            "database": lambda: str(self._home.sockets / ".s.PGSQL.5432"),
            "bus": lambda: str(self._home.sockets / "valkey.sock"),
            "venue": lambda: ("127.0.0.1", urlsplit(self.venue_url).port or 0),
        }
        for server, target in targets.items():
            wire = Wire(target, self._hear if server == "venue" else lambda _said: None)
            await wire.open()
            self.wires[name, server] = wire
        ports = {server: self.wires[name, server].port for server in targets}
        database = f"postgresql://postgres@127.0.0.1:{ports['database']}/orderlog?application_name="
        variables = {
            "DATABASE_URL": database + name.replace(" ", "%20"),
            "REDIS_URL": f"redis://127.0.0.1:{ports['bus']}/0",
            "ORDERLOG_HOME": str(self._home.directory),
            "ORDERLOG_JWT_SECRET": _SECRET,
            "ORDERLOG_EXCHANGE": "alpaca",
            "ALPACA_BASE_URL": f"http://127.0.0.1:{ports['venue']}",
            "APCA_API_KEY_ID": name,
            "APCA_API_SECRET_KEY": "any",
            "ORDERLOG_VENUE_TIMEOUT": "2",
            "ORDERLOG_RETRY_BACKOFF": "0.2,0.4,0.8",
            "ORDERLOG_RECONCILE_SECONDS": "1",
        }
        descriptor = self._listener.fileno()
        log = self._directory / f"{name.replace(' ', '-')}.log"
        if name == "api":
            command = [sys.executable, "-m", "api", str(descriptor)]
            self.programs[name] = Program(name, command, variables, log, [descriptor])
        else:
            self.programs[name] = Program(name, [sys.executable, "-m", "infrastructure.worker"], variables, log)

    def _hear(self, said: bytes) -> None:
        self.submitted.update(found.decode() for found in _HEARD.findall(said))


async def eventually(what: str, look: Callable[[], Awaitable[T | None]]) -> T:
    """What was looked for, as soon as it is there; looks are counted, because who does not run cannot see time pass.

    Raises:
        AssertionError: it did not come.
    """
    for _ in range(round(PATIENCE_SECONDS / _LOOK_SECONDS)):
        if found := await look():
            return found
        await asyncio.sleep(_LOOK_SECONDS)
    raise AssertionError(f"this did not become true within {PATIENCE_SECONDS:.0f} seconds: {what}")


async def _known(address: str | None) -> str | None:
    return address


async def _answers(url: str) -> bool:
    try:
        async with httpx2.AsyncClient(**PLAIN, timeout=2) as client:
            return (await client.get(url)).is_success
    except httpx2.TransportError:
        return False


def _tail(log: Path) -> str:
    return log.read_bytes()[-4_000:].decode(errors="replace")
