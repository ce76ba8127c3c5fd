"""Several processes build read tables together: each reads the whole log, and has its share of the rows.

``python -m infrastructure.postgres.sharding NUMBER TASK`` is one of them. It finds the database in DATABASE_URL, says on
standard output where it is, a position a line, and lives no longer than who started it.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec
from psycopg import AsyncConnection

from infrastructure.embedded.tether import tethered
from infrastructure.postgres.building import Builder, BuildError, Shard
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.patience import pool_of
from infrastructure.postgres.skips import skips_of
from projections.registry import PROJECTIONS


class ShardTask(NamedTuple):
    """What is built: these projections, in so many shards, from behind a position up to another one."""

    names: list[str]
    began_at: datetime
    shards: int
    after: int
    until: int
    size: int


async def build_shards(database_url: str, task: ShardTask, advance: Callable[[int], None]) -> None:
    """Build all shards, each in a process of its own; ``advance`` is told by how many events the slowest went on.

    Raises:
        BuildError: one of them cannot go on; the message says why.
    """
    at = [task.after] * task.shards
    processes = [await _started(database_url, number, task) for number in range(task.shards)]

    async def follow(number: int, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in process.stdout:
            before, at[number] = min(at), int(line)
            advance(min(at) - before)
        said = await process.stderr.read() if process.stderr else b""
        if await process.wait() != 0:
            raise BuildError(
                said.decode(errors="replace").strip().rpartition("\n")[2] or "a process of the rebuild died"
            )

    try:
        async with asyncio.TaskGroup() as group:
            for number, process in enumerate(processes):
                group.create_task(follow(number, process))
    except* BuildError as errors:
        raise errors.exceptions[0] from None
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _started(database_url: str, number: int, task: ShardTask) -> Process:
    arguments = [str(number), msgspec.json.encode(task).decode()]
    command = tethered([sys.executable, "-m", "infrastructure.postgres.sharding", *arguments])
    environment = {**os.environ, "DATABASE_URL": database_url}
    return await create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)


async def build_shard(database_url: str, number: int, task: ShardTask, told: Callable[[int], None]) -> None:
    """Build one shard; ``told`` gets the position after each batch.

    Raises:
        BuildError: it cannot go on.
        StoreUnavailableError, psycopg.Error: the database cannot be used.
    """
    projections = [projection for projection in PROJECTIONS if projection.name in task.names]
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        skips = await skips_of(connection, projections)
    position = task.after

    def built(events: int) -> None:
        nonlocal position
        position += events
        told(position)

    async with PostgresEventStore(database_url) as store, pool_of(database_url, 1) as pool:
        shard = Shard(number, task.shards)
        builder = Builder(pool, store, projections, task.began_at, skips=skips, shard=shard)
        await builder.build(task.after, task.until, task.size, built)


def main(number: str, task: str) -> None:
    """Build the shard of these arguments."""

    def told(position: int) -> None:
        sys.stdout.write(f"{position}\n")
        sys.stdout.flush()

    try:
        what = msgspec.json.decode(task, type=ShardTask)
        asyncio.run(build_shard(os.environ["DATABASE_URL"], int(number), what, told))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said to whoever started this process
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main(*sys.argv[1:])
