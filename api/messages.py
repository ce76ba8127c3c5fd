"""What streams send: the one definition that describes the status messages, in AsyncAPI.

They are written as plain dictionaries in ``application.status``, because they are on the path of every event; that both say
the same, field for field, is tested for every event and on real streams.
"""

from typing import Annotated, Literal

from pydantic import Field

from api.fields import POSITION_MAX, DecimalText, TimeText
from api.schemas import Told
from domain.lifecycle import Flag, Status
from domain.values import OrderType, Side, TimeInForce

_Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class StatusMessage(Told):
    """What every status message of an order says. `version` counts the order's events without a gap."""

    event: str
    order_id: _Uuid
    status: Status
    timestamp: TimeText
    position: Annotated[int, Field(ge=1, le=POSITION_MAX)]
    version: Annotated[int, Field(ge=1)]


class OrderSubmitted(StatusMessage):
    """The order is recorded, with these terms; nothing has been sent to the venue yet."""

    event: Literal["order.submitted"]
    trader_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: DecimalText
    order_type: OrderType
    price: DecimalText | None
    stop_price: DecimalText | None
    time_in_force: TimeInForce
    stop_loss: DecimalText | None
    take_profit: DecimalText | None
    parent_order_id: _Uuid | None
    oco_order_id: _Uuid | None


class OrderSent(StatusMessage):
    """An attempt to hand the order to the venue begins."""

    event: Literal["order.sent"]


class OrderRecovered(StatusMessage):
    """An attempt had no answer, and the venue does have the order."""

    event: Literal["order.recovered"]


class OrderUnresolved(StatusMessage):
    """The venue may or may not have the order; its funds stay held until that is known."""

    event: Literal["order.unresolved"]
    flags: list[Flag]
    reason: str


class OrderAccepted(StatusMessage):
    """The venue acknowledged the order."""

    event: Literal["order.accepted"]


class _Filled(StatusMessage):
    fill_id: str
    quantity_filled: DecimalText
    price_at_fill: DecimalText
    commission: DecimalText
    filled_quantity: Annotated[DecimalText, Field(description="of the order, in all")]
    leaves_quantity: Annotated[DecimalText, Field(description="what of the order still works")]
    average_fill_price: DecimalText
    venue: str
    executed_at: TimeText
    flags: list[Flag]


class OrderFilled(_Filled):
    """A fill, in part or in full."""

    event: Literal["order.filled"]


class OrderFillCorrected(_Filled):
    """The venue changed a fill, which is this from now on."""

    event: Literal["order.fill_corrected"]


class OrderFillBusted(StatusMessage):
    """The venue took a fill back: nothing of it is left, and `price_at_fill` is what it had been."""

    event: Literal["order.fill_busted"]
    fill_id: str
    quantity_filled: Literal["0"]
    price_at_fill: DecimalText
    commission: Literal["0"]
    filled_quantity: DecimalText
    leaves_quantity: DecimalText
    average_fill_price: DecimalText | None
    flags: list[Flag]
    reason: str


class OrderRejected(StatusMessage):
    """The venue refused the order."""

    event: Literal["order.rejected"]
    reason: str


class OrderError(StatusMessage):
    """The order provably never arrived at the venue, and is over; its status is `REJECTED`."""

    event: Literal["order.error"]
    reason: str


class OrderCancelRequested(StatusMessage):
    """The trader wants the rest of the order cancelled; the venue decides."""

    event: Literal["order.cancel_requested"]


class OrderCancelRefused(StatusMessage):
    """The venue would not cancel; the order works on, or was filled first."""

    event: Literal["order.cancel_refused"]
    reason: str


class OrderCancelled(StatusMessage):
    """The rest of the order is cancelled."""

    event: Literal["order.cancelled"]
    reason: str


class OrderExpired(StatusMessage):
    """The order's time in force ended."""

    event: Literal["order.expired"]
    reason: str


class OrderReplaceRequested(StatusMessage):
    """The trader wants these terms; the venue decides."""

    event: Literal["order.replace_requested"]
    quantity: DecimalText
    price: DecimalText | None
    stop_price: DecimalText | None


class OrderReplaced(StatusMessage):
    """The order works on these terms from now on."""

    event: Literal["order.replaced"]
    quantity: DecimalText
    price: DecimalText | None
    stop_price: DecimalText | None
    leaves_quantity: DecimalText
    flags: list[Flag]


class OrderReplaceRefused(StatusMessage):
    """The replacement will not happen; the order works on as it was."""

    event: Literal["order.replace_refused"]
    reason: str


class OrderReconciled(StatusMessage):
    """The venue's books and ours differed; what is done about it follows."""

    event: Literal["order.reconciled"]
    reason: str


class OrderCounterpartFilled(StatusMessage):
    """The other exit of the pair has filled `quantity` in all; this one works for what is left."""

    event: Literal["order.counterpart_filled"]
    quantity: DecimalText


class OrderUnprotected(StatusMessage):
    """What the order has filled is not protected as wished: an exit could not be placed, or is gone."""

    event: Literal["order.unprotected"]
    flags: list[Flag]
    reason: str


class Heartbeat(Told):
    """Nothing happened up to `position` that the client was not told."""

    event: Literal["heartbeat"]
    position: Annotated[int, Field(ge=0, le=POSITION_MAX)]


STATUS_MESSAGES: dict[str, type[Told]] = {
    str(model.model_fields["event"].annotation.__args__[0]): model  # type: ignore[union-attr] # it is a Literal
    for model in (
        OrderSubmitted,
        OrderSent,
        OrderRecovered,
        OrderUnresolved,
        OrderAccepted,
        OrderFilled,
        OrderFillCorrected,
        OrderFillBusted,
        OrderRejected,
        OrderError,
        OrderCancelRequested,
        OrderCancelRefused,
        OrderCancelled,
        OrderExpired,
        OrderReplaceRequested,
        OrderReplaced,
        OrderReplaceRefused,
        OrderReconciled,
        OrderCounterpartFilled,
        OrderUnprotected,
        Heartbeat,
    )
}
"""Every message of the streams of orders, by its ``event``."""
