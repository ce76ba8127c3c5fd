"""The operator's controls: limits of traders, and the kill switch."""

from api.answers import Answer, json_answer
from api.auth import AUDITOR, OPS
from api.endpoints import Call
from api.schemas import HaltBody, LimitsBody, ResumeQuery
from api.views import halt_view, limits_view
from domain.commands import ChangeLimits, HaltTrading, ResumeTrading
from domain.halts import parse_scope
from domain.limits import NAMES
from domain.refusals import AccountNotFound, InvalidRequest, NotHalted


async def put_limits(call: Call) -> Answer:
    """Set those limits that the body names; null gives one back to the default."""
    body: LimitsBody = call.body
    changes = {name: getattr(body, name) for name in NAMES if name in body.model_fields_set}
    request = ChangeLimits(changes, body.reason)
    account = await call.engine.trading.change_limits(call.account, request, call.actor("ops"))
    return json_answer(limits_view(call.account, account, call.engine.trading.validator))


async def get_limits(call: Call) -> Answer:
    """The limits that hold for a trader, from the log; traders see their own."""
    if call.caller.roles.isdisjoint({OPS, AUDITOR}) and call.account != call.trader_id:
        raise AccountNotFound
    account = await call.engine.trading.account(call.account)
    return json_answer(limits_view(call.account, account, call.engine.trading.validator))


async def halt(call: Call) -> Answer:
    """Take no new orders and no other terms in a scope, in no process, from now on."""
    body: HaltBody = call.body
    request = HaltTrading(body.scope, body.reason, body.cancel_open)
    outcome = await call.engine.trading.change_halts(request, call.actor("ops"))
    return json_answer(halt_view(outcome.events[0], is_cancel_requested=False), 201)


async def resume(call: Call) -> Answer:
    """End the halt of a scope; what is still halted is the answer."""
    query: ResumeQuery = call.query
    scope = call.path["scope"]
    try:
        request = ResumeTrading(parse_scope(scope), query.reason)
    except InvalidRequest:
        raise NotHalted(scope=scope) from None
    await call.engine.trading.change_halts(request, call.actor("ops"))
    return await list_halts(call)


async def list_halts(call: Call) -> Answer:
    """What is halted, from the log."""
    in_force = await call.engine.trading.halts()
    due = in_force.halts.to_cancel
    halts = [halt_view(each, is_cancel_requested=each.version not in due) for each in in_force.active()]
    return json_answer({"halts": halts, "position": in_force.position})
