"""Where the servers are: as set, or as embedded. Kept apart from the parts that use them, so that it imports quickly."""

from collections.abc import Mapping

from infrastructure.embedded.servers import Addresses
from infrastructure.settings import Settings


def resolved(settings: Settings, addresses: Addresses) -> Settings:
    """The settings with the addresses of the embedded servers where none was set."""
    found = {
        "database_url": settings.database_url or addresses.database_url,
        "redis_url": settings.redis_url or addresses.redis_url,
    }
    if addresses.venue_url is not None:
        stream_url = addresses.venue_url.replace("http", "ws", 1) + "/stream"
        found |= {
            "alpaca_base_url": addresses.venue_url,
            "alpaca_data_url": addresses.venue_url,
            "alpaca_stream_url": stream_url,
        }
    return settings.model_copy(update=found)


def environment(settings: Settings) -> Mapping[str, str]:
    """The addresses of resolved settings as variables, for the child processes that use the same servers."""
    variables = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "ALPACA_BASE_URL": settings.alpaca_base_url,
        "ALPACA_DATA_URL": settings.alpaca_data_url,
        "ALPACA_STREAM_URL": settings.alpaca_stream_url,
    }
    return {name: value for name, value in variables.items() if value is not None}
