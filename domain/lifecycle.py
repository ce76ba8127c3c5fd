"""The life of an order on one screen. Nothing else decides a status."""

from domain.values import Word


class Status(Word):
    """Where an order stands (FIX OrdStatus, tag 39)."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELLED = "CANCELLED"
    PENDING_REPLACE = "PENDING_REPLACE"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class Flag(Word):
    """What is odd about an order."""

    UNRESOLVED = "UNRESOLVED"
    """The venue may or may not have it."""
    OVERFILLED = "OVERFILLED"
    """More was filled than ordered."""
    LATE_FILL = "LATE_FILL"
    """A fill came after the order was over."""
    UNPROTECTED = "UNPROTECTED"
    """An exit order could not be placed."""


class Kind(Word):
    """What can happen to a status."""

    ACCEPTED = "accepted"
    PART_FILL = "part fill"
    FULL_FILL = "full fill"
    CANCEL_ASKED = "cancel asked"
    REPLACE_ASKED = "replace asked"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


FINAL = frozenset({Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED})

_NEW, _ACC, _PART, _FULL = Status.PENDING, Status.ACCEPTED, Status.PARTIALLY_FILLED, Status.FILLED
_PCXL, _PRPL, _CXL, _REJ, _EXP = (
    Status.PENDING_CANCEL,
    Status.PENDING_REPLACE,
    Status.CANCELLED,
    Status.REJECTED,
    Status.EXPIRED,
)

# fmt: off
_COLUMNS = (  Kind.ACCEPTED, Kind.PART_FILL, Kind.FULL_FILL, Kind.CANCEL_ASKED, Kind.REPLACE_ASKED, Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED)
_ROWS = {
    _NEW:    (_ACC,          _PART,          _FULL,          _PCXL,             _PRPL,              _CXL,           _REJ,          _EXP),
    _ACC:    (_ACC,          _PART,          _FULL,          _PCXL,             _PRPL,              _CXL,           _REJ,          _EXP),
    _PART:   (_PART,         _PART,          _FULL,          _PCXL,             _PRPL,              _CXL,           _REJ,          _EXP),
    # A fill that crosses a request on the wire does not take it back: the request is answered first (FIX precedence).
    _PRPL:   (_PRPL,         _PRPL,          _PRPL,          _PCXL,             _PRPL,              _CXL,           _REJ,          _EXP),
    _PCXL:   (_PCXL,         _PCXL,          _PCXL,          _PCXL,             _PCXL,              _CXL,           _REJ,          _EXP),
    # Final is final: what the venue says afterwards is booked and flagged, the status stays.
    _FULL:   (_FULL,         _FULL,          _FULL,          _FULL,             _FULL,              _FULL,          _FULL,         _FULL),
    _CXL:    (_CXL,          _CXL,           _CXL,           _CXL,              _CXL,               _CXL,           _CXL,          _CXL),
    _REJ:    (_REJ,          _REJ,           _REJ,           _REJ,              _REJ,               _REJ,           _REJ,          _REJ),
    _EXP:    (_EXP,          _EXP,           _EXP,           _EXP,              _EXP,               _EXP,           _EXP,          _EXP),
}
# fmt: on

TRANSITIONS = {
    (status, kind): after for status, row in _ROWS.items() for kind, after in zip(_COLUMNS, row, strict=True)
}


def after(status: Status, kind: Kind) -> Status:
    """The status an order has after something of this kind happened to it."""
    return TRANSITIONS[status, kind]


def works_on(*, acknowledged: bool, replacing: bool, filled: bool, full: bool) -> Status:
    """The status of an order with no cancel pending: where it returns to when a request of its trader was answered.

    Also where a FILLED order goes when the venue takes a trade back, or has replaced it by a larger one after all: the one
    way out of a final status, because what is filled no longer is all of it.
    """
    if replacing:
        return Status.PENDING_REPLACE
    if full:
        return Status.FILLED
    if filled:
        return Status.PARTIALLY_FILLED
    return Status.ACCEPTED if acknowledged else Status.PENDING
