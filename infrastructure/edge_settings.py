"""The settings of what stands between the engine and everybody outside."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

_PER_SECOND_MAX = 1_000_000_000
_MANY = 1_000_000

Network = IPv4Network | IPv6Network
PerSecond = Annotated[int, Field(ge=1, le=_PER_SECOND_MAX)]
Many = Annotated[int, Field(ge=1, le=_MANY)]


def split_at_commas(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever it was given
    """The parts of a text; anything else as it is."""
    return value.split(",") if isinstance(value, str) else value


def _networks(value: Any) -> tuple[Network, ...]:  # noqa: ANN401 - see above
    return tuple(each if isinstance(each, Network) else ip_network(each.strip()) for each in value)


def _origin(value: str) -> str:
    """An origin as browsers send it."""
    parts = urlsplit(value.strip())
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    if parts.scheme not in {"http", "https"} or not parts.hostname or value.strip().rstrip("/").lower() != origin:
        raise ValueError("no origin")
    _ = parts.port  # raises ValueError when the port is not a number
    return origin


class EdgeSettings(BaseModel):
    """How often somebody may ask, how much of the API's processes they may hold, and from where a browser may."""

    trader_requests: PerSecond = Field(
        default=20_000,
        validation_alias="ORDERLOG_TRADER_REQUESTS_PER_SECOND",
        description="a whole number from 1 to 1,000,000,000",
    )
    address_requests: PerSecond = Field(
        default=50_000,
        validation_alias="ORDERLOG_ADDRESS_REQUESTS_PER_SECOND",
        description="a whole number from 1 to 1,000,000,000",
    )
    failed_logins: PerSecond = Field(
        default=100,
        validation_alias="ORDERLOG_FAILED_LOGINS_PER_SECOND",
        description="a whole number from 1 to 1,000,000,000",
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_networks), BeforeValidator(split_at_commas)] = (
        Field(
            default=(),
            validation_alias="ORDERLOG_TRUSTED_PROXIES",
            description="addresses or networks separated by commas, like 10.0.0.7,10.1.0.0/16",
        )
    )
    connections: Many = Field(
        default=20_000, validation_alias="ORDERLOG_CONNECTIONS", description="a whole number from 1 to 1,000,000"
    )
    streams: Many = Field(
        default=10_000, validation_alias="ORDERLOG_STREAMS", description="a whole number from 1 to 1,000,000"
    )
    streams_per_trader: Many = Field(
        default=2_000, validation_alias="ORDERLOG_STREAMS_PER_TRADER", description="a whole number from 1 to 1,000,000"
    )
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(split_at_commas)] = (
        Field(
            default=(),
            validation_alias="ORDERLOG_CORS_ORIGINS",
            description="origins separated by commas, like https://desk.example,http://localhost:5173",
        )
    )
