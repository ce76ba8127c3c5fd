"""Every tutorial is followed to the letter: its commands are typed, and print what it shows."""

import os
from pathlib import Path

import pytest

from tests.docs.terminal import is_shown, steps_of, terminal
from tests.engine_process import ROOT, RunningEngine

FIRST_TERMINAL = "make run"
ADDRESS = "http://127.0.0.1:8000"
PROXIES = {"http_proxy", "https_proxy", "all_proxy"}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "document", ["docs/tutorials/trade.md", "docs/tutorials/audit.md", "docs/tutorials/operate.md", "README.md"]
)
def test_what_a_document_says_to_type_prints_what_it_shows(
    engine: RunningEngine, directory: Path, document: str
) -> None:
    for there in (".venv", "docs"):
        if not (directory / there).exists():
            (directory / there).symlink_to(ROOT / there)
    environment = {
        key: value
        for key, value in os.environ.items()
        if key.lower() not in PROXIES and not key.startswith(("ORDER", "DATABASE_URL", "REDIS_URL"))
    }
    steps = steps_of(ROOT / document)
    assert steps[0].commands.strip() == FIRST_TERMINAL
    with terminal(directory, environment) as shell:
        for step in steps[1:]:
            printed, exit_code = shell.type(step.commands.replace(ADDRESS, engine.url))
            assert exit_code == step.exit_code, f"{step.name}: {printed}"
            assert step.shown is None or is_shown(step.shown, printed), f"{step.name} printed:\n{printed}"


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("a  b\n───\n", "\x1b[1ma\x1b[0m   b\r\n\r\n", True),
        ("id …, done\n", "id 17, done\n", True),
        ("first\n…\nlast\n", "first\nsecond\nthird\nlast\n", True),
        ("first\nlast\n", "first\nsecond\nlast\n", False),
        ("first\n", "first\nsecond\n", False),
        ("…\n", "", True),
        ("100 %\n", "Working ━━ 50 %\r\n  50 %\r100 %\n", True),
    ],
)
def test_what_is_shown_is_compared_with_what_is_printed(shown: str, printed: str, *, expected: bool) -> None:
    assert is_shown(shown, printed) is expected
