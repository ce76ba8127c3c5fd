"""``POST /api/v1/orders`` with everything on: token, validation, decision, commit, answer."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from decimal import Decimal

from application.trading import Caller
from benchmarks.desk import AAPL
from benchmarks.load import Load, request, send
from benchmarks.rounds import Figure, Goal, Pace, in_turns
from benchmarks.surroundings import Served, Surroundings, served
from domain.commands import Deposit
from domain.values import Money, TraderId
from infrastructure.composition import open_engine
from infrastructure.postgres.instruments import save_instruments
from infrastructure.settings import load_settings

TRADERS = 200
_CONNECTIONS = 64
_BODY = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": "1",
    "order_type": "LIMIT",
    "price": "100.00",
    "time_in_force": "GTC",
}


def posts(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Orders through one API process, 64 connections; and through two."""
    with ExitStack() as stack:
        urls = {name: prepared(around) for name in ("ours", "two", "pooled")}
        apis = {
            "ours": stack.enter_context(served(around, "api", urls["ours"])),
            "two": stack.enter_context(served(around, "api", urls["two"], processes=2)),
            "constant": stack.enter_context(served(around, "benchmarks.constant_api", urls["ours"])),
            "pooled": stack.enter_context(served(around, "benchmarks.pooled_api", urls["pooled"])),
        }
        reached = in_turns({name: _posted(api) for name, api in apis.items()}, pace)
    ours = reached["ours"]
    yield Figure("POST /api/v1/orders", "orders/s", ours, "constant JSON", reached["constant"], Goal(0.25, 0.40))
    yield Figure("the same", "orders/s", ours, "one transaction each", reached["pooled"], Goal(2.5, 4))
    yield Figure(
        "the same with two API processes",
        "orders/s",
        reached["two"],
        "one API process",
        ours,
        note="both, the load generator and PostgreSQL share the processors of this machine",
    )


def prepared(around: Surroundings) -> str:
    """The URL of a database with instruments, and traders with money."""
    url = around.database()
    asyncio.run(_prepare(url))
    return url


async def _prepare(url: str) -> None:
    caller = Caller("ops:bench", "bench", "bench")
    deposit = Deposit(Money(Decimal(10**9)))
    async with open_engine(load_settings({"DATABASE_URL": url, "REDIS_URL": "none"})) as engine:
        await save_instruments(engine.pool, [AAPL])
        traders = [TraderId(f"bench-{number}") for number in range(TRADERS)]
        await asyncio.gather(*(engine.trading.move_cash(trader, deposit, caller) for trader in traders))


def requests_to(api: Served, body: Mapping[str, str] = _BODY) -> list[str]:
    """An order of each trader, as it goes over the wire."""
    traders = (f"bench-{number}" for number in range(TRADERS))
    return [request(api.host, "/api/v1/orders", api.token(trader), body) for trader in traders]


def _posted(api: Served) -> Callable[[float], float]:
    requests = requests_to(api)

    def measure(seconds: float) -> float:
        answered = send(Load(api.host, api.port, _CONNECTIONS, seconds, requests))
        if answered.others:
            raise RuntimeError(f"{answered.others} orders were not placed")
        return answered.per_second

    return measure
