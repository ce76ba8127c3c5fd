from decimal import Decimal

from cli.replay.lobster import Kind, Message
from cli.replay.plan import Planner
from cli.replay.sending import Sender, Sent
from cli.replay.session import Session
from cli.replay.tally import Tally
from domain.values import Side, Symbol
from tests.cli.stand_in import Scripted, stand_in


def message(line: int, kind: Kind) -> Message:
    return Message(line, Decimal(34200), kind, "101", 10, Decimal(190), Side.BUY)


async def sent(*answers: Scripted) -> Sent:
    traders = ("load-1", "load-2")
    plan = Planner(Symbol("AAPL"), traders, Decimal(0), Decimal(190)).plan(
        [message(1, Kind.NEW), message(2, Kind.DELETE)]
    )
    steps: list[int] = []
    with stand_in(*answers) as url:
        async with Session(url, dict.fromkeys(traders, "a token"), Tally()) as session:
            done = await Sender(session, "run", 0.0, lambda: steps.append(1)).send(plan.steps)
    assert len(steps) == 2
    return done


async def test_a_cancel_that_comes_too_late_is_a_refusal() -> None:
    done = await sent(
        Scripted(201, {"id": "o-1"}), Scripted(400, {"code": "ORDER_NOT_CANCELLABLE", "detail": "It is FILLED"})
    )
    assert (done.cancels, done.may_rest) == (1, {"o-1": True})
    assert done.refusals == {"ORDER_NOT_CANCELLABLE": 1}


async def test_an_order_that_was_refused_is_not_cancelled() -> None:
    done = await sent(Scripted(400, {"code": "INSUFFICIENT_FUNDS", "detail": "No"}))
    assert (done.cancels, done.without_order, done.may_rest) == (0, 1, {})
    assert done.refusals == {"INSUFFICIENT_FUNDS": 1}
    assert len(done.accept_seconds) == 1
