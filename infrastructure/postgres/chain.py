"""The hash chain that makes the log tamper-evident: pure, and simple enough to be recomputed by anybody.

For every event, in the order of positions:

    leaf = SHA-256( 0x00 || field(position) || field(stream_id) || field(version) || field(type)
                         || field(data) || field(metadata) || field(recorded_at) )
    hash = SHA-256( hash of the event before || leaf )

``field(x)`` is the length of x in bytes as 4 bytes, most significant first, and then x itself: numbers as ASCII
decimals, texts as UTF-8, ``data`` and ``metadata`` exactly as they are stored, ``recorded_at`` as RFC 3339 in UTC with
six decimals and ``Z``. The event at position 1 follows 32 zero bytes.
"""

from datetime import UTC, datetime
from hashlib import sha256
from struct import Struct

GENESIS = bytes(32)
"""The hash before the first event."""

_TIME = len("2026-11-22T09:30:00.000000")  # what follows in Python's text is the offset

_LEAF = b"\x00" + 7 * b"%b%b"  # each field as its length and itself
_length = Struct(">I").pack


def leaf(  # noqa: PLR0917 - the fields of the formula, in its order
    position: int, stream_id: str, version: int, type_: str, data: bytes, metadata: bytes, at: bytes
) -> bytes:
    """The SHA-256 of one event by itself; ``at`` is the ``timestamp`` of its recording."""
    number, name, nth, kind = b"%d" % position, stream_id.encode(), b"%d" % version, type_.encode()
    return sha256(_LEAF % (
        _length(len(number)), number, _length(len(name)), name, _length(len(nth)), nth, _length(len(kind)), kind,
        _length(len(data)), data, _length(len(metadata)), metadata, _length(len(at)), at,
    )).digest()  # fmt: skip


def link(previous: bytes, leaf: bytes) -> bytes:
    """The hash of an event: it covers the event and, through the one before, the whole log up to it."""
    return sha256(previous + leaf).digest()


def timestamp(recorded_at: datetime) -> bytes:
    """A time as the leaf has it: ``2026-11-22T09:30:00.000000Z``."""
    return recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
