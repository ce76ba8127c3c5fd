"""What can happen to the exchange from outside, with the time and the ids that were given to it.

These are the lines of the journal: the same commands in the same order always lead to the same state, so their names
and fields are on disk for good.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from infrastructure.exchanges.paper.book import Lifetime, Side


class OrderType(StrEnum):
    """What kind of order it is."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"

    @property
    def has_limit(self) -> bool:
        """Whether orders of this type carry a limit price."""
        return self in {OrderType.LIMIT, OrderType.STOP_LIMIT}

    @property
    def has_stop(self) -> bool:
        """Whether orders of this type carry a stop price."""
        return self in {OrderType.STOP, OrderType.STOP_LIMIT}


class Start(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="start"):
    """The venue went up; from here on it charges this commission for every share or coin."""

    at: datetime
    commission_per_share: Decimal = Decimal(0)


class Place(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="place"):
    """A new order. It has a limit price and a stop price exactly where its type has them.

    Where `rejected_because` says something, the venue takes the order in and then rejects it.
    """

    at: datetime
    id: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    time_in_force: Lifetime
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    rejected_because: str = ""


class Cancel(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="cancel"):
    """The end of an order, wished by its owner."""

    at: datetime
    id: str


class Replace(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="replace"):
    """A new order, `replacement_id`, in the place of order `id`; what is None stays as it was.

    The quantity is the new total, of which the predecessor's fills are a part.
    """

    at: datetime
    id: str
    replacement_id: str
    client_order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: Lifetime | None = None


class MovePrice(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="move_price"):
    """A new reference price, which counts as a trade of the house with itself."""

    at: datetime
    symbol: str
    price: Decimal


class EndDay(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="end_day"):
    """A new trading day began: DAY orders of the days before it expire."""

    at: datetime


Command = Start | Place | Cancel | Replace | MovePrice | EndDay
