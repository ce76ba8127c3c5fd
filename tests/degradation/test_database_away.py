"""PostgreSQL is stopped, killed, or hangs: nobody waits for it, nothing is lost or doubled, and no process is restarted."""

import asyncio
import json
from collections.abc import Callable

import pytest
from websockets.asyncio.client import ClientConnection

from tests.api.clients import Client, problem_of
from tests.degradation.desk import AWAY, Desk, all_told, traded
from tests.faults.processes import Server


async def heartbeat(socket: ClientConnection) -> None:
    """The stream is open, and says so."""
    async with asyncio.timeout(10):
        while json.loads(await socket.recv())["event"] != "heartbeat":
            pass


async def refused(desk: Desk, client: Client) -> None:
    """Every command and every query is answered, and none with something that is not so."""
    answers = [
        await client.place(),
        await client.get("/api/v1/orders"),
        await client.get("/api/v1/account"),
        await desk.client("olga", "ops").get("/api/v1/operations"),
        await desk.client("olga", "ops").get("/api/v1/halts"),
        await client.post("/api/v1/stream-tickets"),
    ]
    for answer in answers:
        assert problem_of(answer, 503, answer.json()["code"])["code"] in AWAY
        assert answer.headers["retry-after"] == "1"
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/livez")).status_code == 200
    health = await client.get("/api/v1/health/orders")
    assert (health.status_code, health.json()["dependencies"]["database"]) == (503, "down")
    # What does not need the database is answered as ever.
    assert (await client.get("/api/v1/instruments")).status_code == 200


def _stopped(server: Server) -> None:
    server.end()


def _killed(server: Server) -> None:
    server.kill()


def _hung(server: Server) -> None:
    server.hang()


def _started(server: Server) -> None:
    server.start()


def _woken(server: Server) -> None:
    server.go_on()


@pytest.mark.parametrize(
    ("breaks", "mends"), [(_stopped, _started), (_killed, _started), (_hung, _woken)], ids=["stopped", "killed", "hung"]
)
async def test_while_the_database_is_away_everybody_is_told_at_once_and_afterwards_each_order_is_there_once(
    desk: Desk, database: Server, breaks: Callable[[Server], None], mends: Callable[[Server], None]
) -> None:
    client = await desk.trader()
    async with traded(desk) as traders, desk.served.socket(f"?token={client.token}") as socket:
        await heartbeat(socket)
        await asyncio.to_thread(breaks, database)
        await all_told(traders)
        await refused(desk, client)
        await heartbeat(socket)
        await asyncio.to_thread(mends, database)
        await desk.is_back(client)
        async with asyncio.timeout(10):
            while json.loads(await socket.recv())["event"] != "order.submitted":
                pass
    assert (await client.get("/api/v1/orders")).status_code == 200
