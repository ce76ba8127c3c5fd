"""An order of the account, and the updates that tell its owner what became of it."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import sha1
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from infrastructure.exchanges.paper.amounts import ZERO, rounded
from infrastructure.exchanges.paper.assets import Asset
from infrastructure.exchanges.paper.book import Lifetime, Side, Ticket
from infrastructure.exchanges.paper.commands import OrderType


class Status(StrEnum):
    """Where an order is in its life, in Alpaca's words."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"


class OrderClass(StrEnum):
    """Whether an order stands alone or is one of a pair of which one cancels the other, in Alpaca's words."""

    SIMPLE = "simple"
    OCO = "oco"


class Event(StrEnum):
    """What an update reports, in Alpaca's words."""

    NEW = "new"
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"
    RESTATED = "restated"
    CANCEL_REJECTED = "order_cancel_rejected"
    REPLACE_REJECTED = "order_replace_rejected"
    TRADE_BUST = "trade_bust"
    TRADE_CORRECT = "trade_correct"


_OPEN: Final = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class Order(Struct, frozen=True):
    """One order of the account. Times are in UTC.

    Attributes:
        number: Its rank among all orders of the venue, by time of submission.
        quantity: The total, of which `filled_quantity` has traded.
        filled_value: The sum of price times quantity over its fills.
        triggered: Whether a trade has reached its stop price.
        replaces: The id of the order it took the place of.
        replaced_by: The id of the order that took its place.
        rejected_because: Why the venue rejected it after it had taken it in.
        sibling: The id of the other order of its pair. An order that was replaced has handed its place in the pair on.
        is_leg: Whether it is the stop order of a pair.
        is_covered: Whether what it needs is held back for its sibling already.
    """

    number: int
    id: str
    client_order_id: str
    asset: Asset
    side: Side
    type: OrderType
    quantity: Decimal
    time_in_force: Lifetime
    limit_price: Decimal | None
    stop_price: Decimal | None
    extended_hours: bool
    submitted_at: datetime
    updated_at: datetime
    status: Status = Status.NEW
    filled_quantity: Decimal = ZERO
    filled_value: Decimal = ZERO
    triggered: bool = False
    replaces: str | None = None
    replaced_by: str | None = None
    filled_at: datetime | None = None
    canceled_at: datetime | None = None
    expired_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    rejected_because: str = ""
    order_class: OrderClass = OrderClass.SIMPLE
    sibling: str | None = None
    is_leg: bool = False
    is_covered: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in _OPEN

    @property
    def leaves(self) -> Decimal:
        """What it still wants to trade."""
        return self.quantity - self.filled_quantity if self.is_open else ZERO

    @property
    def average_price(self) -> Decimal | None:
        """The average price of its fills to nine decimals, None before the first."""
        return rounded(self.filled_value / self.filled_quantity) if self.filled_quantity else None

    @property
    def expires_at(self) -> datetime | None:
        """When a DAY order runs out: at the end of the UTC day, which is this venue's trading day."""
        return end_of_day(self.submitted_at) if self.time_in_force is Lifetime.DAY else None

    @property
    def held_cash(self) -> Decimal:
        """The buying power an open buy order holds back."""
        price = self.limit_price or self.stop_price
        if price is None or self.side is not Side.BUY or self.is_covered:
            return ZERO
        return self.leaves * price

    @property
    def held_quantity(self) -> Decimal:
        """The part of a position an open sell order holds back."""
        return self.leaves if self.side is Side.SELL and not self.is_covered else ZERO

    def traded(self, quantity: Decimal, value: Decimal, at: datetime) -> "Order":
        """The order after it traded so much more for so much more, or less when it had not traded after all.

        What was filled and now lacks something works again; every other order that is over stays over.
        """
        filled_quantity = self.filled_quantity + quantity
        status = self.status
        if self.is_open or status is Status.FILLED:
            is_full = filled_quantity == self.quantity
            status = Status.FILLED if is_full else Status.PARTIALLY_FILLED if filled_quantity else Status.NEW
        return replace(
            self,
            status=status,
            filled_quantity=filled_quantity,
            filled_value=self.filled_value + value,
            # It stays when all was taken back, and tells that there is something to ask for.
            filled_at=at if quantity > ZERO else self.filled_at,
            updated_at=at,
            # The sibling of what was filled is over and holds nothing back.
            is_covered=self.is_covered and self.is_open,
        )

    def canceled(self, at: datetime) -> "Order":
        """The order after it was cancelled."""
        return replace(self, status=Status.CANCELED, canceled_at=at, updated_at=at)

    def expired(self, at: datetime) -> "Order":
        """The order after it expired."""
        return replace(self, status=Status.EXPIRED, expired_at=at, updated_at=at)

    def rejected(self, at: datetime, reason: str) -> "Order":
        """The order after the venue rejected it."""
        return replace(self, status=Status.REJECTED, failed_at=at, rejected_because=reason)

    def replaced(self, at: datetime, replacement_id: str) -> "Order":
        """The order after another took its place, also in its pair."""
        return replace(
            self,
            status=Status.REPLACED,
            replaced_by=replacement_id,
            replaced_at=at,
            updated_at=at,
            sibling=None,
        )

    def ticket(self) -> Ticket:
        """The order as the book takes it."""
        stop = None if self.triggered else self.stop_price
        return Ticket(self.id, self.side, self.leaves, self.time_in_force, self.limit_price, stop)


class Fill(Struct, frozen=True):
    """The part of an update that a trade adds.

    Attributes:
        price: What one share or coin cost.
        quantity: How much changed hands.
        commission: What the venue charged for it, in US dollars.
        position: The account's position in the asset afterwards, negative when short.
    """

    price: Decimal
    quantity: Decimal
    commission: Decimal
    position: Decimal


class Update(Struct, frozen=True):
    """One thing that happened to one order.

    Attributes:
        number: Its rank among all updates of the venue.
        event: What happened.
        at: When, in UTC.
        order: The order as it was right afterwards.
        leg: The other order of its pair, if that one is the leg, as it was right afterwards.
        fill: The trade, for `fill` and `partial_fill`; the one that was taken back or is right now, for `trade_bust` and
            `trade_correct`.
        previous_execution_id: The id that the trade had until now, for `trade_bust` and `trade_correct`.
        reason: Why the venue would not do what it had taken in.
    """

    number: int
    event: Event
    at: datetime
    order: Order
    leg: Order | None = None
    fill: Fill | None = None
    previous_execution_id: str | None = None
    reason: str = ""

    @property
    def execution_id(self) -> str:
        """A UUID that is the same after every replay and sorts like the updates themselves.

        The rank alone would repeat when a venue starts afresh, and a client would take the new fill for an old one:
        the tail comes from the id of the order, which does not repeat.
        """
        return _execution_id(self.number, self.order.id)

    @property
    def activity_id(self) -> str:
        """The id under which the account's activities list a fill; these ids sort by time."""
        return f"{self.at:%Y%m%d%H%M%S}{self.at.microsecond // 1000:03d}::{self.execution_id}"


# UUID version 8 (free form): the rank of the update, then 74 bits of hash around the version and variant bits.
_VERSION_8: Final = 8 << 76
_VARIANT: Final = 2 << 62
_TAIL: Final = ~((0xF << 76) | (0x3 << 62)) & ((1 << 80) - 1)


@lru_cache(maxsize=1_024)  # whoever tells of an execution names it anew
def _execution_id(number: int, order_id: str) -> str:
    # What ``uuid5`` hashes, without its version: the tail has none.
    digest = sha1(bytes.fromhex(order_id.replace("-", "")) + b"%d" % number, usedforsecurity=False).digest()
    tail = int.from_bytes(digest[:16], "big") & _TAIL
    text = f"{(number << 80) | _VERSION_8 | _VARIANT | tail:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def end_of_day(at: datetime) -> datetime:
    """The first midnight after `at`, in UTC."""
    return datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)
