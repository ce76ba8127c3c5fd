"""Somebody is killed, at a boundary or at random, under load; afterwards nothing is lost, and nothing is there twice."""

import pytest

from tests.faults.rounds import Round, every_round, some_rounds
from tests.faults.stage import IS_LONG, SEED, Stage, say

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

ROUNDS = every_round(SEED) if IS_LONG else some_rounds(SEED)


@pytest.mark.parametrize("round_", [pytest.param(round_, id=round_.name) for round_ in ROUNDS])
async def test_nothing_is_lost_and_nothing_doubled_when(stage: Stage, round_: Round) -> None:
    async with stage.round(round_.name) as drama:
        say(await drama.play(round_))
