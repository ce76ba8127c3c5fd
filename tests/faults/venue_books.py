"""The venue's own books, read over its REST API by nobody's adapter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2

from tests.faults.ledger import Fill, Terms, terms
from tests.plain_http import PLAIN

_ORDERS_PER_PAGE = 500
_FILLS_PER_PAGE = 100
_KEYS = {"APCA-API-KEY-ID": "auditor", "APCA-API-SECRET-KEY": "auditor"}
_WORKING = frozenset({"new", "accepted", "pending_new", "partially_filled", "held"})


@dataclass
class VenueOrder:
    """An order as the venue shows it; what replaces another is an order of its own."""

    client_order_id: str
    status: str
    filled: Decimal
    terms: Terms
    replaces: str | None
    fills: list[Fill] = field(default_factory=list)

    @property
    def works(self) -> bool:
        return self.status in _WORKING


@dataclass
class VenueBooks:
    """Everything that the venue has.

    Attributes:
        orders: by the venue's own id.
        main_of: the order that each leg belongs to, both by the venue's own ids.
        held: the position in each symbol, without slashes.
        cash: of the one account that all traders share.
    """

    orders: dict[str, VenueOrder] = field(default_factory=dict)
    main_of: dict[str, str] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    cash: Decimal = Decimal(0)

    def lines(self, other_exit: Callable[[str], str | None]) -> dict[str, list[VenueOrder]]:
        """By our order id: each order and whatever replaced it.

        Args:
            other_exit: our other order of a pair; the venue gives legs names of its own.
        """
        found: dict[str, list[VenueOrder]] = {}
        for venue_id, order in self.orders.items():
            found.setdefault(self._name(venue_id, other_exit), []).append(order)
        return found

    def _name(self, venue_id: str, other_exit: Callable[[str], str | None]) -> str:
        order = self.orders[venue_id]
        if order.replaces is not None:
            return self._name(order.replaces, other_exit)
        main = self.main_of.get(venue_id)
        if main is None:
            return order.client_order_id
        return other_exit(self._name(main, other_exit)) or order.client_order_id


async def read_venue(url: str) -> VenueBooks:
    """Everything, page by page.

    Raises:
        httpx2.HTTPError: it does not answer.
    """
    books = VenueBooks()
    async with httpx2.AsyncClient(base_url=url, headers=_KEYS, **PLAIN, timeout=10) as client:
        # In this order every fill finds its order, also when somebody trades meanwhile.
        fills = await _read_fills(client)
        await _read_orders(client, books)
        for order_id, fill in fills:
            books.orders[order_id].fills.append(fill)
        for position in await _get(client, "/v2/positions"):
            books.held[position["symbol"]] = Decimal(position["qty"])
        books.cash = Decimal((await _get(client, "/v2/account"))["cash"])
    return books


async def _read_orders(client: httpx2.AsyncClient, books: VenueBooks) -> None:
    query = {"status": "all", "limit": str(_ORDERS_PER_PAGE), "direction": "asc", "nested": "true"}
    while True:
        page = await _get(client, "/v2/orders", query)
        for order in page:
            books.orders[order["id"]] = _order(order)
            for leg in order["legs"] or ():
                books.orders[leg["id"]] = _order(leg)
                if leg["replaces"] is None:
                    books.main_of[leg["id"]] = order["id"]
        if len(page) < _ORDERS_PER_PAGE:
            return
        # Orders of one moment may lie on both sides of the end of a page: overlap.
        last = datetime.fromisoformat(page[-1]["submitted_at"]) - timedelta(milliseconds=1)
        query["after"] = last.isoformat()


def _order(shown: dict[str, Any]) -> VenueOrder:
    return VenueOrder(
        shown["client_order_id"],
        shown["status"],
        Decimal(shown["filled_qty"]),
        terms(shown["qty"], shown["limit_price"], shown["stop_price"]),
        shown["replaces"],
    )


async def _read_fills(client: httpx2.AsyncClient) -> list[tuple[str, Fill]]:
    """Every fill with the id that the venue has given its order."""
    fills: list[tuple[str, Fill]] = []
    query = {"direction": "asc", "page_size": str(_FILLS_PER_PAGE)}
    while True:
        page = await _get(client, "/v2/account/activities/FILL", query)
        for fill in page:
            execution = fill["id"].rpartition("::")[2]
            fills.append((fill["order_id"], Fill(execution, Decimal(fill["qty"]), Decimal(fill["price"]))))
        if len(page) < _FILLS_PER_PAGE:
            return fills
        query["page_token"] = page[-1]["id"]


async def _get(client: httpx2.AsyncClient, path: str, query: dict[str, str] | None = None) -> Any:
    answer = await client.get(path, params=query)
    return answer.raise_for_status().json()
