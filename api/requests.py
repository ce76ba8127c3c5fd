"""Reads what a request holds: its body, its query parameters, its headers. Nothing here trusts a client."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.types import Receive

from api.answers import JSON
from api.fields import POSITION_MAX
from api.problems import STATUS_OF, FieldError, Problem, pointer

M = TypeVar("M", bound=BaseModel)

BODY_BYTES_MAX = 64 * 1024

_PARAMETERS_MAX = 50
_ERRORS_MAX = 20
_position = re.compile(r"[0-9]{1,19}")
_version_tag = re.compile(r'[ \t]*"([1-9][0-9]{0,17})"[ \t]*')
_idempotency_key = re.compile(r"[\x20-\x7e]{1,128}")

_SENTENCES = {
    "missing": "is needed",
    "extra_forbidden": "is not known here",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "may have at most {max_length} characters",
    "string_unicode": "must be valid Unicode",
    "model_type": "must be a JSON object",
}
"""What pydantic complains of, as the end of a sentence that begins with the name of the field; others are one already."""


class ClientLeftError(Exception):
    """The client went away before its request was complete."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> Any:  # noqa: ANN401 - JSON
    """The JSON body. Its numbers are ``Decimal``, so that no digit is lost; what is no finite number is NaN.

    Raises:
        Problem: it is too large, no JSON, or says that it is something else.
        ClientLeftError: it never came.
    """
    content_type = headers.get(b"content-type", JSON.encode())
    if content_type.partition(b";")[0].strip().lower() != JSON.encode():
        raise Problem("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json")
    content_length = headers.get(b"content-length", b"")
    if content_length.isdigit() and len(content_length) < 20 and int(content_length) > BODY_BYTES_MAX:  # noqa: PLR2004 - int() reads no more digits than that
        raise _too_large()
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientLeftError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()
    try:
        return _decoder.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise Problem("INVALID_REQUEST", f"The body is not valid JSON: {_reason(error)}") from None


def parse_body(model: type[M], content: Any) -> M:  # noqa: ANN401 - JSON
    """The body as the model.

    Raises:
        Problem: it is not what the model says, with a pointer to every field at fault.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _problem(error, "The body") from None


def parse_query(model: type[M], query_string: bytes) -> M:
    """The query parameters as the model.

    Raises:
        Problem: they are not what the model says, with a pointer to every parameter at fault.
    """
    try:
        pairs = parse_qsl(
            query_string.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS_MAX
        )
    except ValueError:
        raise Problem("INVALID_REQUEST", "The query string cannot be read") from None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise Problem("INVALID_REQUEST", "A query parameter may be given once only")
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        problem = _problem(error, "The query")
        errors = [each._replace(code="INVALID_REQUEST") for each in problem.errors]
        raise Problem("INVALID_REQUEST", problem.detail, errors) from None


def parse_idempotency_key(headers: Mapping[bytes, bytes]) -> str | None:
    """The header ``Idempotency-Key``, if there is one.

    Raises:
        Problem: it is not 1 to 128 printable ASCII characters.
    """
    raw = headers.get(b"idempotency-key")
    if raw is None:
        return None
    key = raw.decode("latin-1")
    if not _idempotency_key.fullmatch(key):
        message = "Idempotency-Key must be 1 to 128 printable ASCII characters"
        raise Problem("INVALID_REQUEST", message, [FieldError("/Idempotency-Key", "INVALID_REQUEST", message)])
    return key


def parse_if_match(headers: Mapping[bytes, bytes]) -> frozenset[int] | None:
    """The versions that the header ``If-Match`` names; None: any. What is no tag of ours names no version."""
    raw = headers.get(b"if-match")
    if raw is None or raw.strip() == b"*":
        return None
    tags = map(_version_tag.fullmatch, raw.decode("latin-1").split(","))
    return frozenset(int(tag[1]) for tag in tags if tag)


def parse_last_event_id(headers: Mapping[bytes, bytes]) -> int | None:
    """The header ``Last-Event-ID``: the position of the last event that the client has, if it says so.

    Raises:
        Problem: it is no position.
    """
    text = headers.get(b"last-event-id", b"").decode("latin-1")
    if not text:
        return None
    if not _position.fullmatch(text) or int(text) > POSITION_MAX:
        message = "Last-Event-ID must be a position"
        raise Problem("INVALID_REQUEST", message, [FieldError("/Last-Event-ID", "INVALID_REQUEST", message)])
    return int(text)


def _too_large() -> Problem:
    return Problem("PAYLOAD_TOO_LARGE", f"The body may have at most {BODY_BYTES_MAX:,} bytes")


def _reason(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"{error.msg} at character {error.pos}"
        case UnicodeDecodeError():
            return f"it is not UTF-8 at byte {error.start}"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return str(error)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond any number
        return Decimal("NaN")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name appears twice in an object")
    return content


_decoder = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_number, object_pairs_hook=_object)


def _problem(error: ValidationError, whole: str) -> Problem:
    found = error.errors(include_url=False, include_input=False)[:_ERRORS_MAX]
    errors = [_field_error(details, whole) for details in found]
    return Problem(errors[0].code, errors[0].message, errors)


def _field_error(details: ErrorDetails, whole: str) -> FieldError:
    at = pointer(*details["loc"])
    if details["type"] in STATUS_OF:  # the domain refused it, in a sentence of its own
        return FieldError(at, details["type"], details["msg"])
    ending = _SENTENCES.get(details["type"], "{message}")
    message = ending.format_map({"message": details["msg"], **details.get("ctx", {})})
    return FieldError(at, "INVALID_REQUEST", f"{at.removeprefix('/') or whole} {message}")
