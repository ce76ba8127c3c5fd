"""Arrays in PostgreSQL's binary form, joined by hand.

For 1,000 events psycopg's own list parameters take 50 ms as text (``%s``) and 4.6 ms as binary (``%b``); these take
3.2 ms, and their types never depend on the values, so that a statement is prepared once.
"""

from collections.abc import Iterable, Sequence
from struct import Struct, pack

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_header = Struct("!iiIii").pack  # dimensions, whether there are nulls, the items' type, their number, the first index
_length = Struct("!i").pack

_INT8, _TEXT, _BYTEA = 20, 25, 17


class TextArray(bytes):
    """A ``text[]`` parameter."""

    __slots__ = ()


class IntArray(bytes):
    """An ``int8[]`` parameter."""

    __slots__ = ()


class BytesArray(bytes):
    """A ``bytea[]`` parameter."""

    __slots__ = ()


def texts(items: Iterable[str]) -> TextArray:
    """A ``text[]`` of these texts."""
    return encoded_texts([item.encode() for item in items])


def encoded_texts(items: Sequence[bytes]) -> TextArray:
    """A ``text[]`` of these texts, which are in UTF-8 already."""
    return TextArray(_header(1, 0, _TEXT, len(items), 1) + _joined(items))


def integers(items: Sequence[int]) -> IntArray:
    """An ``int8[]`` of these numbers."""
    flat = [8] * (2 * len(items))
    flat[1::2] = items
    return IntArray(_header(1, 0, _INT8, len(items), 1) + pack("!" + "iq" * len(items), *flat))


def byte_strings(items: Sequence[bytes]) -> BytesArray:
    """A ``bytea[]`` of these byte strings."""
    return BytesArray(_header(1, 0, _BYTEA, len(items), 1) + _joined(items))


def register(connection: AdaptContext) -> None:
    """Teach the connection these parameters."""
    for cls, dumper in ((TextArray, _TextDumper), (IntArray, _IntDumper), (BytesArray, _BytesDumper)):
        connection.adapters.register_dumper(cls, dumper)


def _joined(items: Sequence[bytes]) -> bytes:
    parts = [b""] * (2 * len(items))
    parts[0::2] = map(_length, map(len, items))
    parts[1::2] = items
    return b"".join(parts)


class _Dumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


class _TextDumper(_Dumper):
    oid = 1009


class _IntDumper(_Dumper):
    oid = 1016


class _BytesDumper(_Dumper):
    oid = 1001
