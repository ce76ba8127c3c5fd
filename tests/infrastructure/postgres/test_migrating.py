"""Every step of the schema goes both ways, and the steps lead to the schema that is on file."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict

from infrastructure.embedded.postgres import program_path
from infrastructure.postgres.migrating import MIGRATIONS, current, downgrade, head, upgrade

SCHEMA = MIGRATIONS / "schema.sql"


def schema(url: str, *, privileges: bool = False) -> str:
    """The schema as pg_dump has it, without what changes from run to run and from version to version."""
    parameters = conninfo_to_dict(url)
    connection = [f"--{name}={parameters[key]}" for name, key in (("host", "host"), ("port", "port"))]
    command = [
        program_path("pg_dump"),
        *connection,
        "--username=postgres",
        "--schema-only",
        "--no-owner",
        *([] if privileges else ["--no-privileges"]),
    ]
    dumped = subprocess.run([*command, str(parameters["dbname"])], capture_output=True, text=True, check=True).stdout
    kept = [line for line in dumped.splitlines() if not re.match(r"--|\\|SET |SELECT pg_catalog\.set_config", line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() + "\n"


def revisions() -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    return [step.revision for step in reversed(list(script.walk_revisions()))]


def test_the_steps_lead_to_the_schema_on_file(database_url: str) -> None:
    found = schema(database_url)
    assert found == SCHEMA.read_text(), f"after a new step, {SCHEMA.name} should be:\n{found}"


def test_up_down_and_up_again_leads_to_the_same_schema(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    first = schema(empty_database_url)
    downgrade(empty_database_url, "base")
    assert "alembic_version" in schema(empty_database_url)
    assert current(empty_database_url) is None
    upgrade(empty_database_url)
    assert schema(empty_database_url) == first


def test_each_step_down_undoes_its_step_up(empty_database_url: str) -> None:
    before: list[str] = []
    for revision in revisions():
        before.append(schema(empty_database_url))
        upgrade(empty_database_url, revision)
        assert current(empty_database_url) == revision
    for revision, expected in reversed(list(zip(["base", *revisions()], before, strict=False))):
        downgrade(empty_database_url, revision)
        left = schema(empty_database_url)
        if revision != "base":  # Alembic keeps its own table, empty
            assert left == expected


def test_the_head_is_the_newest_file() -> None:
    assert head() == revisions()[-1]


def test_a_database_that_was_never_migrated_has_no_revision(empty_database_url: str) -> None:
    assert current(empty_database_url) is None


def test_a_database_at_the_head_is_left_alone_without_loading_alembic(database_url: str) -> None:
    program = "import sys; from infrastructure.postgres.migrating import upgrade; upgrade(sys.argv[1]); "
    program += "sys.exit('alembic' in sys.modules or 'sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program, database_url], check=True, cwd=Path(__file__).parents[3])


def test_a_database_that_a_newer_program_migrated_is_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    upgrade(database_url)
    assert current(database_url) == "9999"


def test_processes_that_upgrade_at_once_take_turns(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        program = "import sys; from infrastructure.postgres.migrating import upgrade; upgrade(sys.argv[1])"
        command = [sys.executable, "-W", "error", "-c", program, empty_database_url]
        done = [
            threads.submit(subprocess.run, command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
            for _ in range(4)
        ]
        assert [each.result().stderr for each in done] == [""] * 4
    assert current(empty_database_url) == head()


def test_a_database_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        upgrade(f"postgresql://nobody@/nothing?host={tmp_path}")


def test_auditors_can_query_events_as_json(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO events VALUES (1, 'a', 1, 'FundsDeposited', '{\"amount\":\"1\"}', '{}', now(), '\\x00ff')"
        )
        row = connection.execute("SELECT data ->> 'amount', metadata, hash FROM event_log").fetchone()
    assert row == ("1", {}, "00ff")
