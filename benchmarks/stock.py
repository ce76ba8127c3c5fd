"""The baselines that others wrote: ``eventsourcing`` as it comes, and pgbench."""

import re
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4  # noqa: TID251 - stock aggregates are named at random

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict

from infrastructure.embedded.postgres import program_path

THREADS = (1, 8, 32)


class StockOrder(Aggregate):
    """An order with the fields that ours has, as the manual of ``eventsourcing`` would write it."""

    @event("Placed")
    def __init__(self, trader_id: str, symbol: str, side: str, quantity: Decimal, price: Decimal) -> None:
        self.trader_id = trader_id
        self.symbol = symbol
        self.side = side
        self.quantity = quantity
        self.price = price


class Stock:
    """A stock application with its tables in a database of its own."""

    def __init__(self, url: str) -> None:
        address = conninfo_to_dict(url)
        self._application = Application[UUID](
            env={
                "PERSISTENCE_MODULE": "eventsourcing.postgres",
                "POSTGRES_DBNAME": str(address["dbname"]),
                "POSTGRES_HOST": str(address["host"]),
                "POSTGRES_PORT": str(address.get("port", 5432)),
                "POSTGRES_USER": str(address["user"]),
                "POSTGRES_PASSWORD": "trusted",
                "POSTGRES_POOL_SIZE": str(max(THREADS)),
                "POSTGRES_MAX_OVERFLOW": str(max(THREADS)),
            }
        )

    def close(self) -> None:
        """Disconnect."""
        self._application.close()

    def save(self, threads: int) -> Callable[[float], float]:
        """Measures saves of one new aggregate, a second."""

        def save_one() -> None:
            self._application.save(StockOrder("bench", "AAPL", "BUY", Decimal(1), Decimal(100)))

        return lambda seconds: _in_threads(threads, seconds, save_one)

    def insert(self, threads: int, topic: str, state: bytes) -> Callable[[float], float]:
        """Measures inserts of one event with these bytes, the first of a stream of its own, a second."""

        def insert_one() -> None:
            self._application.recorder.insert_events([StoredEvent(uuid4(), 1, topic, state)])

        return lambda seconds: _in_threads(threads, seconds, insert_one)


def _in_threads(threads: int, seconds: float, act: Callable[[], None]) -> float:
    """How often all threads together acted, a second."""
    begun = perf_counter()

    def act_on() -> int:
        acted = 0
        while perf_counter() - begun < seconds:
            act()
            acted += 1
        return acted

    with ThreadPoolExecutor(threads) as pool:
        acted = sum(each.result() for each in [pool.submit(act_on) for _ in range(threads)])
    return acted / (perf_counter() - begun)


class Pgbench:
    """Single-row INSERTs of given bytes into a table with the columns and indexes of the log."""

    def __init__(self, url: str, directory: Path, rows: Sequence[tuple[str, str, str]]) -> None:
        """``rows`` are the types, data and metadata that are inserted in turn."""
        self._address = conninfo_to_dict(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_TABLE)
        self._arguments = []
        for number, row in enumerate(rows):
            script = directory / f"insert-{number}.sql"
            script.write_text(_INSERT.format(number=number))
            values = zip(("type", "data", "metadata"), row, strict=True)
            self._arguments += [f"--define={name}{number}={value}" for name, value in values]
            self._arguments.append(f"--file={script}")

    def insert(self, clients: int) -> Callable[[float], float]:
        """Measures rows a second."""
        address = self._address
        command = [program_path("pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2"]
        command += self._arguments
        command += [f"--host={address['host']}", f"--username={address['user']}", str(address["dbname"])]

        def measure(seconds: float) -> float:
            done = subprocess.run(  # noqa: S603 - the command is ours
                [*command, f"--time={max(round(seconds), 1)}"], capture_output=True, text=True, check=True
            )
            found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
            return float(found[1]) if found else 0.0

        return measure


_TABLE = """
CREATE TABLE bench_events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream_id text COLLATE "C" NOT NULL, version integer NOT NULL,
    type text COLLATE "C" NOT NULL, data text NOT NULL, metadata text NOT NULL,
    recorded_at timestamptz NOT NULL, hash bytea NOT NULL, UNIQUE (stream_id, version)
)
"""

_INSERT = """
INSERT INTO bench_events (stream_id, version, type, data, metadata, recorded_at, hash)
VALUES ('order-' || gen_random_uuid(), 1, :type{number}, :data{number}, :metadata{number}, now(), sha256('a hash'));
"""
