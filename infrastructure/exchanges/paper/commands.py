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


class StopLeg(msgspec.Struct, frozen=True):
    """A stop order that forms a pair with the limit order it comes with: one cancels the other."""

    id: str
    client_order_id: str
    stop_price: Decimal


class Place(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="place"):
    """A new order. It has a limit price and a stop price exactly where its type has them.

    A limit order that stays in force until it is cancelled or its day ends may have a `leg`. Where `rejected_because` says something, the venue takes the order in and then rejects it.
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
    leg: StopLeg | None = None


class Cancel(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="cancel"):
    """The end of an order, wished by its owner.

    Where `refused_because` says something, the venue takes the wish in and then tells that it will not have it.
    """

    at: datetime
    id: str
    refused_because: str = ""


class Replace(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="replace"):
    """A new order, `replacement_id`, in the place of order `id`; what is None stays as it was.

    The quantity is the new total, of which the predecessor's fills are a part. Where `refused_because` says something,
    the venue takes the wish in and then tells that it will not have it. A replacement that `keeps_predecessor` works
    beside it: a mishap, after which there are two orders.
    """

    at: datetime
    id: str
    replacement_id: str
    client_order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: Lifetime | None = None
    refused_because: str = ""
    keeps_predecessor: bool = False


class Bust(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="bust"):
    """An execution is taken back, as if it had never been. It goes by the id it had last."""

    at: datetime
    execution_id: str


class Correct(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="correct"):
    """An execution had another quantity or price; what is None was right. It goes by the id it had last."""

    at: datetime
    execution_id: str
    quantity: Decimal | None = None
    price: Decimal | None = None


class MovePrice(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="move_price"):
    """A new reference price, which counts as a trade of the house with itself."""

    at: datetime
    symbol: str
    price: Decimal


class EndDay(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="end_day"):
    """A new trading day began: DAY orders of the days before it expire."""

    at: datetime


Command = Start | Place | Cancel | Replace | Bust | Correct | MovePrice | EndDay
