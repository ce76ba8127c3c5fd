"""The REST endpoints: Alpaca's trading API under `/v2`, its latest trades, and what the operator does to the market."""

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infrastructure.exchanges.paper import dialect
from infrastructure.exchanges.paper.amounts import plain
from infrastructure.exchanges.paper.bodies import BustBody, CorrectBody, PlaceBody, PriceBody, ReplaceBody
from infrastructure.exchanges.paper.checks import check
from infrastructure.exchanges.paper.commands import Bust, Cancel, Correct
from infrastructure.exchanges.paper.dialect import Json, encode
from infrastructure.exchanges.paper.faults.rules import Ignore, KeepPredecessor, RefuseLater, Reject, Verdict
from infrastructure.exchanges.paper.market import LastTrade
from infrastructure.exchanges.paper.orders import Order, Status, Update
from infrastructure.exchanges.paper.refusals import (
    NotAuthorized,
    NotUnderstood,
    OrderNotFound,
    PositionNotFound,
)
from infrastructure.exchanges.paper.requests import (
    ActivitiesParameters,
    OrdersParameters,
    body,
    parameters,
    read,
    wanted_asset,
)
from infrastructure.exchanges.paper.venue import Venue

Endpoint = Callable[[Request], Awaitable[Response]]

VERDICT: Final = "verdict"
"""Where in a request's scope stands what the exchange is to do with it, when a rule says so: see `faults.answers`."""


class TradingApi:
    """The endpoints of one venue.

    Args:
        venue: What they trade on.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._exchange = venue.exchange

    def routes(self) -> list[Route]:
        """Every path this API serves."""
        keyed: list[tuple[str, str, Endpoint]] = [
            ("POST", "/v2/orders", self.place),
            ("GET", "/v2/orders", self.list_orders),
            ("DELETE", "/v2/orders", self.cancel_all),
            ("GET", "/v2/orders:by_client_order_id", self.order_by_client_order_id),
            ("GET", "/v2/orders/{id}", self.order),
            ("PATCH", "/v2/orders/{id}", self.replace),
            ("DELETE", "/v2/orders/{id}", self.cancel),
            ("GET", "/v2/account", self.account),
            ("GET", "/v2/account/activities", self.activities),
            ("GET", "/v2/account/activities/{activity_types}", self.activities),
            ("GET", "/v2/positions", self.positions),
            ("GET", "/v2/positions/{symbol:path}", self.position),
            ("GET", "/v2/assets", self.assets),
            ("GET", "/v2/assets/{symbol:path}", self.asset),
            ("GET", "/v2/clock", self.clock),
            ("GET", "/v2/stocks/trades/latest", self.stock_trades),
            ("GET", "/v1beta3/crypto/us/latest/trades", self.crypto_trades),
        ]
        return [
            *(Route(path, _with_keys(endpoint), methods=[method]) for method, path, endpoint in keyed),
            Route("/control/prices/{symbol:path}", self.move_price, methods=["PUT"]),
            Route("/control/busts", self.bust, methods=["POST"]),
            Route("/control/corrections", self.correct, methods=["POST"]),
            Route("/healthz", self.health, methods=["GET"]),
        ]

    async def place(self, request: Request) -> Response:
        """Place an order; its fills are told by the stream, not by the answer."""
        wish = body(await read(request), PlaceBody)
        verdict = _verdict(request)
        reason = verdict.reason if isinstance(verdict, Reject) else ""
        entered, *_ = self._venue.execute(wish.command(self._venue.now(), self._venue.new_id, reason))
        return _json(dialect.acknowledgement(entered.order, entered.leg))

    async def replace(self, request: Request) -> Response:
        """Put a new order in the place of an open one."""
        wish = body(await read(request), ReplaceBody)
        order_id = request.path_params["id"]
        verdict = _verdict(request)
        command = wish.command(
            self._venue.now(),
            order_id,
            self._venue.new_id,
            refused_because=verdict.reason if isinstance(verdict, RefuseLater) else "",
            keeps_predecessor=isinstance(verdict, KeepPredecessor),
        )
        updates = self._venue.execute(command)
        for update in updates:
            if update.order.id == command.replacement_id:
                return _json(dialect.acknowledgement(update.order, update.leg))
        # It was refused, which is not for this answer to tell.
        refused = self._exchange.orders[command.replacement_id]
        entered = replace(refused, status=Status.NEW, failed_at=None, rejected_because="")
        return _json(dialect.acknowledgement(entered, None))

    async def cancel(self, request: Request) -> Response:
        """Cancel an order."""
        self._cancel(request.path_params["id"], _verdict(request))
        return Response(status_code=204)

    async def cancel_all(self, request: Request) -> Response:
        """Cancel every open order."""
        verdict = _verdict(request)
        orders = self._exchange.orders
        answers: list[Json] = []
        for order_id in [order.id for order in orders.open()]:
            # It may have ended with the other order of its pair.
            if orders[order_id].is_open:
                self._cancel(order_id, verdict)
            answers.append({"id": order_id, "status": 200, "body": dialect.order(orders[order_id])})
        return _json(answers, 207)

    def _cancel(self, order_id: str, verdict: Verdict | None) -> None:
        reason = verdict.reason if isinstance(verdict, RefuseLater) else ""
        command = Cancel(self._venue.now(), order_id, reason)
        if isinstance(verdict, Ignore):
            check(self._exchange, command)
        else:
            self._venue.execute(command)

    async def list_orders(self, request: Request) -> Response:
        """List orders, newest first unless asked otherwise."""
        query = parameters(request.query_params, OrdersParameters).query()
        show = self._with_leg if query.nested else dialect.order
        return _json([show(order) for order in self._exchange.orders.listed(query)])

    async def order(self, request: Request) -> Response:
        """One order by its id."""
        order = self._exchange.orders.get(request.path_params["id"])
        if order is None:
            raise OrderNotFound(request.path_params["id"])
        return _json(self._with_leg(order))

    async def order_by_client_order_id(self, request: Request) -> Response:
        """One order by the id its client gave it."""
        client_order_id = request.query_params.get("client_order_id", "")
        if not client_order_id:
            raise NotUnderstood("client_order_id is required")
        order = self._exchange.orders.by_client_order_id(client_order_id)
        if order is None:
            raise OrderNotFound(client_order_id)
        return _json(self._with_leg(order))

    async def account(self, _request: Request) -> Response:
        """The account."""
        return _json(dialect.account(self._exchange))

    async def activities(self, request: Request) -> Response:
        """Fills, newest first unless asked otherwise; a page ends where the id of its last entry says."""
        wish = parameters({**request.query_params, **request.path_params}, ActivitiesParameters)
        return _json([dialect.activity(update) for update in self._fills(wish)])

    async def positions(self, _request: Request) -> Response:
        """Every position the account holds."""
        return _json([dialect.position(self._exchange, symbol) for symbol in self._exchange.account.positions])

    async def position(self, request: Request) -> Response:
        """The position in one asset."""
        asset = wanted_asset(request.path_params["symbol"])
        if asset.symbol not in self._exchange.account.positions:
            raise PositionNotFound
        return _json(dialect.position(self._exchange, asset.symbol))

    async def assets(self, _request: Request) -> Response:
        """Every asset that trades here."""
        return _json([dialect.asset(market.asset) for market in self._exchange.markets.values()])

    async def asset(self, request: Request) -> Response:
        """One asset by its symbol or its id."""
        return _json(dialect.asset(wanted_asset(request.path_params["symbol"])))

    async def clock(self, _request: Request) -> Response:
        """The market clock."""
        return _json(dialect.clock(self._venue.now()))

    async def stock_trades(self, request: Request) -> Response:
        """The latest trades of the stocks asked for; those that do not trade here are left out."""
        return self._latest_trades(request, dialect.stock_trade)

    async def crypto_trades(self, request: Request) -> Response:
        """The latest trades of the coins asked for; those that do not trade here are left out."""
        return self._latest_trades(request, dialect.crypto_trade)

    async def move_price(self, request: Request) -> Response:
        """Move a reference price; for operators and tests, not a part of Alpaca's API."""
        wish = body(await read(request), PriceBody)
        command = wish.command(self._venue.now(), request.path_params["symbol"])
        self._venue.execute(command)
        return _json({"symbol": command.symbol, "price": plain(command.price)})

    async def bust(self, request: Request) -> Response:
        """Take an execution back; for operators and tests, not a part of Alpaca's API."""
        return self._revise(body(await read(request), BustBody).command(self._venue.now()))

    async def correct(self, request: Request) -> Response:
        """Correct the quantity or the price of an execution; for operators and tests, not a part of Alpaca's API."""
        return self._revise(body(await read(request), CorrectBody).command(self._venue.now()))

    async def health(self, _request: Request) -> Response:
        """The venue is up."""
        return _json({"status": "ok"})

    def _with_leg(self, order: Order) -> Json:
        return dialect.nested_order(order, self._exchange.orders.leg_of(order))

    def _revise(self, command: Bust | Correct) -> Response:
        revised, *_ = self._venue.execute(command)
        return _json(dialect.update_data(revised))

    def _latest_trades(self, request: Request, render: Callable[[LastTrade], Json]) -> Response:
        names = [name for name in request.query_params.get("symbols", "").split(",") if name]
        if not names:
            raise NotUnderstood("symbols is required")
        markets = self._exchange.markets
        return _json({"trades": {name: render(markets[name].last_trade) for name in names if name in markets}})

    def _fills(self, wish: ActivitiesParameters) -> list[Update]:
        exchange = self._exchange
        fills = exchange.fills if wish.order_id is None else exchange.fills_by_order.get(wish.order_id, [])
        if not wish.wants_fills:
            return []
        after, until = wish.times
        first = 0 if after is None else bisect_right(fills, after, key=lambda fill: fill.at)
        end = len(fills) if until is None else bisect_left(fills, until, key=lambda fill: fill.at)
        if wish.direction == "asc":
            if wish.page_token is not None:
                first = max(first, bisect_right(fills, wish.page_token, key=lambda fill: fill.activity_id))
            return fills[first : min(end, first + wish.page_size)]
        if wish.page_token is not None:
            end = min(end, bisect_left(fills, wish.page_token, key=lambda fill: fill.activity_id))
        return fills[max(first, end - wish.page_size) : end][::-1]


def _with_keys(endpoint: Endpoint) -> Endpoint:
    """An endpoint that wants keys. Any will do, as long as there are some."""

    async def checked(request: Request) -> Response:
        headers = request.headers
        has_key_pair = headers.get("apca-api-key-id") and headers.get("apca-api-secret-key")
        if not has_key_pair and not headers.get("authorization"):
            raise NotAuthorized
        return await endpoint(request)

    return checked


def _verdict(request: Request) -> Verdict | None:
    verdict: Verdict | None = request.scope.get(VERDICT)
    return verdict


def _json(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - whatever can be written as JSON
    return Response(encode(content), status, media_type="application/json")
