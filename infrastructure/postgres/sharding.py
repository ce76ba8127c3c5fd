"""Several processes build read tables together: each has its share of the streams, and checks what it has built.

``python -m infrastructure.postgres.sharding NUMBER TASK`` is one of them. It finds the database in DATABASE_URL, says on
standard output where it is, a position a line, and at last what it has built; it lives no longer than who started it.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from infrastructure.collector import HOLDING_BATCHES, keep_what_is_there
from infrastructure.embedded.tether import tethered
from infrastructure.folds import Fold, Summary
from infrastructure.postgres.building import BUILDING, Builder, BuildError
from infrastructure.postgres.comparing import compared
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.patience import pool_of
from infrastructure.postgres.shards import Shard
from infrastructure.postgres.skips import skips_of
from projections.registry import PROJECTIONS


class ShardTask(NamedTuple):
    """What is built: these projections, in so many shards, up to a position."""

    names: list[str]
    began_at: datetime
    shards: int
    until: int
    size: int


class ShardBuilt(msgspec.Struct):
    """What was built of each projection, or the first difference from what the log leads to."""

    summaries: dict[str, Summary]
    difference: str | None = None


async def build_shards(
    database_url: str,
    task: ShardTask,
    advance: Callable[[int], None],
    complete: Callable[[], Coroutine[Any, Any, None]],
) -> ShardBuilt:
    """Build all shards, each in a process of its own; ``advance`` is told by how many events the slowest went on.

    ``complete`` is run once the tables are full, while the processes check them. Returns what all of them have built, if
    there is no difference in any.

    Raises:
        BuildError: one of them cannot go on; the message says why.
        psycopg.Error: the tables cannot be completed.
    """
    at = [0] * task.shards
    are_full = asyncio.Event()
    built: list[ShardBuilt] = []
    processes = [await _started(database_url, number, task) for number in range(task.shards)]

    async def follow(number: int, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in process.stdout:
            if line.startswith(b"{"):
                built.append(msgspec.json.decode(line, type=ShardBuilt))
            else:
                before, at[number] = min(at), int(line)
                advance(min(at) - before)
            if min(at) >= task.until:
                are_full.set()
        said = await process.stderr.read() if process.stderr else b""
        if await process.wait() != 0:
            raise BuildError(
                said.decode(errors="replace").strip().rpartition("\n")[2] or "a process of the rebuild died"
            )

    async def complete_when_full() -> None:
        await are_full.wait()
        await complete()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(complete_when_full())
            for number, process in enumerate(processes):
                group.create_task(follow(number, process))
    # Raised in an `except*` it would come out of early versions of Python 3.11 in a group.
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        for process in processes:
            with suppress(ProcessLookupError):  # mostly it has ended
                process.kill()
            await process.wait()
    wrong = [each for each in built if each.difference is not None]
    return (
        wrong[0] if wrong else ShardBuilt({name: _sum([each.summaries[name] for each in built]) for name in task.names})
    )


def _sum(summaries: Sequence[Summary]) -> Summary:
    return reduce(add, summaries)


async def _started(database_url: str, number: int, task: ShardTask) -> Process:
    arguments = [str(number), msgspec.json.encode(task).decode()]
    command = tethered([sys.executable, "-m", "infrastructure.postgres.sharding", *arguments])
    environment = {**os.environ, "DATABASE_URL": database_url}
    return await create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)


async def build_shard(database_url: str, number: int, task: ShardTask, told: Callable[[int], None]) -> ShardBuilt:
    """Build one shard and check it; ``told`` gets the position after each batch.

    Raises:
        BuildError: it cannot go on.
        StoreUnavailableError, psycopg.Error: the database cannot be used.
    """
    projections = [projection for projection in PROJECTIONS if projection.name in task.names]
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        skips = await skips_of(connection, projections)
    position = 0

    def built(events: int) -> None:
        nonlocal position
        position += events
        told(position)

    summaries = {}
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresEventStore(database_url))
        pool = await stack.enter_async_context(pool_of(database_url, 1))
        folds = [stack.enter_context(Fold(each, skips.get(each.name, ()))) for each in projections]
        shard = Shard(number, task.shards)
        builder = Builder(pool, store, projections, task.began_at, skips=skips, shard=shard)
        await builder.build(0, task.until, task.size, built, folds)
        for fold in folds:
            async with pool.connection() as connection, connection.transaction():
                verified = await compared(connection, fold, BUILDING, shard)
            if verified.difference is not None:
                return ShardBuilt({}, verified.difference.described())
            summaries[fold.projection.name] = verified.found
    return ShardBuilt(summaries)


def main(number: str, task: str) -> None:
    """Build the shard of these arguments."""
    keep_what_is_there(HOLDING_BATCHES)

    def told(position: int) -> None:
        sys.stdout.write(f"{position}\n")
        sys.stdout.flush()

    try:
        what = msgspec.json.decode(task, type=ShardTask)
        built = asyncio.run(build_shard(os.environ["DATABASE_URL"], int(number), what, told))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said to whoever started this process
        sys.exit(" ".join(str(error).split()))
    sys.stdout.buffer.write(msgspec.json.encode(built) + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
