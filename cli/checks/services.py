"""What the engine talks to, and the engine itself."""

from pathlib import Path

import httpx2
import redis

from cli.checks.finding import Finding
from cli.checks.machine import guard_answers
from infrastructure.embedded.home import open_home
from infrastructure.embedded.paper_venue import PaperVenue
from infrastructure.embedded.valkey import Valkey
from infrastructure.settings import Settings

_SECONDS_MAX = 5.0
_STARTS_LATER = "embedded, not running; it starts with the engine"
_REFUSED = frozenset({httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN})


def bus(settings: Settings) -> Finding:
    """Whether status messages can travel between processes.

    Raises:
        RedisError: Redis does not answer.
    """
    if settings.redis_url == "none":
        return Finding("bus", "LISTEN/NOTIFY of the database")
    url = settings.redis_url or _embedded_bus(settings.home)
    if url is None:
        return Finding("bus", _STARTS_LATER)
    with redis.Redis.from_url(url, socket_timeout=_SECONDS_MAX, socket_connect_timeout=_SECONDS_MAX) as client:
        client.ping()
    return Finding("bus", "Redis answers" if settings.redis_url else "the embedded Valkey answers")


def venue(settings: Settings) -> Finding:
    """Whether the exchange answers, and accepts our keys.

    Raises:
        httpx2.HTTPError: it does not answer.
    """
    url = settings.alpaca_base_url if settings.exchange == "alpaca" else _embedded_venue(settings.home)
    if url is None:
        return Finding("venue", _STARTS_LATER)
    keys = {
        "APCA-API-KEY-ID": settings.alpaca_key_id or "paper",
        "APCA-API-SECRET-KEY": settings.alpaca_secret_key or "paper",
    }
    response = httpx2.get(f"{url}/v2/clock", headers=keys, timeout=_SECONDS_MAX)
    if response.status_code in _REFUSED:
        return Finding("venue", f"{url} refuses our keys", "set APCA_API_KEY_ID and APCA_API_SECRET_KEY right")
    response.raise_for_status()
    return Finding("venue", f"{settings.exchange} answers at {url}")


def engine(url: str) -> Finding:
    """Whether the engine answers, and what it says of itself.

    Raises:
        httpx2.HTTPError: it does not answer.
    """
    health = httpx2.get(f"{url}/api/v1/health/orders", timeout=_SECONDS_MAX, trust_env=False).json()
    down = [name for name, state in health["dependencies"].items() if state != "ok"]
    if health["status"] != "ok" or down:
        return Finding(
            "engine", f"{url} answers, but these are down: {', '.join(down)}", "see the lines above, and its messages"
        )
    return Finding("engine", f"{url} answers, and all it needs is there")


def _embedded_bus(directory: Path) -> str | None:
    if not directory.exists():
        return None
    home = open_home(directory)
    return Valkey().address(home, 0, "") if guard_answers(home) else None


def _embedded_venue(directory: Path) -> str | None:
    if not directory.exists():
        return None
    home = open_home(directory)
    log = home.server_directory(PaperVenue.name) / "server.log"
    if not guard_answers(home) or not log.exists():
        return None
    return PaperVenue().address(home, 0, log.read_text(errors="replace"))
