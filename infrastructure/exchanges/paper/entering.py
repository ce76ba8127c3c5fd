"""Orders as they enter the exchange, made from the commands that wish them."""

from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from infrastructure.exchanges.paper.amounts import ZERO
from infrastructure.exchanges.paper.assets import Asset
from infrastructure.exchanges.paper.commands import OrderType, Place, Replace
from infrastructure.exchanges.paper.orders import Order, OrderClass

# A leg comes right behind its main order: no two orders share a submission time.
_TICK: Final = timedelta(microseconds=1)


def entering(command: Place, asset: Asset, number: int) -> list[Order]:
    """The order that a command places, and its leg where it has one; the first gets this number."""
    order = Order(
        number=number,
        id=command.id,
        client_order_id=command.client_order_id,
        asset=asset,
        side=command.side,
        type=command.type,
        quantity=command.quantity,
        time_in_force=command.time_in_force,
        limit_price=command.limit_price,
        stop_price=command.stop_price,
        extended_hours=command.extended_hours,
        submitted_at=command.at,
        updated_at=command.at,
    )
    if command.leg is None:
        return [order]
    main = replace(order, order_class=OrderClass.OCO, sibling=command.leg.id)
    leg = replace(
        main,
        number=number + 1,
        id=command.leg.id,
        client_order_id=command.leg.client_order_id,
        type=OrderType.STOP,
        limit_price=None,
        stop_price=command.leg.stop_price,
        submitted_at=command.at + _TICK,
        updated_at=command.at + _TICK,
        sibling=main.id,
        is_leg=True,
        is_covered=True,
    )
    return [main, leg]


def replacing(before: Order, command: Replace, number: int) -> Order:
    """The order that takes the place of another, also in its pair.

    It carries what its predecessor has filled, unless it is refused and never works.
    """
    works = command.refused_because == ""
    return replace(
        before,
        number=number,
        id=command.replacement_id,
        client_order_id=command.client_order_id,
        quantity=command.quantity or before.quantity,
        limit_price=command.limit_price or before.limit_price,
        stop_price=command.stop_price or before.stop_price,
        time_in_force=command.time_in_force or before.time_in_force,
        # A new stop price is a new condition, even for an order whose old one was met.
        triggered=before.triggered and command.stop_price is None,
        replaces=before.id,
        submitted_at=command.at,
        updated_at=command.at,
        filled_quantity=before.filled_quantity if works else ZERO,
        filled_value=before.filled_value if works else ZERO,
        filled_at=before.filled_at if works else None,
        sibling=before.sibling if works else None,
    )
