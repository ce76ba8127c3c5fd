"""Alpaca's own Python client, as it is published, trades here."""

import queue
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

with warnings.catch_warnings():
    # alpaca-py still imports the old client of websockets, which says at import that it is old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.requests import CryptoLatestTradeRequest, StockLatestTradeRequest
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
    from alpaca.trading.models import Order, TradeUpdate
    from alpaca.trading.requests import (
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopLimitOrderRequest,
        StopLossRequest,
        StopOrderRequest,
        TakeProfitRequest,
    )
    from alpaca.trading.stream import TradingStream

from infrastructure.exchanges.paper.server import random_id
from tests.infrastructure.exchanges.paper.conftest import client_of
from tests.venue_server import VenueAddress

# The client's types leave open whether it answers with models or with raw JSON; here it answers with models.
Client = Any


@pytest.fixture
def client(paper_venue: VenueAddress) -> Client:
    return TradingClient("any", "thing", url_override=paper_venue.url)


def market(qty: float = 10, side: OrderSide = OrderSide.BUY, symbol: str = "AAPL") -> MarketOrderRequest:
    return MarketOrderRequest(symbol=symbol, qty=qty, side=side, time_in_force=TimeInForce.DAY)


def limit(price: float, qty: float = 10) -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol="AAPL",
        qty=qty,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        limit_price=price,
        client_order_id=random_id(),
    )


def exits() -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol="AAPL",
        qty=10,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OCO,
        take_profit=TakeProfitRequest(limit_price=190),
        stop_loss=StopLossRequest(stop_price=185),
    )


def refreshed(client: Client, order: Order) -> Order:
    found: Order = client.get_order_by_id(order.id)
    return found


def test_it_logs_in_and_reads_the_account(client: Client) -> None:
    account = client.get_account()
    assert account.status == "ACTIVE"
    assert account.trading_blocked is False
    assert float(account.buying_power) >= 1e12


def test_it_reads_the_clock_and_the_assets(client: Client) -> None:
    assert client.get_clock().is_open
    assert "AAPL" in {asset.symbol for asset in client.get_all_assets()}
    assert client.get_asset("BTC/USD").symbol == "BTC/USD"


def test_a_market_order_fills(client: Client) -> None:
    order = client.submit_order(market())
    assert order.status is OrderStatus.PENDING_NEW
    order = refreshed(client, order)
    assert (order.status, order.filled_qty, order.filled_avg_price) == (OrderStatus.FILLED, "10", "190.01")


def test_a_limit_order_is_found_by_both_ids_replaced_and_cancelled(client: Client) -> None:
    order = client.submit_order(limit(185.5))
    assert client.get_order_by_client_id(order.client_order_id).id == order.id
    replacement = client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=20, limit_price=186.25))
    assert refreshed(client, order).status is OrderStatus.REPLACED
    assert refreshed(client, order).replaced_by == replacement.id
    assert (replacement.qty, replacement.limit_price, replacement.replaces) == ("20", "186.25", order.id)
    client.cancel_order_by_id(replacement.id)
    assert refreshed(client, replacement).status is OrderStatus.CANCELED
    assert client.get_orders() == []
    closed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, symbols=["AAPL"], limit=10))
    assert [found.id for found in closed] == [replacement.id, order.id]


def test_stop_and_stop_limit_orders_rest(client: Client) -> None:
    sell: dict[str, Any] = {"symbol": "AAPL", "qty": 5, "side": OrderSide.SELL, "time_in_force": TimeInForce.GTC}
    stop = client.submit_order(StopOrderRequest(**sell, stop_price=180))
    stop_limit = client.submit_order(StopLimitOrderRequest(**sell, stop_price=180, limit_price=179.5))
    assert [refreshed(client, order).status for order in (stop, stop_limit)] == [OrderStatus.NEW, OrderStatus.NEW]
    assert [(answer.id, answer.status) for answer in client.cancel_orders()] == [(stop.id, 200), (stop_limit.id, 200)]


def test_a_pair_of_exits_is_placed_listed_and_cancelled(client: Client) -> None:
    main = client.submit_order(exits())
    assert main.order_class is OrderClass.OCO
    (leg,) = main.legs
    (nested,) = client.get_orders(GetOrdersRequest(nested=True))
    assert (nested.id, [one.id for one in nested.legs]) == (main.id, [leg.id])
    assert {order.id for order in client.get_orders()} == {main.id, leg.id}
    moved = client.replace_order_by_id(leg.id, ReplaceOrderRequest(stop_price=186))
    assert [one.id for one in refreshed(client, main).legs or []] == [moved.id]
    client.cancel_order_by_id(main.id)
    assert refreshed(client, moved).status is OrderStatus.CANCELED


def test_positions_follow_the_fills(client: Client) -> None:
    client.submit_order(market(qty=10))
    client.submit_order(market(qty=4, side=OrderSide.SELL))
    client.submit_order(market(qty=0.25, symbol="BTC/USD"))
    assert client.get_open_position("AAPL").qty == "6"
    assert {position.symbol: position.qty for position in client.get_all_positions()} == {"AAPL": "6", "BTCUSD": "0.25"}


def test_fills_are_read_as_activities(client: Client) -> None:
    order = client.submit_order(market(qty=1500))
    activities = client.get("/account/activities/FILL", {"page_size": 1})
    assert activities[0]["order_id"] == str(order.id)
    older = client.get("/account/activities/FILL", {"page_token": activities[0]["id"]})
    assert [activity["qty"] for activity in older] == ["1000"]


def test_errors_arrive_with_their_code(client: Client) -> None:
    order = client.submit_order(market())
    with pytest.raises(APIError) as refused:
        client.cancel_order_by_id(order.id)
    assert (refused.value.status_code, refused.value.code) == (422, 42210000)
    with pytest.raises(APIError) as unknown:
        client.get_order_by_id(UUID(int=1))
    assert (unknown.value.status_code, unknown.value.code) == (404, 40410000)


def test_the_latest_trades_are_read(paper_venue: VenueAddress) -> None:
    stocks: Any = StockHistoricalDataClient("any", "thing", url_override=paper_venue.url)
    latest = stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=["AAPL", "MSFT"]))
    assert {symbol: trade.price for symbol, trade in latest.items()} == {"AAPL": 190.0, "MSFT": 420.0}
    coins: Any = CryptoHistoricalDataClient("any", "thing", url_override=paper_venue.url)
    latest = coins.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols="BTC/USD"))
    assert latest["BTC/USD"].price == 65_000.0


class Listener:
    """A running `TradingStream`."""

    def __init__(self, address: VenueAddress) -> None:
        self.updates: queue.Queue[TradeUpdate] = queue.Queue()
        self.stream = TradingStream("any", "thing", url_override=address.stream_url)
        self.stream.subscribe_trade_updates(self.hear)
        self.thread = threading.Thread(target=self.stream.run)

    async def hear(self, update: TradeUpdate) -> None:
        self.updates.put(update)

    def next(self) -> TradeUpdate:
        return self.updates.get(timeout=10)


@pytest.fixture
def listener(paper_venue: VenueAddress, client: Client) -> Iterator[Listener]:
    listener = Listener(paper_venue)
    listener.thread.start()
    # The client does not say when it listens, so orders are sent until one is heard.
    while listener.updates.empty():
        mark = client.submit_order(limit(1.0))
        time.sleep(0.05)
    mark = client.submit_order(limit(1.0))
    while listener.next().order.id != mark.id:
        """An update of an earlier one."""
    yield listener
    listener.stream.stop()
    # It looks up from the socket only when something arrives.
    client.submit_order(limit(1.0))
    listener.thread.join(20)
    assert not listener.thread.is_alive()


def test_the_stream_brings_every_update(client: Client, listener: Listener) -> None:
    bought = client.submit_order(market(qty=1500))
    rested = client.submit_order(limit(185.0))
    replacement = client.replace_order_by_id(rested.id, ReplaceOrderRequest(limit_price=186.0))
    client.cancel_order_by_id(replacement.id)
    updates = [listener.next() for _ in range(7)]
    assert [(update.event, update.order.id) for update in updates] == [
        ("new", bought.id),
        ("partial_fill", bought.id),
        ("fill", bought.id),
        ("new", rested.id),
        ("replaced", rested.id),
        ("new", replacement.id),
        ("canceled", replacement.id),
    ]
    partial, full = updates[1:3]
    assert (partial.qty, partial.price, partial.position_qty) == (1000, 190.01, 1000)
    assert (full.qty, full.price, full.position_qty) == (500, 190.02, 1500)
    assert full.order.status is OrderStatus.FILLED
    assert len({update.execution_id for update in updates}) == 7


def test_the_stream_brings_what_happens_to_pairs_and_executions(
    paper_venue: VenueAddress, client: Client, listener: Listener
) -> None:
    main = client.submit_order(exits())
    client.submit_order(
        LimitOrderRequest(symbol="AAPL", qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=190)
    )
    updates = [listener.next() for _ in range(6)]
    assert [update.event for update in updates] == ["new", "new", "new", "partial_fill", "restated", "fill"]
    opened, partial, restated = updates[0], updates[3], updates[4]
    assert [leg.id for leg in opened.order.legs or []] == [main.legs[0].id] == [restated.order.id]
    assert (partial.order.qty, restated.order.qty, restated.order.filled_qty) == ("10", "7", "0")
    with client_of(paper_venue) as http:
        assert http.post("/control/busts", json={"execution_id": str(partial.execution_id)}).status_code == 200
    bust, again = listener.next(), listener.next()
    assert (bust.event, bust.order.id, bust.order.filled_qty, bust.qty) == ("trade_bust", main.id, "0", 3)
    assert (again.event, again.order.qty) == ("restated", "10")
