"""What everybody at the desk does while something is broken: traders who never give up, and whoever looks on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import TypeVar

from httpx2 import AsyncClient, HTTPError

from api.asgi import build_app
from domain.commands import Deposit
from domain.values import Money
from infrastructure.composition import Engine, open_engine
from infrastructure.embedded.home import Home
from infrastructure.postgres.projector import Projector
from tests.api.clients import VENUE, Client
from tests.api.conftest import settings_of
from tests.api.serving import Served, serving
from tests.plain_http import PLAIN

T = TypeVar("T")

AWAY = frozenset({"STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"})
"""What a command is answered while the log is away."""

_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.02
_NAMES = count(1)


class Desk:
    """The application from outside, and its engine from inside."""

    def __init__(self, served: Served, engine: Engine) -> None:
        self.served = served
        self.engine = engine
        self._http = AsyncClient(base_url=served.url, **PLAIN, timeout=20)

    async def close(self) -> None:
        await self._http.aclose()

    def client(self, name: str, *roles: str) -> Client:
        return Client(self._http, name, roles or ("trader",))

    async def trader(self) -> Client:
        """A trader of the test's own with 100,000 dollars."""
        client = self.client(f"trader-{next(_NAMES)}")
        await self.engine.trading.move_cash(client.trader_id, Deposit(Money(Decimal(100_000))), VENUE)
        return client

    async def is_back(self, client: Client) -> None:
        """Wait until orders are taken again."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (await client.place()).status_code != 201:
                await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def desk_at(database_url: str, home: Home, redis_url: str = "none") -> AsyncIterator[Desk]:
    """The application on these servers, with a worker that only projects."""
    settings = settings_of(database_url, home.directory / "engine", REDIS_URL=redis_url, ORDERLOG_DATABASE_TIMEOUT="1")
    async with serving(build_app(lambda: open_engine(settings), heartbeat_seconds=0.2)) as served:
        engine = served.app.state.running.engine
        projecting = asyncio.create_task(Projector(engine.pool, engine.follower).run())
        desk = Desk(served, engine)
        yield desk
        await desk.close()
        projecting.cancel()
        await asyncio.gather(projecting, return_exceptions=True)


@asynccontextmanager
async def traded(desk: Desk, count_of_traders: int = 4) -> AsyncIterator[list["Insistent"]]:
    """Traders who go on whatever happens; in the end each key has its order, and each order was placed once."""
    traders = [Insistent(await desk.trader()) for _ in range(count_of_traders)]
    tasks = [asyncio.create_task(trader.trade()) for trader in traders]
    yield traders
    for trader in traders:
        trader.stop()
    await asyncio.gather(*tasks)
    names = {trader.trader_id for trader in traders}
    placed = [
        json.loads(recorded.data)["order_id"]
        for recorded in await desk.engine.store.raw(0, 1_000_000, types=["OrderPlaced"])
        if json.loads(recorded.metadata)["trader_id"] in names
    ]
    answered = [order_id for trader in traders for order_id in trader.orders.values()]
    assert sorted(answered) == sorted(placed)
    assert len(answered) == len(set(answered)) >= count_of_traders


async def all_told(traders: list["Insistent"]) -> None:
    """Wait until every trader has been told that the log is away."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not all(AWAY & trader.codes.keys() for trader in traders):
            await asyncio.sleep(_LOOK_SECONDS)


class Insistent:
    """A trader's program that sends one order after the other, each under a key until there is an answer.

    Attributes:
        orders: the order that each key became, as answered.
        codes: how often each code was answered before.
    """

    def __init__(self, client: Client) -> None:
        self.trader_id = client.trader_id
        self.orders: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self._client = client
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping = True

    async def trade(self) -> None:
        for number in count(1):
            if self._stopping:
                return
            await self._insist(f"{self.trader_id}-{number}")

    async def _insist(self, key: str) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while key not in self.orders:
                try:
                    answer = await self._client.place({"Idempotency-Key": key})
                except HTTPError as error:
                    code = type(error).__name__
                else:
                    if answer.is_success:
                        self.orders[key] = answer.json()["id"]
                        break
                    code = answer.json()["code"]
                    assert answer.headers["retry-after"] == "1", answer.text
                self.codes[code] = self.codes.get(code, 0) + 1
                await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.sleep(_LOOK_SECONDS)


async def eventually(look: Callable[[], T | None]) -> T:
    """What was looked for, as soon as it is there."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not (found := look()):
            await asyncio.sleep(_LOOK_SECONDS)
    return found
