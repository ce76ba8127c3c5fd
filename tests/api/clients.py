"""Traders, auditors and operators as their programs talk to the API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

from httpx2 import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

from api.tokens import make_token
from application.trading import Caller
from application.venue import Instrument
from domain.commands import Deposit, OrderReport, RecordAcceptance, RecordFill
from domain.instruments import ANYTHING, us_equity
from domain.values import FillId, Money, OrderId, Price, Quantity, Symbol, TraderId, parse_trader_id
from infrastructure.clock import SystemClock
from infrastructure.composition import Engine

SECRET = "a secret that is long enough to sign with"
VENUE = Caller("venue", "test", "test")
FILLED_AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

PRICED_AT = SystemClock().now()
"""A moment ago: older prices are not relied on."""

INSTRUMENTS = [
    Instrument(
        symbol=Symbol(symbol),
        name=f"{symbol} Inc.",
        tradable=symbol != "HALT",
        fractionable=True,
        reference_price=Price(Decimal(price)) if price else None,
        price_at=PRICED_AT if price else None,
        rules=us_equity(fractionable=True) if symbol == "GRID" else ANYTHING,
    )
    for symbol, price in (("GRID", "190"), ("AAPL", "150"), ("MSFT", "1.2345"), ("MUTE", None), ("HALT", "9"))
]


def token_of(trader_id: str, roles: Sequence[str] = ("trader",)) -> str:
    return make_token(SECRET.encode(), TraderId(trader_id), frozenset(roles), 3600, SystemClock().now())


class Client:
    """One person's program."""

    def __init__(self, http: AsyncClient, trader_id: str, roles: Sequence[str]) -> None:
        self.http = http
        self.trader_id = parse_trader_id(trader_id)
        self.token = token_of(trader_id, roles)

    async def get(self, path: str, **options: Any) -> Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Response:
        return await self.request("POST", path, json=json, **options)

    async def request(self, method: str, path: str, **options: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **options)

    async def place(self, headers: dict[str, str] | None = None, **terms: Any) -> Response:
        """A limit order for one AAPL, unless the terms say otherwise."""
        order = {"symbol": "AAPL", "quantity": "1", "order_type": "LIMIT", "price": "100"} | terms
        return await self.post("/api/v1/orders", order, headers=headers or {})

    async def replace(self, order_id: str, headers: dict[str, str] | None = None, **terms: Any) -> Response:
        """Ask for other terms."""
        return await self.post(f"/api/v1/orders/{order_id}/replace", terms, headers=headers or {})


class World:
    """The application, the people who use it, and the venue."""

    def __init__(self, app: Starlette, engine: Engine) -> None:
        self.engine = engine
        transport = ASGITransport(app=app)
        self.http = AsyncClient(transport=transport, base_url="http://orderlog.test", trust_env=False)
        self._fills = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    def client(self, trader_id: str, roles: Sequence[str] = ("trader",)) -> Client:
        return Client(self.http, trader_id, roles)

    async def fund(self, client: Client, amount: str) -> None:
        await self.engine.trading.move_cash(client.trader_id, Deposit(Money(Decimal(amount))), VENUE)

    async def report(self, order_id: str, report: OrderReport) -> None:
        order = await self.engine.trading.order(OrderId(order_id))
        assert order is not None
        await self.engine.trading.report(order.state.terms, [report], VENUE)

    async def accept(self, order_id: str) -> None:
        await self.report(order_id, RecordAcceptance(f"venue-{order_id}"))

    async def fill(self, order_id: str, quantity: str, price: str) -> str:
        """Report a fill; returns its id."""
        self._fills += 1
        fill = RecordFill(
            fill_id=FillId(f"fill-{self._fills}"),
            quantity=Quantity(Decimal(quantity)),
            price=Price(Decimal(price)),
            commission=Money(Decimal("0.10")),
            venue="paper",
            executed_at=FILLED_AT,
        )
        await self.report(order_id, fill)
        return fill.fill_id

    async def projected(self) -> None:
        """Wait until the read models have read the whole log."""
        position = await self.engine.store.position()
        names = ("orders", "fills", "accounts", "positions", "execution_log")
        assert await self.engine.read_models.wait_for(names, position, 5.0)


def problem_of(response: Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a response, which has this status and this code."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    return problem


def pointers_of(response: Response) -> list[str]:
    """Where the problem says that the errors are."""
    return [error["pointer"] for error in response.json()["errors"]]
