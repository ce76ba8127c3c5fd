"""The types of the fields of requests and answers: what the domain makes of them, and what OpenAPI says of them.

Numbers of a request come here as ``Decimal`` or text, never as floats. What the domain refuses keeps the domain's code.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from re import compile as pattern
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from domain.halts import REASON_CHARACTERS_MAX, REASON_PATTERN, SCOPE_PATTERN, parse_reason, parse_scope
from domain.lifecycle import Status
from domain.limits import RANGES, RESTRICTED_MAX, parse_limit
from domain.refusals import Refusal
from domain.rollout import RAMP_PERCENT_MAX, parse_ramp
from domain.values import (
    CLIENT_ORDER_ID_PATTERN,
    SYMBOL_PATTERN,
    TRADER_ID_PATTERN,
    Money,
    OrderId,
    OrderType,
    Price,
    Quantity,
    Side,
    Symbol,
    TimeInForce,
    TraderId,
    parse_amount,
    parse_client_order_id,
    parse_price,
    parse_quantity,
    parse_symbol,
    parse_trader_id,
)

POSITION_MAX = 2**63 - 1
"""The highest position that the log can have."""

# Python would read more as a number: spaces and underscores in it, digits of other scripts.
_DECIMAL_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_decimal = pattern(_DECIMAL_PATTERN.removesuffix("$") + r"\Z")
_whole = pattern(r"-?[0-9]{1,19}\Z")
_uuid = pattern(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_time = pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)


def _refused(refusal: Refusal) -> PydanticCustomError:
    return PydanticCustomError(refusal.code, "{message}", {"message": refusal.message})


def _number(value: object) -> object:
    """The value if it is written like a number, else something that the domain's parsers refuse as none."""
    return value if isinstance(value, Decimal) or (isinstance(value, str) and _decimal.match(value)) else None


def _parsed(parse: Callable[[Any], Any]) -> PlainValidator:
    def validate(value: Any) -> Any:  # noqa: ANN401 - whatever the request holds
        try:
            return parse(value)
        except Refusal as refusal:
            raise _refused(refusal) from None

    return PlainValidator(validate)


def _validate_price(value: Any, info: ValidationInfo) -> Price | None:  # noqa: ANN401 - whatever the request holds
    if value is None:
        return None
    try:
        return parse_price(_number(value), info.field_name or "price")
    except Refusal as refusal:
        raise _refused(refusal) from None


def _optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else parse(value)


def _decimal_schema(**limits: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON schema
    return {
        "anyOf": [{"type": "string", "pattern": _DECIMAL_PATTERN, "maxLength": 64}, {"type": "number", **limits}],
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}], "default": None}


# ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_BELOW_BILLION = {"exclusiveMinimum": 0, "exclusiveMaximum": 10**9}
_BELOW_TRILLION = {"exclusiveMinimum": 0, "exclusiveMaximum": 10**12}
_NAME_OF_ORDER = {"type": "string", "pattern": CLIENT_ORDER_ID_PATTERN}

AskedQuantity = Annotated[
    Quantity, _parsed(lambda value: parse_quantity(_number(value))), WithJsonSchema(_decimal_schema(**_BELOW_BILLION))
]
AskedNewQuantity = Annotated[
    Quantity | None,
    _parsed(_optional(lambda value: parse_quantity(_number(value)))),
    WithJsonSchema(_or_null(_decimal_schema(**_BELOW_BILLION))),
]
AskedPrice = Annotated[
    Price | None, PlainValidator(_validate_price), WithJsonSchema(_or_null(_decimal_schema(**_BELOW_BILLION)))
]
AskedAmount = Annotated[
    Money, _parsed(lambda value: parse_amount(_number(value))), WithJsonSchema(_decimal_schema(**_BELOW_TRILLION))
]
AskedSymbol = Annotated[Symbol, _parsed(parse_symbol), WithJsonSchema({"type": "string", "pattern": SYMBOL_PATTERN})]
AskedClientOrderId = Annotated[
    str | None, _parsed(_optional(parse_client_order_id)), WithJsonSchema(_or_null(_NAME_OF_ORDER))
]
AskedScope = Annotated[
    str, _parsed(parse_scope), WithJsonSchema({"type": "string", "pattern": SCOPE_PATTERN, "examples": ["symbol:AAPL"]})
]
AskedReason = Annotated[
    str,
    _parsed(parse_reason),
    WithJsonSchema({"type": "string", "maxLength": REASON_CHARACTERS_MAX, "pattern": REASON_PATTERN}),
]

AskedRamp = Annotated[
    int, _parsed(parse_ramp), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": RAMP_PERCENT_MAX})
]


class Limit:
    """Marks the field of a request that sets a limit of this name; null gives the limit back to the default."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - as pydantic calls it
        """How the field is read."""
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """How OpenAPI describes the field."""
        if self._name not in RANGES:
            symbol = {"type": "string", "pattern": SYMBOL_PATTERN}
            return _or_null({"type": "array", "items": symbol, "maxItems": RESTRICTED_MAX})
        lowest, highest, _ = RANGES[self._name]
        return _or_null(_decimal_schema(minimum=lowest, maximum=highest))

    def _validate(self, value: object) -> Any:  # noqa: ANN401 - the type is that of the limit
        if value is None:
            return None
        try:
            return parse_limit(self._name, _number(value) if self._name in RANGES else value)
        except Refusal as refusal:
            raise _refused(refusal) from None


# Enums are text in JSON, which strict validation of Python values would not take for them.
AskedSide = Annotated[Side, Field(strict=False)]
AskedOrderType = Annotated[OrderType, Field(strict=False)]
AskedTimeInForce = Annotated[TimeInForce, Field(strict=False)]


# ── Query parameters, which are all text ─────────────────────────────────────────────────────────────────────────────


def _whole_number(text: str) -> int:
    if not _whole.match(text):
        raise PydanticCustomError("whole_number", "must be a whole number of at most 19 digits")
    return int(text)


def parse_time(value: str) -> datetime:
    """A time as RFC 3339 writes it, with its offset from UTC.

    Raises:
        ValueError: it is none.
    """
    if not _time.match(value):
        raise ValueError(value)
    return datetime.fromisoformat(value.upper())


def _moment(value: Any) -> Any:  # noqa: ANN401 - text, or a default
    try:
        return parse_time(value)
    except (ValueError, TypeError):  # of a body, it may be no text
        raise PydanticCustomError("time", "must be an RFC 3339 time such as 2026-01-31T23:59:59Z") from None


def parse_order_id(value: str) -> OrderId:
    """An order id in the form in which it is stored.

    Raises:
        ValueError: it is no UUID.
    """
    if not _uuid.match(value):
        raise ValueError(value)
    return OrderId(value.lower())


def _asked_order_id(value: Any) -> Any:  # noqa: ANN401 - text, or a default
    try:
        return parse_order_id(value)
    except (ValueError, TypeError):  # of a body, it may be no text
        raise PydanticCustomError("uuid", "must be a UUID") from None


WHOLE = BeforeValidator(_whole_number)
"""Comes last in an annotation, after the limits, so that text becomes a number before it is compared."""

Position = Annotated[int, Field(ge=0, le=POSITION_MAX), WHOLE]
Moment = Annotated[datetime, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
AskedStatus = Annotated[Status, Field(strict=False)]
AskedOrderId = Annotated[OrderId, PlainValidator(_asked_order_id), WithJsonSchema({"type": "string", "format": "uuid"})]
AskedTraderId = Annotated[
    TraderId, _parsed(parse_trader_id), WithJsonSchema({"type": "string", "pattern": TRADER_ID_PATTERN})
]


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

QuantityText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]{1,9})?$", examples=["100"])]
MoneyText = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2,}$", examples=["150.00"])]
DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["190.01"])]
TimeText = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        json_schema_extra={"format": "date-time"},
        examples=["2026-01-31T23:59:59.000000Z"],
    ),
]
