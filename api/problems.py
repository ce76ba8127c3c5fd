"""Every error as ``application/problem+json`` (RFC 9457), and the one table from codes to HTTP statuses."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from application.ports import EventsArchivedError, OutcomeUnknownError, StoreUnavailableError, UnreadableEventError
from application.sequencer import SequencerBusyError
from domain.refusals import Refusal
from infrastructure.postgres.log_state import TamperedLogError

log = logging.getLogger(__name__)

STATUS_OF: Mapping[str, HTTPStatus] = {
    # A bad or refused request.
    "INVALID_REQUEST": HTTPStatus.BAD_REQUEST,
    "INVALID_QUANTITY": HTTPStatus.BAD_REQUEST,
    "INVALID_PRICE": HTTPStatus.BAD_REQUEST,
    "INVALID_SYMBOL": HTTPStatus.BAD_REQUEST,
    "INSUFFICIENT_FUNDS": HTTPStatus.BAD_REQUEST,
    "INSUFFICIENT_POSITION": HTTPStatus.BAD_REQUEST,
    "MAX_POSITION_EXCEEDED": HTTPStatus.BAD_REQUEST,
    "MAX_ORDER_QUANTITY_EXCEEDED": HTTPStatus.BAD_REQUEST,
    "MAX_NOTIONAL_EXCEEDED": HTTPStatus.BAD_REQUEST,
    "MAX_OPEN_ORDERS_EXCEEDED": HTTPStatus.BAD_REQUEST,
    "MAX_DAILY_NOTIONAL_EXCEEDED": HTTPStatus.BAD_REQUEST,
    "PRICE_OUT_OF_COLLAR": HTTPStatus.BAD_REQUEST,
    "NO_REFERENCE_PRICE": HTTPStatus.BAD_REQUEST,
    "STALE_PRICE": HTTPStatus.BAD_REQUEST,
    "DUPLICATE_ORDER": HTTPStatus.BAD_REQUEST,
    "RESTRICTED_SYMBOL": HTTPStatus.BAD_REQUEST,
    "TRADING_HALTED": HTTPStatus.BAD_REQUEST,
    "ORDER_NOT_CANCELLABLE": HTTPStatus.BAD_REQUEST,
    "ORDER_NOT_REPLACEABLE": HTTPStatus.BAD_REQUEST,
    "PRECONDITION_FAILED": HTTPStatus.PRECONDITION_FAILED,
    "IDEMPOTENCY_KEY_REUSED": HTTPStatus.UNPROCESSABLE_ENTITY,
    "RATE_LIMITED": HTTPStatus.TOO_MANY_REQUESTS,
    "TOO_MANY_STREAMS": HTTPStatus.TOO_MANY_REQUESTS,
    # Who asks, and for what.
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "FORBIDDEN": HTTPStatus.FORBIDDEN,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "EVENTS_ARCHIVED": HTTPStatus.GONE,
    "METHOD_NOT_ALLOWED": HTTPStatus.METHOD_NOT_ALLOWED,
    "PAYLOAD_TOO_LARGE": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "HEADERS_TOO_LARGE": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "REQUEST_TIMEOUT": HTTPStatus.REQUEST_TIMEOUT,
    "UNSUPPORTED_MEDIA_TYPE": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    # It is on us.
    "INTERNAL_ERROR": HTTPStatus.INTERNAL_SERVER_ERROR,
    "LOG_TAMPERED": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ORDER_EXECUTION_DISABLED": HTTPStatus.SERVICE_UNAVAILABLE,
    "VENUE_QUEUE_FULL": HTTPStatus.SERVICE_UNAVAILABLE,
    "STORE_UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "OUTCOME_UNKNOWN": HTTPStatus.SERVICE_UNAVAILABLE,
    "EVENT_UNREADABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "BUSY": HTTPStatus.SERVICE_UNAVAILABLE,
    "KEYS_UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "TOO_MANY_CONNECTIONS": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of every code that an answer can have."""

_RETRY_AFTER_SECONDS = "1"


class FieldError(NamedTuple):
    """One thing that is wrong with a request: where, as a JSON pointer or ``/name`` of a parameter, and what."""

    pointer: str
    code: str
    message: str


class Problem(Exception):  # noqa: N818 - a problem is an answer, which may be nobody's error
    """An answer that is not what was asked for; ``detail`` is a sentence for whoever asked."""

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        error_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.error_id = error_id

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status of the answer."""
        return STATUS_OF[self.code]

    def document(self) -> dict[str, object]:
        """The body of the answer."""
        document: dict[str, object] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            document["errors"] = [error._asdict() for error in self.errors]
        if self.error_id is not None:
            document["error_id"] = self.error_id
        return document


def pointer(*names: str | int) -> str:
    """A JSON pointer (RFC 6901) to a field."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


def problem_of(error: Exception, new_id: Callable[[], str]) -> Problem:
    """The problem that an exception is to whoever asked.

    One that nobody expected is logged as an error under a fresh id, which is all that the answer says of it; whatever is
    logged as an error is reported.
    """
    match error:
        case Problem():
            return error
        case Refusal():
            errors = [FieldError(pointer(error.field), error.code, error.message)] if error.field else []
            again = error.retry_after_seconds
            headers = None if again is None else {"retry-after": str(again)}
            return Problem(error.code, error.message, errors, headers)
        case OutcomeUnknownError():
            detail = (
                "The order log fell silent before it said whether this was recorded: repeat it with the same "
                "Idempotency-Key, and it happens once; without a key, look before you repeat it"
            )
            return Problem("OUTCOME_UNKNOWN", detail, headers={"retry-after": _RETRY_AFTER_SECONDS})
        case StoreUnavailableError():
            detail = "The order log cannot be reached, and nothing was recorded; try again"
            return Problem("STORE_UNAVAILABLE", detail, headers={"retry-after": _RETRY_AFTER_SECONDS})
        case EventsArchivedError():
            return Problem("EVENTS_ARCHIVED", str(error))
        case UnreadableEventError():
            log.error("an answer needs an event that this program cannot read: %s", error)
            detail = "This process cannot read what was recorded about this, a newer one can: try again"
            return Problem("EVENT_UNREADABLE", detail, headers={"retry-after": _RETRY_AFTER_SECONDS})
        case TamperedLogError():
            log.critical("%s", error)
            return Problem("LOG_TAMPERED", str(error))
        case SequencerBusyError():
            detail = "Too many commands are waiting; nothing was recorded, try again"
            return Problem("BUSY", detail, headers={"retry-after": _RETRY_AFTER_SECONDS})
        case _:
            error_id = new_id()
            log.error("internal error", exc_info=error, extra={"error_id": error_id})
            detail = "Something went wrong on our side; quote the error_id when you report it"
            return Problem("INTERNAL_ERROR", detail, error_id=error_id)
