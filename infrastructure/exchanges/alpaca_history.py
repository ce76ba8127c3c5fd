"""What became of one of our orders, told from the orders that the venue made of it.

A replacement at the venue is an order of its own, which carries its predecessor's fills in its filled quantity. So an
order of ours is a line of orders there, of which the last one works, and its executions are those of all of them.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from application.venue import VenueOutcomeUnknownError, VenueReport
from domain.values import OrderId
from infrastructure.exchanges.alpaca_executions import Execution, net_quantity
from infrastructure.exchanges.alpaca_orders import WireOrder, named, terms_of

NOT_OPENED: Final = "the venue has not opened the stop order that belongs to this order"
NOT_REOPENED: Final = "the venue took fills back and does not work on the rest any more"
NO_REASON: Final = "the venue gave no reason"
ENDS: Final = {"canceled": "cancelled", "expired": "expired", "rejected": "rejected"}

# A replacement in one of these states has not taken over yet, nor has one whose predecessor waits for it.
_NOT_YET: Final = frozenset({"pending_new", "pending_replace"})
# Orders in these states do not work any more, or are about to stop.
_LEAVING: Final = frozenset({*ENDS, "filled", "replaced", "pending_cancel", "pending_replace"})

log = structlog.get_logger(__name__)


def report(
    order: WireOrder, order_id: OrderId, status: str, *, reason: str | None = None, replacement: int = 0
) -> VenueReport:
    """A report about our order, from the venue's order that it is about."""
    said = reason or order.reject_reason or ""
    if status in {"accepted", "replaced", "superseded"}:
        said = ""
    return VenueReport(
        client_order_id=order_id,
        venue_order_id=order.id,
        status=status,
        reason=said or (NO_REASON if status in {"rejected", "replace_refused"} else ""),
        replacement=replacement,
        terms=terms_of(order),
    )


def tell(
    order_id: OrderId, orders: Sequence[WireOrder], executions: Iterable[Execution], *, replacement: int = 0
) -> list[VenueReport]:
    """Everything the venue says of our order: acceptance, replacements, executions, end.

    The end is left out while fills are missing that the venue says there are, and while another order of the line still
    works: an order must not be over in our books before what it filled is in them. Whoever asks again gets it.

    Args:
        order_id: Our order.
        orders: What the venue made of it, at least one, each after the one that it replaces.
        executions: Those of all of these orders, in any order.
        replacement: The number of a replacement whose fate is asked for.

    Raises:
        VenueOutcomeUnknownError: the venue has not decided on that replacement yet, or does not show what replaced the
            order.
    """
    line, refused, undecided = _succession(orders)
    if any(replacement and named(each.client_order_id)[1] == replacement for each in undecided):
        raise VenueOutcomeUnknownError(f"the venue has not decided on replacement {replacement} of {order_id} yet")
    first, last = line[0], line[-1]
    if replacement and last.status == "replaced":
        raise VenueOutcomeUnknownError(f"the venue has replaced {order_id}, and does not show by what")
    booked = sorted(executions, key=lambda one: one.at)
    superseded = [order for order in line[:-1] if order.status not in _LEAVING]
    reports = [] if first.status == "rejected" else [report(first, order_id, "accepted")]
    reports += [report(each, order_id, "replaced", replacement=named(each.client_order_id)[1]) for each in line[1:]]
    reports += [report(each, order_id, "superseded") for each in superseded]
    reports += [
        report(each, order_id, "replace_refused", replacement=number)
        for each in refused
        if (number := named(each.client_order_id)[1])
    ]
    reports += [one.report(order_id) for one in booked]
    known = net_quantity(booked)
    if known < last.filled:
        log.warning("venue_fills_missing", order_id=order_id, filled=str(last.filled), known=str(known))
    elif last.status in ENDS and not superseded:
        reports.append(report(last, order_id, ENDS[last.status]))
    elif last.status == "filled" and last.qty is not None and known < last.qty:
        reports.append(report(last, order_id, "cancelled", reason=NOT_REOPENED))
    return reports


def _succession(orders: Sequence[WireOrder]) -> tuple[list[WireOrder], list[WireOrder], list[WireOrder]]:
    """The orders that work or worked, one after the other; replacements that were refused; those still undecided."""
    line: list[WireOrder] = [orders[0]]
    refused: list[WireOrder] = []
    undecided: list[WireOrder] = []
    by_id = {order.id: order for order in orders}
    for order in orders[1:]:
        before = by_id.get(order.replaces or "", line[-1])
        if before.status == "replaced":
            line.append(order)
        elif order.status == "rejected":
            refused.append(order)
        elif before.status == "pending_replace" or order.status in _NOT_YET:
            undecided.append(order)
        else:
            line.append(order)
    return line, refused, undecided
