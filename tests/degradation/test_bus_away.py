"""Valkey is killed, hangs, or is slow: streams go on from the database, nobody waits for it, and it comes back by itself."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Thread

import pytest
import redis
from httpx2 import Response

from application.status import StatusOrchestrator
from tests.api.serving import receive
from tests.degradation.desk import Desk
from tests.faults.processes import Server


@contextmanager
def _killed(server: Server) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def _hung(server: Server) -> Iterator[None]:
    server.hang()
    yield
    server.go_on()


@contextmanager
def _slow(server: Server) -> Iterator[None]:
    """Every command waits up to half a second."""
    over = Event()
    address = server.address
    assert address

    def pause() -> None:
        with redis.Redis.from_url(address) as client:
            while not over.wait(0.1):
                client.client_pause(500)

    thread = Thread(target=pause)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.parametrize("broken", [_killed, _hung, _slow])
async def test_streams_go_on_whatever_becomes_of_the_bus(
    desk: Desk, bus: Server, broken: Callable[[Server], AbstractContextManager[None]]
) -> None:
    publishing = asyncio.create_task(StatusOrchestrator(desk.engine.follower, desk.engine.bus).run(0))
    client = await desk.trader()

    async def health() -> Response:
        return await client.get("/api/v1/health/orders")

    async with desk.served.socket(f"?token={client.token}") as socket:
        with broken(bus):
            for _ in range(5):
                placed = (await client.place()).json()
                (message,) = await receive(socket, 1)
                assert (message["event"], message["order_id"]) == ("order.submitted", placed["id"])
                assert message["position"] == placed["position"]
            if broken is not _slow:
                assert (await health()).json()["dependencies"]["bus"] == "down"
        async with asyncio.timeout(20):
            while (await health()).json()["dependencies"]["bus"] != "ok":
                await asyncio.sleep(0.05)
            # What is published reaches whoever subscribes, without anybody having been restarted.
            heard = asyncio.create_task(anext(desk.engine.bus.subscribe("again")))
            while not heard.done():
                await desk.engine.bus.publish([("again", b"{}")])
                await asyncio.sleep(0.05)
            assert await heard == b"{}"
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
