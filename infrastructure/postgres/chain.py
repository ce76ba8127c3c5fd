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

from msgspec import json

GENESIS = bytes(32)
"""The hash before the first event."""

_length = Struct(">I").pack
_to_json = json.Encoder().encode


class _Lengths(dict[int, bytes]):
    """Lengths as fields begin with them; those that most have are made once."""

    def __missing__(self, length: int) -> bytes:
        return _length(length)


_LENGTHS = _Lengths((length, _length(length)) for length in range(1000))


def leaf(  # noqa: PLR0917 - the fields of the formula, in its order
    position: int, stream_id: str, version: int, type_: str, data: bytes, metadata: bytes, at: bytes
) -> bytes:
    """The SHA-256 of one event by itself; ``at`` is the ``timestamp`` of its recording."""
    number, name, nth, kind = b"%d" % position, stream_id.encode(), b"%d" % version, type_.encode()
    lengths = _LENGTHS
    parts = (
        b"\x00", lengths[len(number)], number, lengths[len(name)], name, lengths[len(nth)], nth, lengths[len(kind)], kind,
        lengths[len(data)], data, lengths[len(metadata)], metadata, lengths[len(at)], at,
    )  # fmt: skip
    return sha256(b"".join(parts)).digest()


def link(previous: bytes, leaf: bytes) -> bytes:
    """The hash of an event: it covers the event and, through the one before, the whole log up to it."""
    return sha256(previous + leaf).digest()


def timestamp(recorded_at: datetime) -> bytes:
    """A time as the leaf has it: ``2026-11-22T09:30:00.000000Z``."""
    text = _to_json(recorded_at.astimezone(UTC))  # in quotes, and without decimals where there are none
    return text[1:-1] if recorded_at.microsecond else text[1:-2] + b".000000Z"
