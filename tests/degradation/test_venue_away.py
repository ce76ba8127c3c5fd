"""The venue is away: orders are taken and wait for it, everybody sees that, up to a limit; then they go there in order."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, nullcontext, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from httpx2 import ASGITransport, AsyncClient

from api.asgi import build_app
from domain.commands import Deposit
from domain.values import Money
from infrastructure.composition import Engine, open_engine
from infrastructure.worker import run_worker
from tests.api.clients import VENUE, Client, problem_of
from tests.api.conftest import settings_of
from tests.venue_server import running_venue

OPERATIONS = "/api/v1/operations"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@asynccontextmanager
async def trading(database_url: str, home: Path, port: int) -> AsyncIterator[tuple[Engine, AsyncClient]]:
    """An engine with its worker, whose venue is at the port, and of whose orders five may wait."""
    settings = settings_of(
        database_url,
        home,
        ALPACA_BASE_URL=f"http://127.0.0.1:{port}",
        ORDERLOG_VENUE_QUEUE_MAX="5",
        ORDERLOG_RETRY_BACKOFF="0.1,0.1,0.1",
    )
    work = asyncio.create_task(run_worker(settings))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(ended, work)
        engine = await stack.enter_async_context(open_engine(settings))
        app = build_app(lambda: nullcontext(engine))
        await stack.enter_async_context(app.router.lifespan_context(app))
        http = await stack.enter_async_context(AsyncClient(transport=ASGITransport(app=app), base_url="http://x"))
        yield engine, http


async def ended(work: asyncio.Task[None]) -> None:
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """What was looked for, as soon as it is there."""
    async with asyncio.timeout(30):
        while not (found := await look()):
            await asyncio.sleep(0.05)
    return found


async def test_orders_wait_for_a_venue_that_is_away_up_to_a_limit_and_go_there_in_order_when_it_is_back(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    venue = ExitStack()
    venue.enter_context(running_venue(port=port))
    async with trading(database_url, tmp_path / "home", port) as (engine, http):
        alice, olga = Client(http, "alice", ("trader",)), Client(http, "olga", ("ops",))
        await engine.trading.move_cash(alice.trader_id, Deposit(Money(Decimal(100_000))), VENUE)

        async def status(order_id: str) -> str:
            return str((await alice.get(f"/api/v1/orders/{order_id}")).json()["status"])

        async def exchange() -> str:
            return str((await http.get("/api/v1/health/orders")).json()["dependencies"]["exchange"])

        async def waiting() -> int:
            return int((await olga.get(OPERATIONS)).json()["waiting_orders"])

        async def told(count: int) -> bool:
            return (engine.venue_queue._told, engine.venue_queue._taken) == (count, 0)

        await until(lambda: ready(engine))
        resting = (await alice.place(price="50")).json()["id"]
        await until(lambda: is_(status(resting), "ACCEPTED"))

        await asyncio.to_thread(venue.close)
        placed = [(await alice.place({"Idempotency-Key": "first"}, price="51")).json()["id"]]
        await until(lambda: is_(exchange(), "down"))
        for price in range(52, 56):
            answer = await alice.place(price=str(price))
            assert answer.status_code == 201
            placed.append(answer.json()["id"])
        await until(lambda: told(5))
        refused = await alice.place(price="56")
        problem_of(refused, 503, "VENUE_QUEUE_FULL")
        assert refused.headers["retry-after"] == "5"
        seen = (await olga.get(OPERATIONS)).json()
        assert (seen["waiting_orders"], seen["waiting_orders_max"], seen["open_orders"]) == (5, 5, 6)
        assert {await status(order_id) for order_id in placed} == {"PENDING"}
        # What was taken is taken, and says so to whoever asks again.
        again = await alice.place({"Idempotency-Key": "first"}, price="51")
        assert (again.json()["id"], again.headers["idempotent-replayed"]) == (placed[0], "true")

        # Whoever wants an order back that waits has it back at once, whether an attempt was made or not.
        for order_id in (placed[0], placed[2]):
            assert (await alice.post(f"/api/v1/orders/{order_id}/cancel")).status_code == 200
            await until(lambda order_id=order_id: is_(status(order_id), "CANCELLED"))  # type: ignore[misc] # the loop's
        await until(lambda: told(3))
        placed.append((await alice.place(price="56")).json()["id"])
        assert await waiting() == 4

        with running_venue(port=port):
            left = [placed[1], *placed[3:]]
            for order_id in left:
                await until(lambda order_id=order_id: is_(status(order_id), "ACCEPTED"))  # type: ignore[misc] # the loop's
            assert await exchange() == "ok"
            await until(lambda: told(0))
            sent = [raw.stream_id for raw in await engine.store.raw(0, 1_000, types=["OrderSent"])]
            assert [each for each in sent if each in {f"order-{order_id}" for order_id in left[1:]}] == [
                f"order-{order_id}" for order_id in left[1:]
            ]
            assert (await alice.place(price="57")).status_code == 201


async def ready(engine: Engine) -> bool:
    return engine.instruments.ready


async def is_(asked: Awaitable[str], expected: str) -> bool:
    return await asked == expected
