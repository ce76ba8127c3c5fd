"""What is switched on for whom: the order execution that is rolled out, and where the page's product events go."""

from urllib.parse import urlsplit

from api.answers import Answer, json_answer
from api.auth import OPS
from api.endpoints import Call
from api.schemas import RolloutBody
from api.views import rollout_view
from domain.commands import ChangeRollout
from domain.rollout import Switches, is_in_ramp
from infrastructure.settings import Settings


async def get_features(call: Call) -> Answer:
    """What the page asks before it offers anything to the trader; operators see how it came about."""
    settings = call.engine.settings
    rollout = await call.engine.trading.rollout()
    now = rollout.state.within(environment_of(settings))
    execution = {"enabled": now.enabled, "in_ramp": is_in_ramp(call.trader_id, now.ramp_percent)}
    analytics = {"posthog_key": settings.posthog_api_key, "posthog_host": posthog_origin(settings)}
    told = rollout_view(rollout, environment_of(settings)) if OPS in call.caller.roles else None
    return json_answer({"order_execution": execution, "analytics": analytics, "rollout": told})


async def put_features(call: Call) -> Answer:
    """Change who may place orders, in every process from now on."""
    body: RolloutBody = call.body
    request = ChangeRollout(body.reason, enabled=body.enabled, ramp_percent=body.ramp_percent)
    await call.engine.trading.change_rollout(request, call.actor("ops"))
    return json_answer(rollout_view(await call.engine.trading.rollout(), environment_of(call.engine.settings)))


def posthog_origin(settings: Settings) -> str | None:
    """Where the page sends its product events, None where no project is set."""
    if settings.posthog_api_key is None:
        return None
    host = urlsplit(settings.posthog_host)
    return f"{host.scheme}://{host.netloc}"


def environment_of(settings: Settings) -> Switches:
    """What the environment of this process says of order execution."""
    return Switches(settings.execution_enabled, settings.execution_ramp_percent)
