import os
from pathlib import Path

import psycopg
import pytest

from infrastructure.embedded import postgres
from infrastructure.embedded.home import open_home
from infrastructure.embedded.postgres import InitialisationError, Postgres
from infrastructure.embedded.tether import MAPPED, SAME


def test_postgres_runs_as_whoever_we_are_unless_that_is_root_or_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert postgres._identity(tmp_path) == SAME
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    assert postgres._identity(tmp_path) == MAPPED
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres, "_namespaces_are_allowed", lambda: True)
    owner = tmp_path.stat().st_uid
    assert postgres._identity(tmp_path) == (str(owner) if owner else MAPPED)
    assert postgres._identity_for_root(tmp_path, owner=0) == MAPPED


def test_root_runs_the_postgres_of_somebody_else_as_that_user(tmp_path: Path) -> None:
    assert postgres._identity_for_root(tmp_path, owner=1234) == "1234"


def test_root_becomes_nobody_where_user_namespaces_are_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(postgres, "_namespaces_are_allowed", lambda: False)
    monkeypatch.setattr(os, "chown", lambda path, user, group, **_: given.append((path, user, group)))
    (tmp_path / "file").touch()
    assert postgres._identity_for_root(tmp_path, owner=0) == "65534"
    assert given == [(tmp_path, 65534, 65534), (tmp_path / "file", 65534, 65534)]


def test_whether_user_namespaces_are_allowed_is_tried_out() -> None:
    assert postgres._namespaces_are_allowed() in {True, False}


def test_a_data_directory_that_cannot_be_made_says_why_and_leaves_the_way_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_INITDB_OPTIONS", ("--encoding=KLINGON",))
    with pytest.raises(InitialisationError, match=r"(?s)initdb exited with status 1: .*KLINGON"):
        Postgres().prepare(open_home(tmp_path))
    assert not (tmp_path / "postgres/data").exists()


def test_a_pid_file_of_another_process_is_not_taken_for_readiness(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    pid_file = home.server_directory("postgres") / "data" / "postmaster.pid"
    assert Postgres().address(home, 17, "") is None
    pid_file.parent.mkdir()
    pid_file.write_text("17\n")
    assert Postgres().address(home, 17, "") is None
    pid_file.write_text("17\n" + "\n" * 6 + "ready   \n")
    assert Postgres().address(home, 18, "") is None
    assert str(Postgres().address(home, 17, "")).startswith("postgresql://postgres@/orderlog?host=%2F")


@pytest.mark.parametrize(
    ("machine_mib", "limit", "buffers_mib"),
    [(24_000, "max", 1024), (2_000, "max", 500), (24_000, str(800 << 20), 200), (300, "max", 128), (2_000, "", 500)],
)
def test_it_caches_in_a_quarter_of_the_memory_of_its_machine_or_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine_mib: int, limit: str, buffers_mib: int
) -> None:
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (machine_mib << 20) // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    monkeypatch.setattr(postgres, "_MEMORY_LIMIT", tmp_path / "memory.max")
    if limit:
        (tmp_path / "memory.max").write_text(limit + "\n")
    assert postgres._buffers_mib() == buffers_mib


def test_the_server_has_these_buffers(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("SELECT setting::int / 128 FROM pg_settings WHERE name = 'shared_buffers'").fetchone()
    assert row == (postgres._buffers_mib(),)
