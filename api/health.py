"""Whether the engine can take orders and carry them out."""

import asyncio
from collections.abc import Awaitable, Callable

from api.answers import Answer, json_answer
from api.endpoints import Call
from infrastructure.postgres.heartbeats import heartbeats

_ANSWER_SECONDS = 2.0
_LAG_SECONDS_MAX = 10.0
_SILENCE_SECONDS_MAX = 15.0


async def get_health(call: Call) -> Answer:
    """The state of everything that an order needs."""
    dependencies = await states_of(call)
    status = "ok" if set(dependencies.values()) == {"ok"} else "down"
    return json_answer({"status": status, "dependencies": dependencies}, 200 if status == "ok" else 503)


async def states_of(call: Call) -> dict[str, str]:
    """Whether each dependency is ``ok`` or ``down``."""
    checks = {"database": _database, "exchange": _exchange, "projections": _projections, "bus": _bus}
    states = await asyncio.gather(*(_state(check, call) for check in checks.values()))
    return dict(zip(checks, states, strict=True))


async def get_livez(call: Call) -> Answer:  # noqa: ARG001 - an answer at all is the answer
    """The process answers."""
    return json_answer({"status": "ok"})


async def get_readyz(call: Call) -> Answer:
    """The process reaches its database, knows what can be traded, and can read the log to its end."""
    states = await asyncio.gather(_state(_database, call), _state(_instruments, call), _state(_streams, call))
    status = "ok" if set(states) == {"ok"} else "down"
    return json_answer({"status": status}, 200 if status == "ok" else 503)


async def _state(check: Callable[[Call], Awaitable[bool]], call: Call) -> str:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return "ok" if await check(call) else "down"
    except Exception:  # noqa: BLE001 - whatever it is, what is checked does not work
        return "down"


async def _database(call: Call) -> bool:
    await call.engine.store.position()
    return True


async def _instruments(call: Call) -> bool:
    return call.engine.instruments.ready


async def _streams(call: Call) -> bool:
    return not call.running.fan_out.is_closing


async def _exchange(call: Call) -> bool:
    heard = (await heartbeats(call.engine.pool)).get("exchange")
    return heard is not None and heard.is_ok and heard.age_seconds <= _SILENCE_SECONDS_MAX


async def _projections(call: Call) -> bool:
    lags = await call.engine.read_models.lags(call.engine.clock.now())
    return all(lag.seconds <= _LAG_SECONDS_MAX for lag in lags)


async def _bus(call: Call) -> bool:
    return await call.engine.bus.is_up()
