"""Events as they were once stored, made into what they are today.

An event is stored in the shape of its day and never changed. Each upcaster leads from one version of a type to the next,
and a stored event goes through all that come after its own version. How to change an event, step by step:
docs/how-to/change-an-event.md.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Upcaster = Callable[[dict[str, Any]], None]
"""Changes the fields of a stored event, in place, from one version to the next."""


def _without_exits(placed: dict[str, Any]) -> None:
    """Version 2 of OrderPlaced says which order it protects, and which exit cancels it: before, there were no exits."""
    placed |= {"parent_order_id": None, "oco_order_id": None}


def _in_dollars(moved: dict[str, Any]) -> None:
    """Version 2 of what moves cash says the currency: before, every amount was in dollars, and nothing said so."""
    moved["currency"] = "USD"


def _not_counted(reserved: dict[str, Any]) -> None:
    """Version 2 of what holds something for an order says what limits over time count: before, there were none."""
    reserved |= {"asked_at": None, "notional": None, "terms": None}


def _change_not_counted(changed: dict[str, Any]) -> None:
    """Version 2 of a changed hold says it too; only an order that is new has its terms beside it."""
    changed |= {"asked_at": None, "notional": None}


UPCASTERS: Mapping[str, Sequence[Upcaster]] = {
    "OrderPlaced": (_without_exits,),
    "FundsDeposited": (_in_dollars,),
    "FundsWithdrawn": (_in_dollars,),
    "FundsReserved": (_not_counted,),
    "SharesReserved": (_not_counted,),
    "ReservationChanged": (_change_not_counted,),
}
"""Topic to its upcasters: the first leads from version 1 to 2, the next from 2 to 3. The last leads to today's shape."""
