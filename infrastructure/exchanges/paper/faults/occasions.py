"""What a request is about, as far as rules ask: which operation, which assets, which order."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Scope

from infrastructure.exchanges.paper.assets import Asset, find_asset
from infrastructure.exchanges.paper.faults.rules import Occasion, On
from infrastructure.exchanges.paper.orders import Order
from infrastructure.exchanges.paper.venue import Venue

_REQUESTS: Final = [
    (method, re.compile(path), on)
    for method, path, on in (
        ("POST", r"/v2/orders", On.SUBMIT),
        ("GET", r"/v2/orders(:by_client_order_id|/(?P<id>[^/]+))?", On.FIND),
        ("PATCH", r"/v2/orders/(?P<id>[^/]+)", On.REPLACE),
        ("DELETE", r"/v2/orders(/(?P<id>[^/]+))?", On.CANCEL),
        ("GET", r"/v2/account/activities(/.*)?", On.FILLS),
        ("GET", r"/v2/assets(/(?P<symbol>.+))?", On.ASSETS),
        ("GET", r"/v2/stocks/trades/latest|/v1beta3/crypto/us/latest/trades", On.PRICES),
    )
]


class _Wish(msgspec.Struct):
    symbol: str = ""
    client_order_id: str | None = None


def occasion_of(scope: Scope, body: bytes, venue: Venue) -> Occasion:
    """What a request is about; a request that makes no sense is about nothing in particular."""
    on, named = _recognized(scope["method"], scope["path"])
    if on is On.SUBMIT:
        wish = _wish(body)
        return Occasion(on, _assets([wish.symbol]), wish.client_order_id)
    query = QueryParams(scope["query_string"])
    if on in {On.ASSETS, On.PRICES}:
        return Occasion(on, _assets([named.get("symbol") or "", *query.get("symbols", "").split(",")]))
    client_order_id = query.get("client_order_id")
    order = _order(named.get("id") or query.get("order_id"), client_order_id, venue)
    if order is None:
        return Occasion(on, client_order_id=client_order_id)
    age = venue.now() - order.submitted_at
    return Occasion(on, frozenset({order.asset}), order.client_order_id, age.total_seconds())


def _recognized(method: str, path: str) -> tuple[On, dict[str, str | None]]:
    for known_method, pattern, on in _REQUESTS:
        if method == known_method and (match := pattern.fullmatch(path)):
            return on, match.groupdict()
    return On.ANY, {}


def _wish(body: bytes) -> _Wish:
    try:
        return msgspec.json.decode(body, type=_Wish)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Wish()


def _assets(names: Iterable[str]) -> frozenset[Asset]:
    return frozenset(asset for name in names if (asset := find_asset(name)) is not None)


def _order(order_id: str | None, client_order_id: str | None, venue: Venue) -> Order | None:
    orders = venue.exchange.orders
    if order_id is not None:
        return orders.get(order_id)
    return None if client_order_id is None else orders.by_client_order_id(client_order_id)
