"""A process that is told to stop finishes what it has begun; who repeats what had no answer notices nothing else."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from infrastructure.worker import run_worker
from tests.degradation.test_venue_away import ended
from tests.engine_process import RunningEngine, running_engine
from tests.infrastructure.test_worker import place_and_wait, settings_for, until, working
from tests.plain_http import PLAIN
from tests.venue_server import running_venue

RESTING = {"symbol": "AAPL", "quantity": "1", "order_type": "LIMIT", "price": "50"}
GOING_AWAY = 1012


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """Two API processes on one port."""
    with running_engine(tmp_path_factory.mktemp("stopped") / "home", ORDERLOG_WORKERS="2") as engine:
        engine.fund("alice")
        yield engine


def api_processes(engine: RunningEngine) -> set[int]:
    children = Path(f"/proc/{engine.process.pid}/task/{engine.process.pid}/children").read_text().split()
    return {int(child) for child in children if b"-m\0api\0" in Path(f"/proc/{child}/cmdline").read_bytes()}


async def until_there_are(engine: RunningEngine, number: int, gone: int) -> None:
    async with asyncio.timeout(30):
        while gone in (now := api_processes(engine)) or len(now) < number:
            await asyncio.sleep(0.05)


class Program:
    """A trader's program: orders under keys, and a stream of what becomes of them, both for ever.

    Attributes:
        answers: the order that each key became.
        wrong: what it was answered that nobody should be.
        seen: the orders that the stream has told of, in its order.
        closes: the codes that its streams were closed with.
    """

    def __init__(self, engine: RunningEngine, token: str) -> None:
        self.answers: dict[str, str] = {}
        self.wrong: list[str] = []
        self.seen: list[str] = []
        self.closes: set[int] = set()
        self._url = engine.url
        self._token = token
        self._stopping = False

    def stop(self) -> None:
        self._stopping = True

    async def trade(self, name: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx2.AsyncClient(base_url=self._url, headers=headers, **PLAIN, timeout=10) as http:
            for number in count():
                key = f"{name}-{number}"
                while key not in self.answers and not self._stopping:
                    with suppress(httpx2.HTTPError):
                        answer = await http.post("/api/v1/orders", json=RESTING, headers={"Idempotency-Key": key})
                        if answer.is_success:
                            self.answers[key] = answer.json()["id"]
                        elif answer.status_code != 503:
                            self.wrong.append(answer.text)
                    await asyncio.sleep(0.01)
                if self._stopping:
                    return

    async def listen(self, after: int) -> None:
        while True:
            url = f"{self._url.replace('http', 'ws', 1)}/ws/orders/events?token={self._token}&after={after}"
            try:
                async with connect(url, proxy=None, open_timeout=10) as socket:
                    async for text in socket:
                        message = json.loads(text)
                        after = message["position"]
                        if message["event"] == "order.submitted":
                            self.seen.append(message["order_id"])
            except ConnectionClosed as closed:
                if closed.rcvd is not None:
                    self.closes.add(closed.rcvd.code)
            except (OSError, WebSocketException):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def programs(engine: RunningEngine, *, hears_all: bool = True) -> AsyncIterator[Program]:
    """One program with four hands and two streams, until the block ends."""
    program = Program(engine, engine.token("alice"))
    hands = [asyncio.create_task(program.trade(f"hand-{number}")) for number in range(4)]
    ears = asyncio.create_task(program.listen(0))
    yield program
    program.stop()
    await asyncio.gather(*hands)
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while hears_all and not set(program.answers.values()) <= set(program.seen):
                await asyncio.sleep(0.05)
    ears.cancel()
    await asyncio.gather(ears, return_exceptions=True)


async def test_a_rolling_restart_under_load_loses_and_doubles_nothing_and_every_stream_is_told(
    engine: RunningEngine,
) -> None:
    async with programs(engine) as program:
        for process in sorted(api_processes(engine)):
            known = len(program.answers)
            async with asyncio.timeout(30):
                while len(program.answers) < known + 20:
                    await asyncio.sleep(0.02)
            os.kill(process, signal.SIGTERM)
            await until_there_are(engine, 2, process)
        known = len(program.answers)
        async with asyncio.timeout(30):
            while len(program.answers) < known + 20:
                await asyncio.sleep(0.02)
    assert program.wrong == []
    assert program.closes == {GOING_AWAY}
    # Each key is one order, and the stream has told of each once, whichever process it came from.
    assert len(set(program.answers.values())) == len(program.answers)
    assert len(set(program.seen)) == len(program.seen)
    assert set(program.answers.values()) <= set(program.seen)


async def test_an_engine_that_is_stopped_under_load_ends_well_and_what_it_answered_is_there(
    engine: RunningEngine,
) -> None:
    headers = {"Authorization": f"Bearer {engine.token('alice')}"}
    async with programs(engine, hears_all=False) as program:
        async with (
            httpx2.AsyncClient(base_url=engine.url, headers=headers, **PLAIN, timeout=30) as http,
            http.stream("GET", "/api/v1/orders/stream?after=0") as events,
        ):
            lines = events.aiter_lines()
            await anext(lines)
            assert await asyncio.to_thread(engine.stop) == 0
            # The stream of events ends as a stream that is over does, and no error comes out of it.
            assert [line async for line in lines][-1] == ""
        program.stop()
    assert program.wrong == []
    assert program.closes == {GOING_AWAY}
    with running_engine(engine.home) as again, again.client("alice") as alice:
        for key, order_id in list(program.answers.items())[-50:]:
            answer = alice.post("/api/v1/orders", json=RESTING, headers={"Idempotency-Key": key})
            assert (answer.json()["id"], answer.headers["idempotent-replayed"]) == (order_id, "true")


async def test_a_worker_that_is_stopped_hands_the_lead_over(database_url: str, tmp_path: Path) -> None:
    with running_venue() as venue:
        settings = settings_for(database_url, venue.url, tmp_path / "home")
        leader = asyncio.create_task(run_worker(settings))
        async with working(settings) as engine:
            await until(lambda: engine.instruments.ready)
            await place_and_wait(engine)
            await ended(leader)
            await place_and_wait(engine)
