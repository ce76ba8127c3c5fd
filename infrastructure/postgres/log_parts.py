"""The log in parts that several processes look at: each says what its part leads to, if nothing in it contradicts itself.

``python -m infrastructure.postgres.log_parts NUMBER TASK`` is one of them. It finds the database in DATABASE_URL and writes
its parts to standard output; whoever started it reads them, and when nobody does any more, it ends.
"""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from subprocess import PIPE, Popen
from typing import NamedTuple

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.audit.examination import LogLeaf, Part
from infrastructure.audit.merkle import root_of
from infrastructure.postgres.chain import GENESIS, link
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.log_leaves import leaves

_LENGTH_BYTES = 4


class PartsTask(NamedTuple):
    """Which parts: all from the first position to the last one, of so many events each, given out in turn."""

    first: int
    last: int
    size: int
    processes: int


@contextmanager
def parts(database_url: str, task: PartsTask) -> Iterator[Iterator[Part | None]]:
    """What each part leads to, in order; None of one that is to be looked at event by event."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_process(database_url, number, task)) for number in range(task.processes)]
        yield (_received(processes[number % task.processes]) for number in range(len(_starts(task))))


@contextmanager
def _process(database_url: str, number: int, task: PartsTask) -> "Iterator[Popen[bytes]]":
    command = [
        sys.executable,
        "-m",
        "infrastructure.postgres.log_parts",
        str(number),
        msgspec.json.encode(task).decode(),
    ]
    with Popen(command, stdout=PIPE, env={**os.environ, "DATABASE_URL": database_url}) as process:  # noqa: S603 - ours
        try:
            yield process
        finally:
            process.kill()


def _received(process: "Popen[bytes]") -> Part | None:
    """The next part of a process; of one that has died, nothing is known."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    length = process.stdout.read(_LENGTH_BYTES)
    return msgspec.msgpack.decode(process.stdout.read(int.from_bytes(length)), type=Part | None) if length else None


def _starts(task: PartsTask) -> range:
    return range(task.first, task.last + 1, task.size)


def part(connection: Connection[TupleRow], first: int, last: int) -> Part | None:
    """What the events at these positions lead to; None when they do not follow each other."""
    before = _hash_before(connection, first)
    if before is None:
        return None
    found: list[LogLeaf] = [row for page, _ in leaves(connection, first, last) for row in page]
    return _part(found, first, last, before)


def _part(rows: Sequence[LogLeaf], first: int, last: int, before: bytes) -> Part | None:
    begun: dict[str, int] = {}
    reached: dict[str, int] = {}
    expected, chained, at = first, before, ""
    for position, stream_id, version, recorded_at, leaf, hash_, lacks in rows:
        chained = link(chained, leaf)
        known = reached.get(stream_id)
        if known is None:
            begun[stream_id] = version
        elif version != known + 1:
            return None
        if position != expected or chained != hash_ or recorded_at < at or lacks is not None:
            return None
        reached[stream_id] = version
        expected, at = position + 1, recorded_at
    if expected != last + 1:
        return None
    root = root_of([row.leaf for row in rows])
    return Part(first, last, before, chained, rows[0].recorded_at, at, root, begun, reached)


def _hash_before(connection: Connection[TupleRow], first: int) -> bytes | None:
    if first == 1:
        return GENESIS
    found = [row.hash for page, _ in leaves(connection, first - 1, first - 1) for row in page]
    return found[0] if len(found) == 1 else None


def main(number: str, task: str) -> None:
    """Write the parts of this process."""
    gc.disable()  # nothing here refers to itself, and looking whether anything does takes a third of the time
    wanted = msgspec.json.decode(task, type=PartsTask)
    with psycopg.connect(conninfo(os.environ["DATABASE_URL"]), autocommit=True) as connection:
        for start in _starts(wanted)[int(number) :: wanted.processes]:
            found = part(connection, start, min(start + wanted.size - 1, wanted.last))
            encoded = msgspec.msgpack.encode(found)
            sys.stdout.buffer.write(len(encoded).to_bytes(_LENGTH_BYTES) + encoded)


if __name__ == "__main__":
    main(*sys.argv[1:])
