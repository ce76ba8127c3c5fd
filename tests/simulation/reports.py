"""What the exchange says, as reports: the words of the adapter, without the bytes in between."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct, json

from application.venue import Sought, VenueFill, VenueReport, VenueTerms, WorkingOrder
from domain.values import FillId, Money, OrderId, Price, Quantity, Side, tidy
from infrastructure.exchanges.alpaca_executions import Execution
from infrastructure.exchanges.alpaca_history import NOT_OPENED, report, tell
from infrastructure.exchanges.alpaca_orders import WireOrder, named, replacement_name
from infrastructure.exchanges.paper import book
from infrastructure.exchanges.paper.orders import Event, Order, Update

_EXECUTIONS = {
    Event.FILL: "filled",
    Event.PARTIAL_FILL: "filled",
    Event.TRADE_BUST: "busted",
    Event.TRADE_CORRECT: "corrected",
}
_ENDS = {Event.CANCELED: "cancelled", Event.EXPIRED: "expired"}


class StatusMessage(Struct):
    """What a subscriber looks at in a message, or in a heartbeat."""

    event: str
    position: int


read_message = json.Decoder(StatusMessage).decode


class Records(Protocol):
    """What can be looked up at the exchange, as it is or as it was at a moment."""

    def order(self, venue_order_id: str, until: datetime | None = None) -> Order | None:
        """By the exchange's id."""
        ...

    def order_named(self, client_order_id: str, until: datetime | None = None) -> Order | None:
        """By the name that its owner gave it."""
        ...

    def leg_of(self, order: Order) -> Order | None:
        """The leg of a main order."""
        ...

    def executions_of(self, venue_order_id: str, until: datetime | None = None) -> list[Execution]:
        """What was executed of it."""
        ...


def execution_in(update: Update) -> Execution | None:
    """The fill, bust or correction in an update."""
    status, fill = _EXECUTIONS.get(update.event), update.fill
    if status is None or fill is None:
        return None
    previous = update.previous_execution_id
    return Execution(
        status=status,
        venue_order_id=update.order.id,
        at=update.at,
        fill=None
        if status == "busted"
        else VenueFill(
            fill_id=FillId(update.execution_id),
            quantity=Quantity(tidy(fill.quantity)),
            price=Price(tidy(fill.price)),
            commission=Money(tidy(fill.commission)),
            executed_at=update.at,
        ),
        busted_fill_id=None if previous is None else FillId(previous),
    )


def told_by_stream(update: Update, execution: Execution | None) -> VenueReport:
    """An update, and the execution in it, as the stream reports them."""
    order = update.order
    order_id, number = named(order.client_order_id)
    if execution is not None:
        return execution.report(order_id)
    match update.event:
        case Event.NEW if number:
            status = "replaced"
        case Event.NEW:
            status = "accepted"
        case Event.RESTATED:
            status, number = "replaced", 0
        case Event.REJECTED if number:
            status = "replace_refused"
        case Event.REJECTED:
            status = "rejected"
        case Event.REPLACE_REJECTED:
            status, number = "replace_refused", 0
        case Event.CANCEL_REJECTED:
            status, number = "cancel_refused", 0
        case event:
            status, number = _ENDS.get(event, "other"), 0
    return report(_wire(order), order_id, status, reason=update.reason, replacement=number)


def told_by_query(records: Records, sought: Sought, until: datetime | None = None) -> list[VenueReport]:
    """Everything that is said of an order and its leg to whoever asks, as it is or as it was. Empty: it is not known.

    Raises:
        VenueOutcomeUnknownError: it is not decided what becomes of the replacement that is sought.
    """
    line = _line(records, sought, until)
    if not line:
        return []
    reports = _tell(records, sought.client_order_id, line, until, sought.replacement)
    if sought.leg is None:
        return reports
    leg = next((leg for order in line if (leg := records.leg_of(order)) is not None), None)
    if leg is None:
        return [*reports, _not_opened(sought.leg)]
    legs = _line(records, Sought(client_order_id=sought.leg, venue_order_id=leg.id), until)
    return [*reports, *_tell(records, sought.leg, legs, until)] if legs else reports


def has_replacement(records: Records, order_id: OrderId, number: int) -> bool:
    """Whether the exchange has this replacement."""
    return records.order_named(replacement_name(order_id, number)) is not None


def working(order: Order) -> WorkingOrder:
    """An order in the list of those that work."""
    return WorkingOrder(
        client_order_id=named(order.client_order_id)[0],
        venue_order_id=order.id,
        symbol=order.asset.symbol,
        side=Side.BUY if order.side is book.Side.BUY else Side.SELL,
        status=order.status.value,
        terms=VenueTerms(
            Quantity(tidy(order.quantity)),
            None if order.limit_price is None else Price(tidy(order.limit_price)),
            None if order.stop_price is None else Price(tidy(order.stop_price)),
        ),
        filled_quantity=tidy(order.filled_quantity),
        submitted_at=order.submitted_at,
    )


def _tell(
    records: Records, order_id: OrderId, line: list[Order], until: datetime | None, replacement: int = 0
) -> list[VenueReport]:
    executions = [execution for order in line for execution in records.executions_of(order.id, until)]
    return tell(order_id, [_wire(order) for order in line], executions, replacement=replacement)


def _line(records: Records, sought: Sought, until: datetime | None) -> list[Order]:
    """What the exchange made of an order, each after the one that it replaces."""
    found: dict[str, Order] = {}
    names = [records.order_named(sought.client_order_id, until)]
    if sought.venue_order_id is not None:
        names.append(records.order(sought.venue_order_id, until))
    if sought.replacement:
        names.append(records.order_named(replacement_name(sought.client_order_id, sought.replacement), until))
    for order in names:
        if order is None or order.id in found:
            continue
        line = [order]
        while line[0].replaces is not None and (before := records.order(line[0].replaces, until)) is not None:
            line.insert(0, before)
        while line[-1].replaced_by is not None and (after := records.order(line[-1].replaced_by, until)) is not None:
            line.append(after)
        found |= {each.id: each for each in line if each.id not in found}
    return list(found.values())


def _wire(order: Order) -> WireOrder:
    return WireOrder(
        id=order.id,
        client_order_id=order.client_order_id,
        status=order.status.value,
        symbol=order.asset.symbol,
        side=order.side.value,
        qty=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        filled_qty=order.filled_quantity,
        replaces=order.replaces,
        replaced_by=order.replaced_by,
        reject_reason=order.rejected_because or None,
    )


def _not_opened(leg: OrderId) -> VenueReport:
    return VenueReport(client_order_id=leg, venue_order_id="", status="rejected", reason=NOT_OPENED)
