"""The same seed is the same world, to the last byte, whatever the program's hashes are seeded with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.simulation import simulate

_SEED = 2
_ROOT = Path(__file__).parents[2]


def _digest_elsewhere(hash_seed: str) -> str:
    """The digest of the same seed in a process of its own, where sets of strings are in another order."""
    program = f"from tests.simulation.simulation import simulate; print(simulate({_SEED}).digest)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=_ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_same_seed_replays_exactly() -> None:
    first, second = simulate(_SEED), simulate(_SEED)
    assert first == second
    assert first.events > first.orders > 0


@pytest.mark.parametrize("hash_seed", ["1", "4711"])
def test_a_seed_does_not_depend_on_how_strings_are_hashed(hash_seed: str) -> None:
    assert _digest_elsewhere(hash_seed) == _digest_elsewhere("0")


def test_other_seeds_are_other_worlds() -> None:
    assert len({simulate(seed, orders=10).digest for seed in range(5)}) == 5
