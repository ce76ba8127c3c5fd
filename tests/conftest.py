"""Real servers for the tests: PostgreSQL and Valkey, started once per test run (and per xdist worker)."""

import gc
import itertools
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.servers import embedded_servers
from infrastructure.embedded.valkey import Valkey

# A busy machine is no defect: nothing here is judged by how long it takes.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A shell that runs the tests in its background lets them ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

_NUMBERS = itertools.count(1)

_TOGETHER = "tests/browser/"


class Files(LoadFileScheduling):
    """Files run side by side, except those that share one browser and one engine: they are as one."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return _TOGETHER if scope.startswith(_TOGETHER) else scope


# What takes longest begins first, so that at the end no process has a long file left while the others have none.
_LONGEST = (
    "tests/faults/test_kills.py",
    "tests/browser/",
    "tests/integration/test_engine.py",
    "tests/integration/test_rolling_back.py",
    "tests/docs/",
    "tests/simulation/",
    "tests/cli/test_restoring.py",
    "tests/integration/",
    "tests/benchmarks/",
    "tests/deployment/",
    "tests/degradation/",
    "tests/api/test_schema.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a process beside others, put the longest first; the others stay as they are."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((i for i, each in enumerate(_LONGEST) if item.nodeid.startswith(each)), 99))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """With `--dist loadfile`, a few files stay together."""
    return Files(config, log) if config.getvalue("dist") == "loadfile" else None


# Whole engines: under load, killed, in a browser, beside others. What they reach depends on who was faster, so it counts
# for nothing in the coverage, and they start in half the time when nobody counts.
_ENGINES = (
    "tests/benchmarks/",
    "tests/browser/",
    "tests/cli/test_restoring.py",
    "tests/degradation/",
    "tests/deployment/",
    "tests/docs/",
    "tests/faults/",
    "tests/integration/",
    "tests/simulation/",
)
# These do count, because they see that the parts of the program are put together: beside the engine of the command line's tests.
_MEASURED_ENGINES = (
    "tests/integration/test_engine.py::test_api_and_worker_run_apart",
    "tests/integration/test_engine.py::test_a_key_server",
    "tests/integration/test_traces.py",
)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Processes that these tests start are not measured, nor is a simulation in this one."""
    if not item.nodeid.startswith(_ENGINES) or item.nodeid.startswith(_MEASURED_ENGINES):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        tracer = sys.gettrace()
        if item.nodeid.startswith("tests/simulation/"):
            sys.settrace(None)
        try:
            return (yield)
        finally:
            sys.settrace(tracer)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """The thousands of tests that were found stay to the end: the collector of garbage need not look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def servers_home() -> Iterator[Path]:
    """The home of the test servers, with a name short enough for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="orderlog-tests-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres(servers_home: Path) -> Iterator[str]:
    """A PostgreSQL of our own: the superuser's URL. It does not wait for the disk."""
    with embedded_servers(servers_home, [Postgres(fsync=False)]) as addresses:
        assert addresses.database_url
        yield addresses.database_url


@pytest.fixture(scope="session")
def migrated_template(postgres: str) -> str:
    """The name of a migrated database that others are copied from."""
    from infrastructure.postgres.migrating import upgrade  # noqa: PLC0415 - most tests need no database

    name = "migrated_template"
    execute(postgres, f"CREATE DATABASE {name}")
    upgrade(url_of(postgres, name))
    return name


@pytest.fixture
def database_url(postgres: str, migrated_template: str) -> Iterator[str]:
    """A migrated database of the test's own."""
    with fresh_database(postgres, template=migrated_template) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """An empty database of the test's own."""
    with fresh_database(postgres, template="template0") as url:
        yield url


@pytest.fixture(scope="session")
def valkey(servers_home: Path) -> Iterator[str]:
    """A Valkey of our own: its URL."""
    with embedded_servers(servers_home, [Valkey()]) as addresses:
        assert addresses.redis_url
        yield addresses.redis_url


@pytest.fixture
def valkey_url(valkey: str) -> str:
    """A Valkey that is empty when the test begins."""
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    return valkey


@contextmanager
def fresh_database(postgres: str, *, template: str) -> Iterator[str]:
    """Copy a database under a new name, and drop the copy even when somebody is still connected to it."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        # The kernel copies the files: a third of the work of logging each page, and no power cut has to be survived.
        connection.execute("SET file_copy_method = clone")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode())
    yield url_of(postgres, name)
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def url_of(postgres: str, database: str) -> str:
    return postgres.replace("/orderlog?", f"/{database}?")


def execute(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement)


def tamper(database_url: str, statement: str) -> None:
    """Change what nobody should, as a superuser who has switched off the triggers."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode())
