"""The leader hangs, which is worse than death: it comes back and goes on as if it still led."""

import pytest

from tests.faults.rounds import BOUNDARIES, LEADER, Boundary
from tests.faults.stage import IS_LONG, Stage, say

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

EVERY_MOMENT = [None, *(boundary for boundary in BOUNDARIES if boundary.wire[0] == LEADER)]
WORST_MOMENTS = [boundary for boundary in BOUNDARIES if boundary.name == "during the send, which arrives late"]


def _name(moment: Boundary | None) -> str:
    return moment.name if moment else "at a random moment"


@pytest.mark.parametrize(
    "moment", [pytest.param(moment, id=_name(moment)) for moment in (EVERY_MOMENT if IS_LONG else WORST_MOMENTS)]
)
async def test_a_leader_that_hangs_and_is_replaced_doubles_nothing_when_it_wakes(
    stage: Stage, moment: Boundary | None
) -> None:
    async with stage.round(f"the leader hangs and loses the database {_name(moment)}") as drama:
        say(await drama.suspend(moment, cut=True))


async def test_a_leader_that_hangs_for_a_moment_goes_on_where_it_was(stage: Stage) -> None:
    async with stage.round("the leader hangs for a moment") as drama:
        say(await drama.suspend(None, cut=False))
