"""What `make` makes for the tests: the page, and what it is made with."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def make(target: str) -> None:
    """Have it made, if it is not there or older than what it is made of."""
    made = subprocess.run(["make", "--silent", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
