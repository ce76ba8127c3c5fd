"""How requests are read: bodies and query strings, taken apart with suspicion, or a refusal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from starlette.requests import Request

from infrastructure.exchanges.paper.assets import Asset, find_asset
from infrastructure.exchanges.paper.book import Side
from infrastructure.exchanges.paper.refusals import AssetNotFound, BodyTooLarge, NotJson, NotUnderstood
from infrastructure.exchanges.paper.registry import OrderQuery

BODY_SIZE_MAX: Final = 65_536

_Parsed = TypeVar("_Parsed")


class OrdersParameters(msgspec.Struct):
    """The query string of `GET /v2/orders`."""

    status: Literal["open", "closed", "all"] = "open"
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    after: str | None = None
    until: str | None = None
    direction: Literal["asc", "desc"] = "desc"
    symbols: str = ""
    side: Side | None = None
    nested: bool = False

    def query(self) -> OrderQuery:
        """The query as the registry takes it; a symbol that does not trade here matches nothing.

        Raises:
            NotUnderstood: A time is no time.
        """
        return OrderQuery(
            status=self.status,
            symbols=frozenset(_symbol(name) for name in self.symbols.split(",") if name),
            side=self.side,
            after=_optional_time("after", self.after),
            until=_optional_time("until", self.until),
            newest_first=self.direction == "desc",
            nested=self.nested,
            limit=self.limit,
        )


class ActivitiesParameters(msgspec.Struct):
    """The query string of `GET /v2/account/activities`."""

    activity_types: str = "FILL"
    after: str | None = None
    until: str | None = None
    direction: Literal["asc", "desc"] = "desc"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    page_token: str | None = None
    order_id: str | None = None

    @property
    def wants_fills(self) -> bool:
        """Whether fills are among the types asked for; this venue has no other activities."""
        return "FILL" in self.activity_types.split(",")

    @property
    def times(self) -> tuple[datetime | None, datetime | None]:
        """The times `after` and `until`; NotUnderstood when one is no time."""
        return _optional_time("after", self.after), _optional_time("until", self.until)


async def read(request: Request) -> bytes:
    """The raw body of a request; BodyTooLarge when it is larger than any request needs to be."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_SIZE_MAX:
            raise BodyTooLarge
    return bytes(raw)


def body(raw: bytes, form: type[_Parsed]) -> _Parsed:
    """Read a JSON body.

    Raises:
        NotJson: It is not JSON.
        NotUnderstood: It is JSON, but not of this form.
    """
    try:
        return msgspec.json.decode(raw, type=form)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson from error


def parameters(raw: Mapping[str, str], form: type[_Parsed]) -> _Parsed:
    """Read a query string; empty parameters count as absent, unknown ones are ignored.

    Raises:
        NotUnderstood: A parameter has no valid value.
    """
    try:
        return msgspec.convert({name: value for name, value in raw.items() if value}, form, strict=False)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error)) from error


def wanted_asset(name: str) -> Asset:
    """The asset of this symbol or asset id; AssetNotFound when there is none."""
    asset = find_asset(name)
    if asset is None:
        raise AssetNotFound(name)
    return asset


def _symbol(name: str) -> str:
    asset = find_asset(name)
    return name if asset is None else asset.symbol


def _optional_time(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # A plus sign that was not percent-encoded arrives as a space.
        time = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise NotUnderstood(f"{name} must be a time in RFC 3339") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
