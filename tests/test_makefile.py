import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., str]:
    """Run `make run` on a machine that has the given programs, and return what it complains about."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(MAKEFILE.with_name(name), tmp_path)

    def run(**scripts: str) -> str:
        for name, script in scripts.items():
            (programs / name).write_text(f"#!{programs}/sh\n{script}\n")
            (programs / name).chmod(0o755)
        done = subprocess.run(
            [programs / "make", "run"],
            cwd=tmp_path,
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        return done.stderr

    return run


def test_without_a_suitable_python_make_says_what_is_needed(make_run: Callable[..., str]) -> None:
    assert make_run(python3="exit 1").startswith("No Python 3.11 or newer was found on the PATH.\n")


def test_with_a_python_that_cannot_make_environments_make_says_what_to_install(make_run: Callable[..., str]) -> None:
    without_ensurepip = 'case "$2" in *ensurepip*) exit 1;; esac'
    assert "python3 cannot make a virtual environment: install its venv package" in make_run(python3=without_ensurepip)
