"""Everything that comes from the venue is untrusted: it is decoded against a type, or it is an UnreadableError.

Numbers are decoded digit by digit into decimals, never through a float.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

import msgspec

from application.venue import VenueOutcomeUnknownError

# The log cannot hold U+0000, and what a venue says must not stop a fact from being recorded.
NUL_ESCAPES: Final = (rb"\u0000", rb"\ufffd")
_RAW_CHARACTERS: Final = 4_000

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Shape = TypeVar("Shape")


class UnreadableError(VenueOutcomeUnknownError):
    """The venue said something that cannot be understood, which proves nothing."""


def decoded(body: bytes | str | msgspec.Raw, shape: type[Shape]) -> Shape:
    """JSON of the given shape; fields it does not name are ignored.

    Raises:
        UnreadableError: it is anything else.
    """
    try:
        content = body.encode() if isinstance(body, str) else bytes(body)
        return msgspec.json.decode(content.replace(*NUL_ESCAPES), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"cannot read what the venue said: {error}") from error


def utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        UnreadableError: no calendar has it.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise UnreadableError(f"{moment} is no time") from error


def raw_text(said: bytes | str | msgspec.Raw) -> str:
    """What the venue said, as it said it, for a log line."""
    text = said if isinstance(said, str) else bytes(said).decode(errors="replace")
    return text[:_RAW_CHARACTERS]
