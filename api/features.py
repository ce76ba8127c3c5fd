"""What is switched on for whom: the order execution that the ramp serves, and where the page's product events go."""

from hashlib import sha256
from urllib.parse import urlsplit

from api.answers import Answer, json_answer
from api.endpoints import Call
from domain.values import TraderId
from infrastructure.settings import Settings


async def get_features(call: Call) -> Answer:
    """What the page asks before it offers anything to the trader."""
    settings = call.engine.settings
    execution = {
        "enabled": settings.execution_enabled,
        "in_ramp": _is_in_ramp(call.trader_id, settings.execution_ramp_percent),
    }
    analytics = {"posthog_key": settings.posthog_api_key, "posthog_host": posthog_origin(settings)}
    return json_answer({"order_execution": execution, "analytics": analytics})


def posthog_origin(settings: Settings) -> str | None:
    """Where the page sends its product events, None where no project is set."""
    if settings.posthog_api_key is None:
        return None
    host = urlsplit(settings.posthog_host)
    return f"{host.scheme}://{host.netloc}"


def is_served(settings: Settings, trader_id: TraderId) -> bool:
    """Whether new orders of the trader are taken."""
    return settings.execution_enabled and _is_in_ramp(trader_id, settings.execution_ramp_percent)


def _is_in_ramp(trader_id: TraderId, percent: int) -> bool:
    """Whether the trader is in the share of traders that the new execution serves, today and at every start."""
    return int.from_bytes(sha256(trader_id.encode()).digest()[:8]) % 100 < percent
