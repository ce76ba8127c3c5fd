"""The same worlds in every run of the tests; `make simulate` visits as many others as there is time for."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("worlds", [("--seeds", "80"), ("--load", "--seeds", "4", "--orders", "600")], ids=" ".join)
def test_nothing_is_lost_and_nothing_is_doubled_in(worlds: tuple[str, ...]) -> None:
    """In processes of their own, on all cores."""
    program = (sys.executable, "-m", "tests.simulation", *worlds)
    done = subprocess.run(program, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_first_line_names_the_seed_that_failed_and_the_last_but_one_how_to_replay_it() -> None:
    program = (
        "from tests.simulation import __main__ as program, checks; import tests.simulation.simulation as simulation;"
        "simulation.simulate.__kwdefaults__['checks'] = (lambda evidence: iter(('it is wrong',)),);"
        "raise SystemExit(program.main(['--seed', '3', '--orders', '10']))"
    )
    done = subprocess.run((sys.executable, "-c", program), cwd=_ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0]) == (1, "seed 3 failed")
    assert lines[-2] == "Replay it with: make simulate SEED=3 ORDERS=10"
