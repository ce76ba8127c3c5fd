from pathlib import Path

import httpx2
import pytest
import redis

from cli.checks import services
from cli.checks.finding import Finding
from infrastructure.embedded.home import open_home
from infrastructure.settings import Settings, load_settings
from tests.cli.stand_in import Scripted, stand_in

LATER = "embedded, not running; it starts with the engine"


def settings(home: Path, **variables: str) -> Settings:
    return load_settings({"ORDERLOG_HOME": str(home), **variables})


def alpaca(home: Path, url: str) -> Settings:
    keys = {"APCA_API_KEY_ID": "key", "APCA_API_SECRET_KEY": "secret"}
    return settings(home, ORDERLOG_EXCHANGE="alpaca", ALPACA_BASE_URL=url, **keys)


def test_without_redis_the_database_carries_messages(tmp_path: Path) -> None:
    assert services.bus(settings(tmp_path, REDIS_URL="none")) == Finding("bus", "LISTEN/NOTIFY of the database")


def test_a_redis_that_is_set_answers(tmp_path: Path, valkey_url: str) -> None:
    assert services.bus(settings(tmp_path, REDIS_URL=valkey_url)).detail == "Redis answers"


def test_a_redis_that_is_set_and_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(redis.RedisError):
        services.bus(settings(tmp_path, REDIS_URL="redis://127.0.0.1:1/0"))


def test_what_is_embedded_and_has_never_run_starts_with_the_engine(tmp_path: Path) -> None:
    never = settings(tmp_path / "home")
    assert (services.bus(never).detail, services.venue(never).detail) == (LATER, LATER)


def test_what_is_embedded_and_does_not_run_starts_with_the_engine(tmp_path: Path) -> None:
    stopped = settings(open_home(tmp_path / "home").directory)
    assert (services.bus(stopped).detail, services.venue(stopped).detail) == (LATER, LATER)


def test_an_exchange_that_answers_is_fine(tmp_path: Path) -> None:
    with stand_in(Scripted(200, {"is_open": True})) as url:
        assert services.venue(alpaca(tmp_path, url)) == Finding("venue", f"alpaca answers at {url}")


def test_an_exchange_that_refuses_our_keys_is_said(tmp_path: Path) -> None:
    with stand_in(Scripted(403, {"message": "forbidden."})) as url:
        assert "APCA_API_KEY_ID" in services.venue(alpaca(tmp_path, url)).remedy


def test_an_exchange_that_is_broken_is_an_error(tmp_path: Path) -> None:
    with stand_in(Scripted(500)) as url, pytest.raises(httpx2.HTTPStatusError):
        services.venue(alpaca(tmp_path, url))


def test_an_engine_that_lacks_something_says_what() -> None:
    states = {"database": "ok", "exchange": "down", "projections": "ok", "bus": "down"}
    with stand_in(Scripted(503, {"status": "down", "dependencies": states})) as url:
        assert services.engine(url).detail.endswith("these are down: exchange, bus")


def test_an_engine_that_lacks_nothing_is_fine() -> None:
    with stand_in(Scripted(200, {"status": "ok", "dependencies": {"database": "ok"}})) as url:
        assert services.engine(url).ok
