"""What a report of the venue says, as facts to record."""

from application.venue import VenueFill, VenueReport
from domain.commands import (
    OrderReport,
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
)
from domain.values import FillId


def facts(report: VenueReport, venue_name: str, busted_fill_id: FillId | None = None) -> list[OrderReport]:
    """The facts in a report; whatever the venue calls it, a report of an order also accepts it.

    ``busted_fill_id`` is the fill that a bust or correction refers to, under the name that it was booked with.
    """
    ended = report.venue_order_id or None
    if report.status == "rejected":
        return [RecordRejection("VENUE_REJECTED", report.reason, ended)]
    # A replacement accepts the order under its new id, and an execution is listed under whichever id it was made.
    accepts = report.venue_order_id and report.client_order_id and report.status not in {"replaced", "superseded"}
    said: list[OrderReport] = [RecordAcceptance(report.venue_order_id)] if accepts else []
    match report.status:
        case "filled" if report.fill is not None:
            said.append(_filled(report.fill, venue_name))
        case "busted" if busted_fill_id is not None:
            execution_id = execution_of(report) or busted_fill_id
            said.append(RecordBust(fill_id=busted_fill_id, execution_id=execution_id, reason=report.reason))
        case "corrected" if busted_fill_id is not None and report.fill is not None:
            said.append(_corrected(busted_fill_id, report.fill, venue_name))
        case "replaced" if report.terms is not None:
            said.append(
                RecordReplacement(
                    number=report.replacement,
                    venue_order_id=report.venue_order_id,
                    quantity=report.terms.quantity,
                    price=report.terms.price,
                    stop_price=report.terms.stop_price,
                )
            )
        case "replace_refused":
            said.append(RecordReplaceRefusal(report.replacement, report.reason or "the venue would not"))
        case "cancelled":
            said.append(RecordCancellation(report.reason or "cancelled by the venue", ended))
        case "expired":
            said.append(RecordExpiry(report.reason or "time in force ended", ended))
        case "cancel_refused":
            said.append(RecordCancelRefusal(report.reason or "the venue would not", ended))
        case _:
            pass
    return said


def execution_of(report: VenueReport) -> FillId | None:
    """The id under which the fill, bust or correction in a report is booked; None where there is none."""
    if report.status == "busted" and report.busted_fill_id is not None:
        return FillId(f"bust of {report.busted_fill_id}")
    return report.fill.fill_id if report.fill else None


def _filled(fill: VenueFill, venue_name: str) -> RecordFill:
    return RecordFill(
        fill_id=fill.fill_id,
        quantity=fill.quantity,
        price=fill.price,
        commission=fill.commission,
        venue=venue_name,
        executed_at=fill.executed_at,
    )


def _corrected(fill_id: FillId, now: VenueFill, venue_name: str) -> RecordCorrection:
    return RecordCorrection(
        fill_id=fill_id,
        execution_id=now.fill_id,
        quantity=now.quantity,
        price=now.price,
        commission=now.commission,
        venue=venue_name,
        executed_at=now.executed_at,
    )
