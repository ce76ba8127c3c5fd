"""The settings: every environment variable that the engine reads, in one typed model that is read once."""

import re
import secrets
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from domain.limits import DEFAULTS, NAMES, Limits, parse_limit
from domain.refusals import Refusal
from domain.values import Money, Quantity, Symbol
from infrastructure.edge_settings import EdgeSettings, split_at_commas
from infrastructure.embedded.home import open_home

_JWT_SECRET_BYTES_MIN = 32
_JWT_SECRET_FILE = "jwt-secret"  # noqa: S105 - the name of a file


class SettingsError(Exception):
    """A setting is wrong; the message names each wrong variable, its value unless secret, and what is expected."""


def _url(*schemes: str, ending: str = "") -> AfterValidator:
    """Accept a URL with one of the schemes, a host, and a path that ends in `ending`; drop a slash at its end."""

    def check(value: str) -> str:
        parts = urlsplit(value.rstrip("/"))
        _ = parts.port  # raises ValueError when the port is not a number
        if parts.scheme not in schemes or not parts.hostname or not parts.path.endswith(ending):
            raise ValueError("another kind of URL")
        return value.rstrip("/")

    return AfterValidator(check)


def _refuse(pattern: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.search(pattern, value):
            raise ValueError("refused")
        return value

    return AfterValidator(check)


def _long_enough(value: str) -> str:
    if len(value.encode()) < _JWT_SECRET_BYTES_MIN:
        raise ValueError("too short")
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


def _stream_url(validated: dict[str, Any]) -> str | None:
    base: str | None = validated.get("alpaca_base_url")
    return base and re.sub(r"^http", "ws", base) + "/stream"


def _data_url(validated: dict[str, Any]) -> str | None:
    base: str | None = validated.get("alpaca_base_url")
    return (
        "https://data.alpaca.markets"
        if base and re.search(r"\.alpaca\.markets$", urlsplit(base).hostname or "")
        else base
    )


def _limit(name: str) -> PlainValidator:
    def check(value: object) -> object:
        try:
            return parse_limit(name, value)
        except Refusal as refusal:
            raise ValueError(refusal.message) from None

    return PlainValidator(check)


HttpUrl = Annotated[str, _url("http", "https")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(EdgeSettings):
    """All settings. A field that is not shown in the representation is a secret, and its value is in no message either."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[str, Field(pattern=r"^postgres(ql)?://")] | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        repr=False,
        description="a URL like postgresql://user:password@host:5432/name, or unset for the embedded PostgreSQL",
    )
    direct_database_url: Annotated[str, Field(pattern=r"^postgres(ql)?://")] | None = Field(
        default=None,
        validation_alias="ORDERLOG_DIRECT_DATABASE_URL",
        repr=False,
        description="a URL like postgresql://user:password@host:5432/name that leads to the database without a pooler",
    )
    read_database_url: Annotated[str, Field(pattern=r"^postgres(ql)?://")] | None = Field(
        default=None,
        validation_alias="ORDERLOG_READ_DATABASE_URL",
        repr=False,
        description="a URL like postgresql://user:password@host:5432/name of a hot standby",
    )
    database_timeout: Annotated[Seconds, Field(gt=0)] = Field(
        default=5.0,
        validation_alias="ORDERLOG_DATABASE_TIMEOUT",
        description="a number of seconds greater than 0",
    )
    redis_url: Annotated[str, Field(pattern=r"^((rediss?|unix)://.+|none)$")] | None = Field(
        default=None,
        validation_alias="REDIS_URL",
        repr=False,
        description="a URL like redis://host:6379/0, rediss://... or unix:///path, `none` for LISTEN/NOTIFY, or unset for the embedded Valkey",
    )
    home: Annotated[Path, AfterValidator(_absolute)] = Field(
        default=Path(".orderlog"),
        validate_default=True,
        validation_alias="ORDERLOG_HOME",
        description="a directory",
    )
    host: str = Field(default="127.0.0.1", validation_alias="ORDERLOG_HOST", description="an address to listen on")
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        validation_alias="ORDERLOG_PORT",
        description="a whole number from 0 (any free port) to 65535",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        validation_alias="ORDERLOG_WORKERS",
        description="a whole number of API processes from 1 to 64",
    )
    jwt_secret: Annotated[str, AfterValidator(_long_enough)] | None = Field(
        default=None,
        validation_alias="ORDERLOG_JWT_SECRET",
        repr=False,
        description=f"at least {_JWT_SECRET_BYTES_MIN} bytes long",
    )
    audit_key: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        validation_alias="ORDERLOG_AUDIT_KEY",
        description="the path of a file with an Ed25519 private key in PEM",
    )
    jwks_url: HttpUrl | None = Field(
        default=None, validation_alias="ORDERLOG_JWKS_URL", description="an http or https URL"
    )
    jwt_issuer: str | None = Field(
        default=None, validation_alias="ORDERLOG_JWT_ISSUER", description="what the claim `iss` of tokens has to be"
    )
    jwt_audience: str | None = Field(
        default=None, validation_alias="ORDERLOG_JWT_AUDIENCE", description="what the claim `aud` of tokens has to name"
    )
    exchange: Literal["paper", "alpaca"] = Field(
        default="paper", validation_alias="ORDERLOG_EXCHANGE", description="`paper` or `alpaca`"
    )
    alpaca_base_url: Annotated[HttpUrl, _refuse(r"/v2$")] | None = Field(
        default=None,
        validation_alias="ALPACA_BASE_URL",
        description="an http or https URL without /v2 at its end",
    )
    alpaca_stream_url: Annotated[str, _url("ws", "wss", ending="/stream")] | None = Field(
        default_factory=_stream_url,
        validation_alias="ALPACA_STREAM_URL",
        description="a ws or wss URL that ends in /stream",
    )
    alpaca_data_url: HttpUrl | None = Field(
        default_factory=_data_url, validation_alias="ALPACA_DATA_URL", description="an http or https URL"
    )
    alpaca_key_id: str | None = Field(
        default=None, validation_alias="APCA_API_KEY_ID", repr=False, description="a key id"
    )
    alpaca_secret_key: str | None = Field(
        default=None, validation_alias="APCA_API_SECRET_KEY", repr=False, description="a secret key"
    )
    venue_timeout: Annotated[Seconds, Field(gt=0)] = Field(
        default=5.0,
        validation_alias="ORDERLOG_VENUE_TIMEOUT",
        description="a number of seconds greater than 0",
    )
    retry_backoff: Annotated[tuple[Seconds, ...], BeforeValidator(split_at_commas)] = Field(
        default=(1.0, 2.0, 4.0),
        validation_alias="ORDERLOG_RETRY_BACKOFF",
        description="numbers of seconds separated by commas, one for each attempt, like 1,2,4",
    )
    reconcile_seconds: Annotated[Seconds, Field(gt=0)] = Field(
        default=30.0,
        validation_alias="ORDERLOG_RECONCILE_SECONDS",
        description="a number of seconds greater than 0",
    )
    venue_queue_max: int = Field(
        default=100_000,
        ge=1,
        validation_alias="ORDERLOG_VENUE_QUEUE_MAX",
        description="a whole number of orders from 1",
    )
    execution_enabled: bool = Field(default=True, validation_alias="ORDER_EXECUTION_V2_ENABLED", description="1 or 0")
    execution_ramp_percent: int = Field(
        default=100,
        ge=0,
        le=100,
        validation_alias="ORDER_EXECUTION_V2_RAMP",
        description="a whole number of percent from 0 to 100",
    )
    max_position: Annotated[Quantity, _limit("max_position")] = Field(
        default=DEFAULTS.max_position,
        validation_alias="ORDERLOG_MAX_POSITION",
        description="a number of units from 0 to 1,000,000,000 with at most 9 decimals",
    )
    max_order_quantity: Annotated[Quantity, _limit("max_order_quantity")] = Field(
        default=DEFAULTS.max_order_quantity,
        validation_alias="ORDERLOG_MAX_ORDER_QUANTITY",
        description="a number of units from 0 to 1,000,000,000 with at most 9 decimals",
    )
    max_order_notional: Annotated[Money, _limit("max_order_notional")] = Field(
        default=DEFAULTS.max_order_notional,
        validation_alias="ORDERLOG_MAX_ORDER_NOTIONAL",
        description="dollars and cents from 0 to 10^15",
    )
    max_open_orders: Annotated[int, _limit("max_open_orders")] = Field(
        default=DEFAULTS.max_open_orders,
        validation_alias="ORDERLOG_MAX_OPEN_ORDERS",
        description="a whole number from 0 to 1,000,000,000",
    )
    max_orders_per_second: Annotated[int, _limit("max_orders_per_second")] = Field(
        default=DEFAULTS.max_orders_per_second,
        validation_alias="ORDERLOG_MAX_ORDERS_PER_SECOND",
        description="a whole number from 1 to 1,000,000",
    )
    max_daily_notional: Annotated[Money, _limit("max_daily_notional")] = Field(
        default=DEFAULTS.max_daily_notional,
        validation_alias="ORDERLOG_MAX_DAILY_NOTIONAL",
        description="dollars and cents from 0 to 10^15",
    )
    price_collar_percent: Annotated[Decimal, _limit("price_collar_percent")] | None = Field(
        default=DEFAULTS.price_collar_percent,
        validation_alias="ORDERLOG_PRICE_COLLAR_PERCENT",
        description="a number of percent from 0 to 1,000,000 with at most 4 decimals",
    )
    duplicate_window_seconds: Annotated[int, _limit("duplicate_window_seconds")] = Field(
        default=DEFAULTS.duplicate_window_seconds,
        validation_alias="ORDERLOG_DUPLICATE_WINDOW_SECONDS",
        description="a whole number of seconds from 0 to 3600",
    )
    restricted_symbols: Annotated[
        tuple[Symbol, ...], _limit("restricted_symbols"), BeforeValidator(split_at_commas)
    ] = Field(
        default=DEFAULTS.restricted_symbols,
        validation_alias="ORDERLOG_RESTRICTED_SYMBOLS",
        description="symbols separated by commas, like AAPL,BTC/USD",
    )
    price_age_max: Annotated[Seconds, Field(gt=0)] = Field(
        default=604_800.0,
        validation_alias="ORDERLOG_PRICE_AGE_MAX",
        description="a number of seconds greater than 0",
    )
    sentry_dsn: HttpUrl | None = Field(
        default=None, validation_alias="SENTRY_DSN", repr=False, description="an http or https URL"
    )
    posthog_api_key: str | None = Field(
        default=None, validation_alias="POSTHOG_API_KEY", repr=False, description="a project key"
    )
    posthog_host: HttpUrl = Field(
        default="https://us.i.posthog.com",
        validation_alias="POSTHOG_HOST",
        description="an http or https URL",
    )
    otlp_endpoint: HttpUrl | None = Field(
        default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT", description="an http or https URL"
    )

    @property
    def session_url(self) -> str | None:
        """The database for what outlives a transaction: locks of a session, LISTEN, migrations."""
        return self.direct_database_url or self.database_url

    @property
    def limits(self) -> Limits:
        """The limits of traders who have none of their own."""
        return Limits(**{name: getattr(self, name) for name in NAMES})

    @model_validator(mode="after")
    def _the_settings_fit_together(self) -> Self:
        if self.jwt_secret and self.jwks_url:
            raise ValueError(
                "ORDERLOG_JWT_SECRET and ORDERLOG_JWKS_URL are both set, but tokens are verified with one of them"
            )
        beside = {
            "ORDERLOG_DIRECT_DATABASE_URL": self.direct_database_url,
            "ORDERLOG_READ_DATABASE_URL": self.read_database_url,
        }
        alone = [name for name, value in beside.items() if value is not None and self.database_url is None]
        if alone:
            raise ValueError(f"{alone[0]} is set, and DATABASE_URL, beside which it works, is not")
        needed = {
            "ALPACA_BASE_URL": self.alpaca_base_url,
            "APCA_API_KEY_ID": self.alpaca_key_id,
            "APCA_API_SECRET_KEY": self.alpaca_secret_key,
        }
        missing = [name for name, value in needed.items() if value is None]
        if self.exchange == "alpaca" and missing:
            raise ValueError(f"ORDERLOG_EXCHANGE is 'alpaca', which needs {' and '.join(missing)}")
        return self


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from the environment; an empty value counts as not set.

    Raises:
        SettingsError: one or several values are wrong.
    """
    given = {name: environ[name] for name in _fields_by_variable() if environ.get(name)}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        wrong = [detail for detail in error.errors() if detail["type"] != "default_factory_not_called"]
        complaints = {detail["loc"][:1]: _complaint(detail, given) for detail in wrong}
        raise SettingsError(". ".join(complaints.values()) + ".") from None


def jwt_secret(settings: Settings) -> str:
    """Return the secret that tokens are signed with: the one that is set, or one made at first use and kept in the home.

    Processes that make it at the same time all get the same one.

    Raises:
        HomeError: the home cannot be used.
        SettingsError: the kept secret is too short to be one of ours.
    """
    if settings.jwt_secret:
        return settings.jwt_secret
    kept = open_home(settings.home).secret(_JWT_SECRET_FILE, lambda: secrets.token_urlsafe(48))
    secret = kept.read_text()
    if len(secret.encode()) < _JWT_SECRET_BYTES_MIN:
        raise SettingsError(
            f"{kept} is shorter than {_JWT_SECRET_BYTES_MIN} bytes: remove it, and a new one is made at the next start"
        )
    return secret


def _fields_by_variable() -> dict[str, str]:
    return {str(field.validation_alias): name for name, field in Settings.model_fields.items()}


def _complaint(detail: ErrorDetails, given: Mapping[str, str]) -> str:
    if not detail["loc"]:
        return str(detail["ctx"]["error"])
    variable = str(detail["loc"][0])
    field = Settings.model_fields[_fields_by_variable()[variable]]
    shown = f"is {given[variable]!r}" if field.repr else "has a wrong value (secret, not shown)"
    return f"{variable} {shown}, but has to be {field.description}"
