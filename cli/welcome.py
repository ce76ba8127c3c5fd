"""What `orderlog serve` says when it is ready: where each part listens, and how to begin."""

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.engine import sign
from cli.output import say, write_line
from infrastructure.settings import Settings

if TYPE_CHECKING:
    import httpx2

_READY_SECONDS_MAX = 60.0
_ASK_AGAIN_SECONDS = 0.1
_DEMO_TRADER = "demo"
_DEMO_AMOUNT = "100000.00"


def welcome(settings: Settings, url: str) -> None:
    """Wait until the engine answers, fund the demo trader once if the exchange is the paper venue, and print it all."""
    import httpx2  # noqa: PLC0415 - the children start meanwhile

    with httpx2.Client(base_url=url, trust_env=False, timeout=5.0) as client:
        if not _is_ready(client):
            say(f"the API at {url} is not ready after {_READY_SECONDS_MAX:.0f} seconds; its messages say why")
            return
        write_line("\n".join(_places(settings, url)))
        if settings.jwks_url is not None:
            write_line(f"  tokens    from whoever signs with the keys at {settings.jwks_url}")
        elif settings.exchange == "paper":
            deposit = client.post(
                f"/api/v1/accounts/{_DEMO_TRADER}/deposits",
                json={"amount": _DEMO_AMOUNT},
                headers={
                    "Authorization": f"Bearer {sign(settings, 'orderlog', ('ops',))}",
                    "Idempotency-Key": "demo-funding",
                },
            )
            deposit.raise_for_status()
            write_line("\n".join(_first_steps(url, sign(settings, _DEMO_TRADER, ("trader", "auditor")))))


def _is_ready(client: "httpx2.Client") -> bool:
    import httpx2  # noqa: PLC0415 - see above

    deadline = time.monotonic() + _READY_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            ready = client.get("/readyz").is_success
        except httpx2.TransportError:
            ready = False
        if ready:
            return True
        time.sleep(_ASK_AGAIN_SECONDS)
    return False


def _places(settings: Settings, url: str) -> list[str]:
    bus = settings.redis_url if settings.redis_url != "none" else "PostgreSQL NOTIFY"
    return [
        "orderlog is ready",
        f"  API       {url}",
        f"  page      {url}/",
        f"  database  {_without_password(str(settings.database_url))}",
        f"  bus       {_without_password(str(bus))}",
        f"  venue     {settings.alpaca_base_url} ({settings.exchange})",
        f"  home      {settings.home}",
    ]


def _first_steps(url: str, token: str) -> list[str]:
    bearer = f"-H 'Authorization: Bearer {token}'"
    order = '{"symbol":"AAPL","side":"BUY","quantity":"10","order_type":"MARKET"}'
    return [
        "",
        f"The trader {_DEMO_TRADER} has {_DEMO_AMOUNT} dollars and this token:",
        token,
        "",
        "The page, for this trader:",
        f"{url}/#token={token}",
        "",
        "Place an order:",
        f"curl -sS {url}/api/v1/orders {bearer} -H 'Content-Type: application/json' -d '{order}'",
        "",
        "Watch it from the beginning and live:",
        f"curl -sSN '{url}/api/v1/orders/stream?after=0' {bearer}",
        "",
        "Replay the log:",
        f"curl -sS '{url}/api/v1/events?after=0' {bearer} -H 'Accept: application/x-ndjson'",
    ]


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if not parts.password:
        return url
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")).geturl()
