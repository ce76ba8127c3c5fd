"""The read side: rebuilds, verification and export of a long log, beside what PostgreSQL takes to read the same rows."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Self

import psycopg
from psycopg import sql

from benchmarks.history import fill_log
from benchmarks.rounds import FULL, Figure, Goal, Measure, Pace, in_turns
from benchmarks.surroundings import Surroundings
from domain.events import TOPICS, RecordedEvent
from infrastructure.codec import Codec
from infrastructure.postgres.appending import TRACK
from infrastructure.postgres.event_store import raw_event
from infrastructure.postgres.rows import Table
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.projection import Projection

EVENTS, EVENTS_QUICK = 1_000_000, 60_000
TIMES = 4
"""So many times as many events the memory of a rebuild is measured with, too."""
ROUNDS = 3
"""At most so many rounds: each is long."""

_MIB = 2**20
_PROJECTIONS: Sequence[Projection[Any]] = (ORDERS, FILLS)
_WORKERS = os.cpu_count() or 1

_READ_AT_ONCE = 500

# What COPY of the table itself would read, were it not partitioned: then PostgreSQL wants a query.
_COPY = "COPY (SELECT * FROM events) TO '/dev/null'"
_COMMAND = (sys.executable, "-c", "from cli.main import main; main()")
# Writes the peak of its own memory and of the largest of the processes that it started, in KiB, where they end.
_WATCHED = (
    sys.executable,
    "-c",
    (
        "import resource, sys; from cli.main import app\n"
        "app(standalone_mode=False)\n"
        "print(*(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))"
    ),
)


_SCHEMA = "CREATE SCHEMA one_by_one"
_TWIN = "CREATE TABLE one_by_one.{0} (LIKE {0} INCLUDING ALL)"

_NEXT = """
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash
FROM events WHERE position > %s AND type = ANY (%s) ORDER BY position LIMIT %s
"""


class _Log:
    """A log, and what is measured of whoever reads all of it: events a second, however long one reading takes."""

    def __init__(self, around: Surroundings, events: int) -> None:
        self.url = around.database()
        self.events = fill_log(self.url, events)
        self._environment = os.environ | {"DATABASE_URL": self.url, "ORDERLOG_HOME": str(around.home / "home")}
        self._file = around.home / "events.ndjson"

    def copy(self) -> Measure:
        """Measures the server, which writes the rows to nowhere."""
        return self._per_second(self._copy)

    def rebuild(self, workers: int) -> Measure:
        """Measures ``orderlog projections rebuild`` of orders and fills: built, checked row by row, and swapped in."""
        return self._per_second(
            partial(self._run, "projections", "rebuild", "orders", "fills", "--workers", str(workers))
        )

    def verify(self) -> Measure:
        """Measures ``orderlog events verify``."""
        return self._per_second(partial(self._run, "events", "verify"))

    def export(self) -> Measure:
        """Measures ``orderlog events export`` to a file."""
        return self._per_second(partial(self._run, "events", "export", "--output", str(self._file)))

    def rebuild_memory_mib(self, workers: int) -> float:
        """The peak of the memory of a rebuild: of its process, and of each of its workers as much as of the largest."""
        said = self._run("projections", "rebuild", "orders", "fills", "--workers", str(workers), command=_WATCHED)
        own, largest = map(int, said.splitlines()[-1].split())
        return (own + (workers if workers > 1 else 0) * largest) * 1024 / _MIB

    def _copy(self) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(_COPY)

    def _run(self, *arguments: str, command: Sequence[str] = _COMMAND) -> str:
        done = subprocess.run(  # noqa: S603 - the command is ours
            [*command, *arguments], env=self._environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def _per_second(self, act: Callable[[], object]) -> Measure:
        def measure(_seconds: float) -> float:
            begun = perf_counter()
            act()
            return self.events / (perf_counter() - begun)

        return measure


class _OneByOne:
    """The same fold into tables of their own, an event a transaction: select, fold, write, track, commit, on the disk.

    Like ``eventsourcing``'s ProjectionRunner it is given only the topics that it follows; all positions count that it passes.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(_SCHEMA)
        for projection in _PROJECTIONS:
            self._connection.execute(sql.SQL(_TWIN).format(sql.Identifier(projection.name)))
        self._tables = [(projection, Table(projection, "one_by_one")) for projection in _PROJECTIONS]
        self._topics = [topic for topic, event in TOPICS.items() if any(event in each.events for each in _PROJECTIONS)]
        self._codec = Codec()
        self._position = 0

    def __enter__(self) -> Self:
        """It is connected."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._connection.close()

    def project(self, seconds: float) -> float:
        """Positions a second, until the time is over or the log is."""
        begun, before = perf_counter(), self._position
        while perf_counter() - begun < seconds:
            rows = self._connection.execute(_NEXT, (self._position, self._topics, _READ_AT_ONCE)).fetchall()
            for row in rows:
                self._apply(self._codec.to_recorded_event(raw_event(row)))
            if not rows:
                break
        return (self._position - before) / (perf_counter() - begun)

    def _apply(self, recorded: RecordedEvent) -> None:
        with self._connection.transaction():
            for projection, table in self._tables:
                if keys := projection.keys([recorded]):
                    found = self._connection.cursor(binary=True).execute(*table.load(keys)).fetchall()
                    self._connection.execute(*table.save(projection.fold(table.loaded(found), [recorded])))
            self._connection.execute(TRACK, ("one-by-one", recorded.position))
        self._position = recorded.position


def reads(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Rebuilds, verification and export, as an operator runs them; a round is one of each, whatever it takes."""
    log = _Log(around, EVENTS if pace == FULL else EVENTS_QUICK)
    rounds = Pace(min(pace.rounds, ROUNDS), pace.seconds)
    with _OneByOne(log.url) as one_by_one:
        reached = in_turns({"rebuild": log.rebuild(1), "one": one_by_one.project}, rounds)
    yield Figure(
        f"rebuild of orders and fills, one worker, {log.events:,} events",
        "events/s",
        reached["rebuild"],
        "one event a transaction",
        reached["one"],
        Goal(60, 200),
        "the whole command: start, build, indexes, check of every row, swap",
    )
    contenders = {
        f"rebuild of orders and fills, {_WORKERS} workers": (log.rebuild(_WORKERS), Goal(0.12, 0.4)),
        "events verify": (log.verify(), Goal(0.15, 0.3)),
        "export as NDJSON": (log.export(), Goal(0.15, 0.3)),
    }
    measures = {name: measure for name, (measure, _) in contenders.items()}
    reached = in_turns({"copy": log.copy(), **measures}, rounds)
    for name, (_, goal) in contenders.items():
        yield Figure(
            f"{name}, {log.events:,} events", "events/s", reached[name], "COPY to nowhere", reached["copy"], goal
        )


def memory(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """What a rebuild holds, by the length of the log. Measured once: it is the same each time."""
    few = _Log(around, EVENTS if pace == FULL else EVENTS_QUICK)
    many = _Log(around, TIMES * few.events)
    held = [each.rebuild_memory_mib(_WORKERS) for each in (few, many)]
    yield Figure(
        f"memory of a rebuild, {_WORKERS} workers, {many.events:,} events",
        "MiB",
        held[1:],
        f"{few.events:,} events",
        held[:1],
        Goal(1.1, 1, at_most=True),
        "the peaks of all its processes together",
    )
    yield Figure("the same, for itself", "MiB", held[1:], goal=Goal(400, at_most=True))
