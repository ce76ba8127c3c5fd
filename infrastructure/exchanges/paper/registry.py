"""Every order the account ever placed, and the ways to find them without reading them all."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Literal

from infrastructure.exchanges.paper.book import Side
from infrastructure.exchanges.paper.orders import Order


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders to list.

    Attributes:
        status: `open`, `closed` or `all`.
        symbols: Only orders in these assets; all of them when empty.
        side: Only orders of this side, None for both.
        after: Only orders submitted after this time.
        until: Only orders submitted before this time.
        newest_first: Whether the latest submission comes first.
        nested: Whether a leg is left out where its main order is listed, which shows it.
        limit: How many at most.
    """

    status: Literal["open", "closed", "all"] = "open"
    symbols: frozenset[str] = frozenset()
    side: Side | None = None
    after: datetime | None = None
    until: datetime | None = None
    newest_first: bool = True
    nested: bool = False
    limit: int = 50

    def matches(self, order: Order) -> bool:
        """Whether the order is one of those asked for."""
        return (
            self.matches_status(order)
            and (not self.symbols or order.asset.symbol in self.symbols)
            and (self.side is None or order.side is self.side)
            and (self.after is None or order.submitted_at > self.after)
            and (self.until is None or order.submitted_at < self.until)
        )

    def matches_status(self, order: Order) -> bool:
        """Whether the order is open or closed as was asked for."""
        return self.status == "all" or order.is_open == (self.status == "open")


class Registry:
    """The orders by id, by client_order_id, and in the order of their submission."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        self._ids: list[str] = []
        self._ids_by_symbol: dict[str, list[str]] = {}
        self._ids_by_client_order_id: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, order_id: str) -> Order:
        return self._orders[order_id]

    def put(self, order: Order) -> Order | None:
        """Remember the order as it is now.

        Returns:
            The order as it was before, None for a new one.
        """
        before = self._orders.get(order.id)
        if before is None:
            self._ids.append(order.id)
            self._ids_by_symbol.setdefault(order.asset.symbol, []).append(order.id)
            self._ids_by_client_order_id[order.client_order_id] = order.id
        self._orders[order.id] = order
        if order.is_open:
            self._open[order.id] = order
        else:
            self._open.pop(order.id, None)
        return before

    def get(self, order_id: str) -> Order | None:
        """The order with this id, as it is now."""
        return self._orders.get(order_id)

    def by_client_order_id(self, client_order_id: str) -> Order | None:
        """The order with this client_order_id, as it is now."""
        order_id = self._ids_by_client_order_id.get(client_order_id)
        return None if order_id is None else self._orders[order_id]

    def leg_of(self, order: Order) -> Order | None:
        """The leg of a main order as it is now; None for every other order."""
        return None if order.sibling is None or order.is_leg else self._orders[order.sibling]

    def open(self) -> list[Order]:
        """The orders that can still trade, in the order of their submission."""
        return list(self._open.values())

    def listed(self, query: OrderQuery) -> list[Order]:
        """The orders asked for."""
        wanted = filter(query.matches, self._candidates(query))
        return list(islice((order for order in wanted if not self._is_rolled_up(order, query)), query.limit))

    def _is_rolled_up(self, order: Order, query: OrderQuery) -> bool:
        if not query.nested or order.sibling is None or not order.is_leg:
            return False
        return query.matches_status(self._orders[order.sibling])

    def _candidates(self, query: OrderQuery) -> Iterator[Order]:
        if query.status == "open":
            return reversed(self._open.values()) if query.newest_first else iter(self._open.values())
        runs = [self._ids_by_symbol.get(symbol, []) for symbol in query.symbols] if query.symbols else [self._ids]
        spans = [self._span(run, query) for run in runs]
        return merge(*spans, key=lambda order: order.number, reverse=query.newest_first)

    def _span(self, ids: list[str], query: OrderQuery) -> Iterator[Order]:
        """The part of a run of orders that was submitted in the time asked for, read only as far as it is used."""
        first = 0 if query.after is None else bisect_right(ids, query.after, key=self._submitted_at)
        end = len(ids) if query.until is None else bisect_left(ids, query.until, key=self._submitted_at)
        places = range(first, end)
        return (self._orders[ids[place]] for place in (reversed(places) if query.newest_first else places))

    def _submitted_at(self, order_id: str) -> datetime:
        return self._orders[order_id].submitted_at
