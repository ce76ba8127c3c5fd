import json
from collections.abc import Iterator

import pytest

from cli.exits import ExitCode
from tests.cli.conftest import Run
from tests.engine_process import RunningEngine

pytestmark = pytest.mark.usefixtures("engine_home")

RESTING = ("--symbol", "AAPL", "--quantity", "1", "--order-type", "LIMIT", "--price", "50")


@pytest.fixture(autouse=True)
def _everybody_is_served(run: Run) -> Iterator[None]:
    """The engine is everybody's: whatever is switched off here is on again afterwards."""
    yield
    run("rollout", "set", "--ramp", "100", "--on", "--reason", "over")


def test_a_ramp_is_set_and_shown_and_traders_outside_it_are_refused(run: Run, engine_home: RunningEngine) -> None:
    engine_home.fund("rosa")
    told = json.loads(run("rollout", "set", "--ramp", "0", "--reason", "a drill").out)
    assert (told["ramp_percent"], told["changed_by"], told["reason"]) == (0, "ops:ops", "a drill")
    assert "(ORDER_EXECUTION_DISABLED)" in run("orders", "place", *RESTING, "--trader", "rosa").err
    assert json.loads(run("rollout", "set", "--ramp", "100", "--reason", "on").out)["enabled"]
    assert run("orders", "place", *RESTING, "--trader", "rosa").code == ExitCode.DONE
    assert not json.loads(run("rollout", "set", "--off", "--reason", "no more").out)["enabled"]
    shown = json.loads(run("rollout", "show").out)
    assert (shown["set"], shown["reason"]) == ({"enabled": False, "ramp_percent": 100}, "no more")
    assert "no more" in run("rollout", "show", terminal=True).out


def test_nothing_to_set_is_misuse(run: Run) -> None:
    wrong = run("rollout", "set", "--reason", "x")
    assert (wrong.code, wrong.err) == (ExitCode.MISUSE, "orderlog: Say what to change: --ramp PERCENT, --on or --off\n")
    assert run("rollout", "set", "--ramp", "101", "--reason", "x").code == ExitCode.MISUSE
    assert run("rollout", "set", "--ramp", "5").code == ExitCode.MISUSE
