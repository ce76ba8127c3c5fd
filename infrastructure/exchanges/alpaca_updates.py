"""The messages of the ``trade_updates`` stream as reports."""

from typing import Final

import msgspec

from application.venue import VenueReport
from domain.values import OrderId
from infrastructure.exchanges.alpaca_executions import STATUSES, ExecutionWords, execution
from infrastructure.exchanges.alpaca_history import ENDS, report
from infrastructure.exchanges.alpaca_orders import WireOrder, named, terms_of
from infrastructure.exchanges.alpaca_reading import Moment, decoded

_OVER: Final = frozenset({*ENDS, "replaced"})


class _TradeUpdate(ExecutionWords, kw_only=True):
    event: str
    order: WireOrder
    execution_id: str | None = None
    timestamp: Moment | None = None


class TradeUpdates:
    """Reads the messages of one connection, one after the other."""

    def __init__(self) -> None:
        # Whose place an order took, by the venue's ids: who replaces an order by hand gives it a name of his own.
        self._heirs: dict[str, OrderId] = {}

    def read(self, data: bytes | msgspec.Raw) -> VenueReport:
        """The report in one message.

        Raises:
            UnreadableError: it is no trade update, or an execution of which something is missing.
        """
        update = decoded(data, _TradeUpdate)
        order = update.order
        own_name, number = named(order.client_order_id)
        order_id = self._heirs.get(order.id, own_name)
        if update.event in STATUSES:
            done = execution(update.event, update.execution_id, order.id, update, update.timestamp)
            return done.report(order_id, terms_of(order))
        took_over = order.id in self._heirs
        if update.event in _OVER:
            self._heirs.pop(order.id, None)
        if update.event == "replaced" and order.replaced_by is not None:
            self._heirs[order.replaced_by] = order_id
        match update.event:
            case "new" if number or took_over:
                status = "replaced"
            case "new" | "accepted" if not number:
                status, number = "accepted", 0
            case "restated":
                status, number = "replaced", 0
            case "rejected" if number and not took_over:
                status = "replace_refused"
            case "order_replace_rejected":
                # It is about the order that stays, whatever that is the replacement of.
                status, number = "replace_refused", 0
            case "order_cancel_rejected":
                status, number = "cancel_refused", 0
            case event:
                status, number = ENDS.get(event, "other"), 0
        return report(order, order_id, status, reason=update.reason, replacement=number)
