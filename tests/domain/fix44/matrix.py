"""Tables of what is asked and reported of an order, and of what the order then is.

The cases are those of FIX 4.4, volume 4, appendix D (order state change matrices): who says what when, and the OrdStatus
(tag 39), OrderQty (38), CumQty (14), LeavesQty (151) and AvgPx (6) that follow. The matrices tell it from the venue's side;
``DIFFERENCES`` says where our side sees it otherwise, and nowhere else may a row differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.commands import (
    CancelOrder,
    OrderCommand,
    PlaceOrder,
    RecordAcceptance,
    RecordBust,
    RecordCancellation,
    RecordCancelRefusal,
    RecordCorrection,
    RecordExpiry,
    RecordFill,
    RecordRejection,
    RecordReplacement,
    RecordReplaceRefusal,
    RecordSent,
    ReplaceOrder,
)
from domain.lifecycle import Status
from domain.refusals import Refusal
from domain.values import FillId, OrderId
from tests.domain.orders import NOON, dollars, place, price_of, units

PRICE = 50
X, Y = OrderId("X"), OrderId("Y")


class Fix(StrEnum):
    """OrdStatus, tag 39."""

    PENDING_NEW = "Pending New"
    NEW = "New"
    PARTIALLY_FILLED = "Partially filled"
    FILLED = "Filled"
    DONE_FOR_DAY = "Done for day"
    CANCELED = "Canceled"
    PENDING_CANCEL = "Pending Cancel"
    PENDING_REPLACE = "Pending Replace"
    REJECTED = "Rejected"
    STOPPED = "Stopped"
    SUSPENDED = "Suspended"


OURS = {
    Fix.PENDING_NEW: Status.PENDING,
    Fix.NEW: Status.ACCEPTED,
    Fix.PARTIALLY_FILLED: Status.PARTIALLY_FILLED,
    Fix.FILLED: Status.FILLED,
    Fix.CANCELED: Status.CANCELLED,
    Fix.PENDING_CANCEL: Status.PENDING_CANCEL,
    Fix.PENDING_REPLACE: Status.PENDING_REPLACE,
    Fix.REJECTED: Status.REJECTED,
}
"""Done for day, Stopped and Suspended have no status of their own here."""


class Because(StrEnum):
    """Why a row differs from its matrix."""

    ASKED = "asked"
    ANSWERED_AT_ONCE = "answered at once"
    FILLED_IS_OVER = "filled is over"
    NOT_CONFIRMED = "not confirmed"
    DAY_IS_OVER = "the day is over"
    WORKS_ON_TOMORROW = "works on tomorrow"
    NOT_A_TRADE = "not a trade"
    HALTED = "halted"
    SPLIT = "split"


DIFFERENCES = {
    Because.ASKED: "A request is pending here from the moment its trader asks, not from the moment the venue has read it: "
    "what passes it on the wire meets a pending order already.",
    Because.ANSWERED_AT_ONCE: "When a fill completes an order, nothing that is pending can happen any more. The answer 'too "
    "late' is recorded with the fill, and the venue's own, when it comes, is nothing new.",
    Because.FILLED_IS_OVER: "A FILLED order is over, and a request to make it larger is refused with ORDER_NOT_REPLACEABLE: "
    "send another order. A replacement that the venue reports all the same reopens it.",
    Because.NOT_CONFIRMED: "An order works on its terms until the venue has confirmed others, as the appendix itself "
    "demands; one matrix shows those of the first of two requests before they are confirmed.",
    Because.DAY_IS_OVER: "The day of a DAY order ends with it: EXPIRED.",
    Because.WORKS_ON_TOMORROW: "A GTC order sleeps over night without a status of its own: its status stays.",
    Because.NOT_A_TRADE: "A guarantee is not a trade, and no status: what it promises is booked when it is traded.",
    Because.HALTED: "A halt of the market is no status of an order: the order stays as it is until the venue ends it.",
    Because.SPLIT: "What was filled follows from fills alone, and a split is none: the venue's numbers are recorded as a "
    "difference for somebody to look at.",
}


@dataclass(frozen=True)
class Row:
    """One line: what is said (None: something that is no event here), and what the order is afterwards.

    ``status`` and ``quantities`` (of the order, cumulative, leaves) are those of the matrix, ``here`` and ``ours`` what
    they are on our side where that differs. A row that is ``instead`` is another way on from the row before the next: the
    story ends with it.
    """

    time: str
    command: OrderCommand | None
    status: Fix | None
    quantities: tuple[int, int, int]
    average: Decimal | None = None
    here: Status | None = None
    ours: tuple[int, int, int] | None = None
    because: Because | None = None
    refused: type[Refusal] | None = None
    instead: bool = False
    order_id: OrderId = X

    @property
    def expected(self) -> tuple[Status, tuple[int, int, int]]:
        status = self.here or (OURS[self.status] if self.status else None)
        assert status is not None, f"row {self.time} has no status"
        return status, self.ours or self.quantities

    @property
    def differs(self) -> bool:
        by_status = self.status is not None and self.here not in {None, OURS.get(self.status)}
        return by_status or self.ours not in {None, self.quantities}


@dataclass(frozen=True)
class Matrix:
    """One matrix: its reference in appendix D, what it is about in our words, its rows."""

    reference: str
    title: str
    rows: tuple[Row, ...]

    def paths(self) -> Iterator[tuple[str, list[Row]]]:
        """Each way through the table, with a name: the one to its end, and one to each alternative."""
        straight: list[Row] = []
        for row in self.rows:
            if row.instead:
                yield f"{self.reference} {self.title} [instead, at {row.time}]", [*straight, row]
            else:
                straight.append(row)
        yield f"{self.reference} {self.title}", straight


# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def asks(
    time: int | str, command: OrderCommand, here: Status, quantity: int, *filled_and_left: int, **more: Any
) -> Row:
    """A request of the trader's. The matrices give no status to it; ours is ``here``."""
    cumulative, leaves = filled_and_left
    return Row(str(time), command, None, (quantity, cumulative, leaves), here=here, **more)


def says(time: int | str, command: OrderCommand, status: Fix, quantity: int, *filled_and_left: int, **more: Any) -> Row:
    """A report of the venue's."""
    cumulative, leaves = filled_and_left
    return Row(str(time), command, status, (quantity, cumulative, leaves), **more)


def instead(
    time: int | str, command: OrderCommand, status: Fix, quantity: int, *filled_and_left: int, **more: Any
) -> Row:
    """What the venue may say instead of the next row."""
    return says(time, command, status, quantity, *filled_and_left, instead=True, **more)


def hears(time: int | str, status: Fix, quantity: int, *filled_and_left: int, **more: Any) -> Row:
    """A report that is no event here, or the answer to a question: nothing changes."""
    cumulative, leaves = filled_and_left
    return Row(str(time), None, status, (quantity, cumulative, leaves), **more)


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


def new(quantity: int = 10_000, order_id: OrderId = X, **changes: Any) -> PlaceOrder:
    terms = {"order_id": order_id, "client_order_id": order_id, "quantity": units(quantity), "price": price_of(PRICE)}
    return place(**terms | changes)


def sent() -> RecordSent:
    """The engine's own step, of which the matrices know nothing: the order leaves for the venue."""
    return RecordSent(1)


def cancel() -> CancelOrder:
    return CancelOrder()


def replace(quantity: int | None = None, price: int | None = None) -> ReplaceOrder:
    return ReplaceOrder(
        quantity=None if quantity is None else units(quantity), price=None if price is None else price_of(price)
    )


# ── What the venue says ──────────────────────────────────────────────────────────────────────────────────────────────


def accepted(venue_order_id: str = "X") -> RecordAcceptance:
    return RecordAcceptance(venue_order_id)


def rejected() -> RecordRejection:
    return RecordRejection("0", "broker option")


def trade(quantity: int, price: int = PRICE, execution_id: str | None = None) -> RecordFill:
    """A fill; without an id of its own it is named after its quantity, of which each is traded once a matrix."""
    return RecordFill(
        fill_id=FillId(execution_id or f"trade of {quantity}"),
        quantity=units(quantity),
        price=price_of(price),
        commission=dollars(0),
        venue="FIX",
        executed_at=NOON,
    )


def trade_cancel(execution_id: str, refers_to: str) -> RecordBust:
    return RecordBust(fill_id=FillId(refers_to), execution_id=FillId(execution_id), reason="trade cancel")


def trade_correct(execution_id: str, refers_to: str, quantity: int, price: int = PRICE) -> RecordCorrection:
    return RecordCorrection(
        fill_id=FillId(refers_to),
        execution_id=FillId(execution_id),
        quantity=units(quantity),
        price=price_of(price),
        commission=dollars(0),
        venue="FIX",
        executed_at=NOON,
    )


def canceled(reason: str = "as asked") -> RecordCancellation:
    return RecordCancellation(reason)


def cancel_refused() -> RecordCancelRefusal:
    return RecordCancelRefusal("too late to cancel")


def done_for_day() -> RecordExpiry:
    return RecordExpiry("done for day")


def replaced(number: int, venue_order_id: str, quantity: int) -> RecordReplacement:
    """The venue works as ``venue_order_id`` from now on; number 0 where nobody asked for it."""
    return RecordReplacement(
        number=number,
        venue_order_id=venue_order_id,
        quantity=units(quantity),
        price=price_of(PRICE),
        stop_price=None,
    )


def replace_refused(number: int) -> RecordReplaceRefusal:
    return RecordReplaceRefusal(number, "broker option")
