"""The log as an auditor reads it: every event as it is stored, folded with nothing but what the events say."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import AsyncConnection

from application.status import MESSAGE_NAMES
from domain.events import TOPICS
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp

_READ = """
SELECT position, stream_id, version, type, data, metadata, recorded_at, hash FROM events
WHERE position > %s ORDER BY position
"""
_TOLD = frozenset(topic for topic, event in TOPICS.items() if event in MESSAGE_NAMES)
_OVER = frozenset({"FILLED", "CANCELLED", "REJECTED", "EXPIRED"})

Json = dict[str, Any]


@dataclass(frozen=True)
class Fill:
    """An execution, by the venue's id, as our log or as the venue has it."""

    id: str
    quantity: Decimal
    price: Decimal


Terms = tuple[Decimal, Decimal | None, Decimal | None]
"""The whole quantity, the limit price and the stop price."""


def terms(quantity: str, price: str | None, stop_price: str | None) -> Terms:
    """Terms from their texts."""
    return Decimal(quantity), Decimal(price) if price else None, Decimal(stop_price) if stop_price else None


@dataclass
class LoggedOrder:
    """An order as its events leave it."""

    placed: Json
    terms: Terms
    reserve_price: Decimal
    status: str = "PENDING"
    cumulative: Decimal = Decimal(0)
    attempts: int = 0
    is_unprotected: bool = False
    fills: list[Fill] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.status in _OVER

    @property
    def is_exit(self) -> bool:
        """The engine placed it, for a fill of another order."""
        return self.placed["parent_order_id"] is not None

    @property
    def reserved(self) -> Decimal:
        """The cash that has to be held for what is left of it."""
        return Decimal(0) if self.is_over else self.reserve_price * (self.terms[0] - self.cumulative)


@dataclass
class TraderBooks:
    """What a trader should have, and the positions of everything that should have been told."""

    deposited: Decimal = Decimal(0)
    cash: Decimal = Decimal(0)
    held: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    told: list[tuple[int, str]] = field(default_factory=list)


class Ledger:
    """Everything that was recorded, read on from where the last look ended.

    Attributes:
        position: the end of the log at the last look.
        orders: by order id.
        traders: by trader id.
        booked: how often each (order id, fill id) changed an account.
        effects: when the worker recorded something, in the order of the log.
        problems: what can never be right again: a broken chain, a gap.
    """

    def __init__(self) -> None:
        self.position = 0
        self.orders: dict[str, LoggedOrder] = {}
        self.traders: dict[str, TraderBooks] = {}
        self.booked: Counter[tuple[str, str]] = Counter()
        self.effects: list[datetime] = []
        self.problems: list[str] = []
        self._hash = GENESIS
        self._versions: Counter[str] = Counter()

    async def read_on(self, connection: AsyncConnection[Any]) -> None:
        """Take in what was recorded since."""
        cursor = await connection.execute(_READ, (self.position,))
        async for position, stream, version, kind, data, metadata, at, recorded_hash in cursor:
            self._check(position, stream, version)
            leaf_hash = leaf(position, stream, version, kind, data.encode(), metadata.encode(), timestamp(at))
            self._hash = link(self._hash, leaf_hash)
            if self._hash != recorded_hash:
                self.problems.append(f"the hash chain is broken at position {position}")
                self._hash = recorded_hash
            self.position = position
            about = json.loads(metadata)
            if not about["actor"].startswith(("trader:", "ops:")):
                self.effects.append(at)
            self._fold(position, stream, kind, json.loads(data), about["trader_id"])

    def _check(self, position: int, stream: str, version: int) -> None:
        self._versions[stream] += 1
        if position != self.position + 1:
            self.problems.append(f"position {position} follows position {self.position}")
        if version != self._versions[stream]:
            self.problems.append(f"version {version} of {stream} is its event number {self._versions[stream]}")

    def _fold(self, position: int, stream: str, kind: str, data: Json, trader: str) -> None:
        books = self.traders.setdefault(trader, TraderBooks())
        if kind in _TOLD:
            books.told.append((position, stream.removeprefix("order-")))
        match kind:
            case "OrderPlaced":
                asked = terms(data["quantity"], data["price"], data["stop_price"])
                self.orders[data["order_id"]] = LoggedOrder(data, asked, Decimal(data["reserve_price"] or 0))
            case "OrderReplaced":
                order = self.orders[stream.removeprefix("order-")]
                order.terms = terms(data["quantity"], data["price"], data["stop_price"])
                order.reserve_price = Decimal(data["reserve_price"] or 0)
            case "FundsDeposited":
                books.deposited += Decimal(data["amount"])
                books.cash += Decimal(data["amount"])
            case "TradeBooked":
                self.booked[data["order_id"], data["fill_id"]] += 1
                sign = 1 if data["side"] == "BUY" else -1
                books.cash -= sign * Decimal(data["quantity"]) * Decimal(data["price"]) + Decimal(data["commission"])
                books.held[data["symbol"]] += sign * Decimal(data["quantity"])
            case "OrderUnprotected":
                self.orders[stream.removeprefix("order-")].is_unprotected = True
            case "OrderSent":
                self.orders[stream.removeprefix("order-")].attempts = data["attempt"]
            case "OrderFilled":
                order = self.orders[stream.removeprefix("order-")]
                order.fills.append(Fill(data["fill_id"], Decimal(data["quantity"]), Decimal(data["price"])))
                order.cumulative = Decimal(data["filled_quantity"])
            case _:
                pass
        if stream.startswith("order-") and "status" in data:
            self.orders[stream.removeprefix("order-")].status = data["status"]
