import stat
import threading
from pathlib import Path

import pytest

from infrastructure.embedded import home as home_module
from infrastructure.embedded.home import Home, HomeError, open_home


def test_a_home_is_made_closed_to_others(tmp_path: Path) -> None:
    home = open_home(tmp_path / "a" / "b")
    assert home.directory == tmp_path / "a" / "b"
    assert stat.S_IMODE(home.directory.stat().st_mode) == 0o700
    assert open_home(tmp_path / "a" / "b") == home


def test_a_home_has_one_name_whatever_links_lead_to_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert open_home(tmp_path / "link") == open_home(tmp_path / "real")


def test_an_empty_directory_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    open_home(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_directory_with_files_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="open to other users: choose an empty or a new directory"):
        open_home(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match=r"ORDERLOG_HOME is .*file/home, which cannot be used: Not a directory"):
        open_home(tmp_path / "file" / "home")


def test_a_socket_directory_that_others_can_use_is_refused(tmp_path: Path) -> None:
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    sockets.chmod(0o777)
    with pytest.raises(HomeError, match="not a directory that only we can use"):
        Home(tmp_path, sockets).make_sockets()
    sockets.rmdir()
    sockets.symlink_to(tmp_path)
    with pytest.raises(HomeError, match="not a directory that only we can use"):
        Home(tmp_path, sockets).make_sockets()


def test_the_lock_of_a_home_is_held_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = open_home(tmp_path)
    order = []

    def second() -> None:
        with home.changing():
            order.append("second")

    with home.changing():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]

    monkeypatch.setattr(home_module, "_LOCK_SECONDS_MAX", 0.02)
    with home.changing(), pytest.raises(HomeError, match="starting or stopping the servers"), home.changing():
        pytest.fail("the lock must not be given twice")
