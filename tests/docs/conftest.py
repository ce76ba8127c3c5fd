"""One engine for everything that the documents say one can do, started as they say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine_process import RunningEngine, running_engine


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody stands who follows a tutorial: where `make run` left its home."""
    return tmp_path_factory.mktemp("followed")


@pytest.fixture(scope="package")
def engine(directory: Path) -> Iterator[RunningEngine]:
    with running_engine(directory / ".orderlog") as engine:
        yield engine
