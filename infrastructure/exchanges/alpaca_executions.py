"""Executions: fills, and what the venue makes of them later, in Alpaca's words and ours.

One execution has one name. The stream calls it ``execution_id``; the account's activities call it
``20220202135509981::<execution_id>``, with New York's wall clock in front. A bust or a correction is an execution of its
own that names the one it changes in ``previous_execution_id``. The fill id is the execution id.

Alpaca charges no commission per execution, and books fees on crypto later, as activities of their own. A server that
does charge says so beside the fill, in ``commission``.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from re import compile as pattern
from typing import Final

import msgspec
import structlog

from application.venue import VenueFill, VenueReport, VenueTerms
from domain.frozen import dataclass
from domain.refusals import InvalidPrice, InvalidQuantity
from domain.values import (
    AMOUNT_LIMIT,
    DECIMALS_MAX,
    ZERO,
    FillId,
    Money,
    OrderId,
    exactly,
    parse_price,
    parse_quantity,
    tidy,
)
from infrastructure.exchanges.alpaca_reading import Moment, UnreadableError, decoded, raw_text, utc

STATUSES: Final = {
    "fill": "filled",
    "partial_fill": "filled",
    "trade_bust": "busted",
    "trade_correct": "corrected",
}
_EXECUTION_ID: Final = pattern(r"[\x21-\x7e]{1,128}")
_COMMISSION_DECIMALS_MAX: Final = 2 * DECIMALS_MAX

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A fill, a bust or a correction of the order that the venue knows as ``venue_order_id``.

    ``status``, ``fill`` and ``busted_fill_id`` are as in a report.
    """

    status: str
    venue_order_id: str
    at: datetime
    fill: VenueFill | None = None
    busted_fill_id: FillId | None = None
    reason: str = ""

    @property
    def key(self) -> tuple[str, FillId | None]:
        """The same for the same execution, however often it is told."""
        return self.status, self.busted_fill_id if self.fill is None else self.fill.fill_id

    def report(self, order_id: OrderId, terms: VenueTerms | None = None) -> VenueReport:
        """The execution as a report about this order, which works on these terms if that is told with it."""
        return VenueReport(
            client_order_id=order_id,
            venue_order_id=self.venue_order_id,
            status=self.status,
            reason=self.reason,
            fill=self.fill,
            busted_fill_id=self.busted_fill_id,
            terms=terms,
        )


class ExecutionWords(msgspec.Struct, kw_only=True):
    """What stream and activities say of an execution in the same words."""

    qty: Decimal | None = None
    price: Decimal | None = None
    commission: Decimal | None = None
    previous_execution_id: str | None = None
    reason: str | None = None


class _Activity(ExecutionWords, kw_only=True):
    id: str
    order_id: str
    transaction_time: Moment
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the account's executions: how many entries it had, and the last one's own name."""

    executions: list[Execution]
    entries: int
    last_id: str


def read_page(body: bytes) -> Page:
    """The executions on one page of activities. An entry that cannot be read is logged, since money moved.

    Raises:
        UnreadableError: it is no list of activities.
    """
    entries = decoded(body, list[msgspec.Raw])
    executions: list[Execution] = []
    last_id = ""
    for raw in entries:
        try:
            activity = decoded(raw, _Activity)
            last_id = activity.id
            # Servers that know nothing but fills do not say what it is.
            kind, execution_id = activity.type or "fill", activity.id.rpartition("::")[2]
            executions.append(execution(kind, execution_id, activity.order_id, activity, activity.transaction_time))
        except UnreadableError as error:
            log.error("venue_fill_unreadable", problem=str(error), raw=raw_text(raw))  # noqa: TRY400 - no traceback: the text is what helps
    return Page(executions, len(entries), last_id)


def execution(
    kind: str, execution_id: str | None, venue_order_id: str, words: ExecutionWords, at: datetime | None
) -> Execution:
    """The execution in these words; ``kind`` is the venue's.

    Raises:
        UnreadableError: something that it cannot be without is missing, or is nonsense.
    """
    status = STATUSES.get(kind)
    if status is None or at is None:
        raise UnreadableError(f"{kind!r} at {at} is no execution")
    fill = None if status == "busted" else _fill(execution_id, words, at)
    previous = words.previous_execution_id
    if status == "busted" and previous is None:
        previous = execution_id  # where a server leaves that out, the id is that of the execution it took back
    return Execution(
        status=status,
        venue_order_id=venue_order_id,
        at=utc(at),
        fill=fill,
        busted_fill_id=None if status == "filled" else _fill_id(previous),
        reason="" if status == "filled" else words.reason or "",
    )


def net_quantity(executions: Iterable[Execution]) -> Decimal:
    """What is left of these executions after those that were taken back or corrected."""
    quantities: dict[FillId, Decimal] = {}
    first_ids: dict[FillId, FillId] = {}
    for one in sorted(executions, key=lambda execution: execution.at):
        # What is changed may be a correction itself.
        changed = None if one.busted_fill_id is None else first_ids.get(one.busted_fill_id, one.busted_fill_id)
        if changed is not None:
            quantities[changed] = ZERO if one.fill is None else one.fill.quantity
        if one.fill is not None:
            first_ids[one.fill.fill_id] = changed or one.fill.fill_id
            # A fill that comes after its bust has been taken back all the same.
            quantities.setdefault(changed or one.fill.fill_id, one.fill.quantity)
    with exactly():
        return sum(quantities.values(), ZERO)


def _fill(execution_id: str | None, words: ExecutionWords, at: datetime) -> VenueFill:
    if words.qty is None or words.price is None:
        raise UnreadableError("an execution without its quantity or price")
    try:
        return VenueFill(
            fill_id=_fill_id(execution_id),
            quantity=parse_quantity(words.qty),
            price=parse_price(words.price),
            commission=_commission(words.commission),
            executed_at=utc(at),
        )
    except (InvalidQuantity, InvalidPrice) as error:
        raise UnreadableError(f"the venue executed {words.qty} at {words.price}") from error


def _fill_id(execution_id: str | None) -> FillId:
    if execution_id is None or not _EXECUTION_ID.fullmatch(execution_id):
        raise UnreadableError(f"{execution_id!r} names no execution")
    return FillId(execution_id)


def _commission(charged: Decimal | None) -> Money:
    """What the venue charged, or paid where it is negative: below 10^12 dollars, with at most 18 decimals.

    A rate may have 9 decimals and the quantity it is multiplied with as many.
    """
    if not charged:
        return Money(ZERO)
    exponent = charged.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_COMMISSION_DECIMALS_MAX or charged.copy_abs() >= AMOUNT_LIMIT:
        raise UnreadableError(f"the venue charged {charged}")
    return Money(tidy(charged))
