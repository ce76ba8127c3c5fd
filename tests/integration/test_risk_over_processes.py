"""Several API processes on one database: what is exact in one is exact over all of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.instruments import save_instruments
from infrastructure.postgres.patience import Pool
from tests.api.clients import INSTRUMENTS, SECRET, token_of
from tests.conftest import fresh_database
from tests.engine_process import running_engine
from tests.plain_http import PLAIN

PROCESSES = 2
ORDER = {"symbol": "AAPL", "quantity": "1", "order_type": "LIMIT", "price": "33.33"}
COST = Decimal("33.33")


@pytest.fixture(scope="module")
def urls(postgres: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Where the API processes listen. Nobody executes: what is placed stays as it is."""
    with fresh_database(postgres, template=migrated_template) as database_url, ExitStack() as stack:
        asyncio.run(_list_instruments(database_url))
        settings = {
            "DATABASE_URL": database_url,
            "REDIS_URL": "none",
            "ORDERLOG_JWT_SECRET": SECRET,
            "ORDERLOG_EXCHANGE": "alpaca",
            "ALPACA_BASE_URL": "http://127.0.0.1:9",
            "APCA_API_KEY_ID": "any",
            "APCA_API_SECRET_KEY": "thing",
        }
        engines = (
            running_engine(tmp_path_factory.mktemp(f"api-{number}"), "--no-worker", "--no-migrate", **settings)
            for number in range(PROCESSES)
        )
        yield [stack.enter_context(engine).url for engine in engines]


async def _list_instruments(database_url: str) -> None:
    async with Pool(conninfo(database_url), kwargs={"autocommit": True}, open=False) as pool:
        await save_instruments(pool, INSTRUMENTS)


class Callers:
    """Whoever calls the processes: each request goes to the next one."""

    def __init__(self, http: httpx2.AsyncClient, urls: Sequence[str]) -> None:
        self._http = http
        self._urls = urls
        self._count = 0

    async def ask(
        self, method: str, path: str, trader: str, roles: Sequence[str] = ("trader",), **options: Any
    ) -> httpx2.Response:
        self._count += 1
        url = self._urls[self._count % len(self._urls)]
        headers = {"Authorization": f"Bearer {token_of(trader, roles)}"}
        return await self._http.request(method, url + path, headers=headers, **options)

    async def place(self, trader: str, **terms: str) -> httpx2.Response:
        return await self.ask("POST", "/api/v1/orders", trader, json=ORDER | terms)

    async def at_once(self, trader: str, count: int, **terms: str) -> tuple[list[str], Counter[str]]:
        """Place so many orders at the same time; the ids of those that were taken, and how often which code came."""
        answers = await asyncio.gather(*(self.place(trader, **terms) for _ in range(count)))
        taken = [answer.json()["id"] for answer in answers if answer.status_code == 201]
        return taken, Counter(answer.json()["code"] for answer in answers if answer.status_code != 201)

    async def ops(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = await self.ask(method, f"/api/v1/{path}", "olga", ("ops",), json=body)
        return answer.raise_for_status().json()

    async def account(self, trader: str) -> dict[str, Any]:
        """From the log: of what is read, one of the processes is no fresher than the other."""
        found: dict[str, Any] = await self.ops("POST", f"accounts/{trader}/deposits", {"amount": "0.01"})
        return found

    async def events(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.ask("GET", "/api/v1/events", "ada", ("auditor",), params={"limit": 1000, **query})
        events: list[dict[str, Any]] = answer.raise_for_status().json()["events"]
        return events


@pytest.fixture
async def callers(urls: list[str]) -> AsyncIterator[Callers]:
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx2.AsyncClient(**PLAIN, timeout=60, limits=limits) as http:
        yield Callers(http, urls)


@pytest.mark.parametrize(("callers_at_once", "orders"), [(1, 12), (1000, 1000)])
async def test_over_all_processes_exactly_as_many_orders_are_taken_as_the_balance_pays_for(
    callers: Callers, callers_at_once: int, orders: int
) -> None:
    trader = f"rich-{callers_at_once}"
    pays_for = orders // 3
    await callers.ops("POST", f"accounts/{trader}/deposits", {"amount": f"{COST * pays_for + Decimal('33.32')}"})
    taken, refused = list[str](), Counter[str]()
    for _ in range(orders // callers_at_once):
        some, codes = await callers.at_once(trader, callers_at_once)
        taken, refused = taken + some, refused + codes
    assert len(taken) == pays_for
    assert refused == {"INSUFFICIENT_FUNDS": orders - pays_for}
    assert Decimal((await callers.account(trader))["reserved"]) == COST * pays_for
    cancels = (callers.ask("POST", f"/api/v1/orders/{each}/cancel", trader) for each in taken)
    assert {answer.json()["status"] for answer in await asyncio.gather(*cancels)} == {"CANCELLED"}
    account = await callers.account(trader)
    assert (account["reserved"], account["available"]) == ("0.00", account["cash"])


@pytest.mark.parametrize(
    ("name", "limits", "taken", "code"),
    [
        ("open", {"max_open_orders": 7}, 7, "MAX_OPEN_ORDERS_EXCEEDED"),
        ("position", {"max_position": 7}, 7, "MAX_POSITION_EXCEEDED"),
        ("notional", {"max_daily_notional": "250"}, 7, "MAX_DAILY_NOTIONAL_EXCEEDED"),
        ("duplicate", {"duplicate_window_seconds": 3600}, 1, "DUPLICATE_ORDER"),
    ],
)
async def test_over_all_processes_a_limit_is_met_exactly(
    callers: Callers, name: str, limits: dict[str, Any], taken: int, code: str
) -> None:
    await callers.ops("POST", f"accounts/{name}/deposits", {"amount": "100000"})
    await callers.ops("PUT", f"accounts/{name}/limits", limits)
    orders, refused = await callers.at_once(name, 40)
    assert (len(orders), refused) == (taken, {code: 40 - taken})


async def test_over_all_processes_no_second_sees_more_orders_than_allowed(callers: Callers) -> None:
    await callers.ops("POST", "accounts/fast/deposits", {"amount": "100000"})
    await callers.ops("PUT", "accounts/fast/limits", {"max_orders_per_second": 5})
    orders, refused = await callers.at_once("fast", 60)
    assert set(refused) == {"RATE_LIMITED"}
    reserved = await callers.events(type="FundsReserved", trader_id="fast")
    times = sorted(datetime.fromisoformat(event["data"]["asked_at"]) for event in reserved)
    assert len(times) == len(orders)
    assert all(later - first >= timedelta(seconds=1) for first, later in zip(times, times[5:], strict=False))


async def test_a_halt_made_in_one_process_holds_in_the_other_from_its_next_order_on(
    urls: list[str], callers: Callers
) -> None:
    for trader in ("hal", "other"):
        await callers.ops("POST", f"accounts/{trader}/deposits", {"amount": "100000"})
    working = [(await callers.place("hal")).json()["id"] for _ in range(2 * PROCESSES)]
    for scope in ("trader:hal", "symbol:AAPL", "all"):
        await callers.ops("POST", "halts", {"scope": scope, "reason": "a drill"})
        for _ in urls:
            assert (await callers.place("hal")).json()["code"] == "TRADING_HALTED"
            replaced = await callers.ask("POST", f"/api/v1/orders/{working[0]}/replace", "hal", json={"quantity": "2"})
            assert replaced.json()["code"] == "TRADING_HALTED"
            assert [each["scope"] for each in (await callers.ops("GET", "halts"))["halts"]] == [scope]
        assert (await callers.place("other")).status_code == (201 if scope == "trader:hal" else 400)
        assert (await callers.ask("POST", f"/api/v1/orders/{working.pop()}/cancel", "hal")).status_code == 200
        await callers.ops("DELETE", f"halts/{scope}")
        for _ in urls:
            assert (await callers.place("hal")).status_code == 201
    assert [event["type"] for event in await callers.events(type="TradingResumed")] == ["TradingResumed"] * 3
