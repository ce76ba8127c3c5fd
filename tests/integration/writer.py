"""A process that appends: ``python -m tests.integration.writer URL NAME ROUNDS [stop]``.

In every round it writes a stream of its own, which cannot conflict, and one that all writers share, until that holds.
With ``stop`` it stops itself, once, while it holds the head of the log. It prints how many conflicts it met.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence

from application.ports import Transaction
from infrastructure.batch import Batch, Head, Write, chain
from infrastructure.postgres import appending
from infrastructure.postgres.event_store import PostgresEventStore
from tests.infrastructure.samples import sent, stream, writes


async def write(url: str, name: str, rounds: int) -> int:
    conflicts = 0
    async with PostgresEventStore(url, patience_seconds=60) as store:
        position = 0
        for number in range(rounds):
            loaded = await store.load({stream("shared"): 0})
            appended = await store.append(
                [
                    writes(name, 2 * number, 2),
                    Transaction(
                        {stream("shared"): len(loaded.streams[stream("shared")])},
                        [sent("shared", len(loaded.streams[stream("shared")]) + 1)],
                    ),
                ],
                min(position, loaded.position),
            )
            position = appended.position
            while appended.recorded[-1] is None:
                conflicts += 1
                loaded = await store.load({stream("shared"): 0})
                version = len(loaded.streams[stream("shared")])
                appended = await store.append([writes("shared", version)], loaded.position)
                position = appended.position
    return conflicts


def stop_once() -> None:
    stops = iter([signal.SIGSTOP])

    def stopping(head: Head, writes: Sequence[Write], holding: Sequence[bool]) -> Batch:
        for stop in stops:
            os.kill(os.getpid(), stop)
            time.sleep(0.2)  # the signal may take a moment to stop this thread too
        return chain(head, writes, holding)

    appending.chain = stopping  # type: ignore[attr-defined] # the name it calls


if __name__ == "__main__":
    if sys.argv[4:] == ["stop"]:
        stop_once()
    sys.stdout.write(str(asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
