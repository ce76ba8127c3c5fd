import os
import stat
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from infrastructure.embedded.home import HomeError
from infrastructure.settings import Settings, SettingsError, jwt_secret, load_settings

SECRET = "s" * 32
ALPACA = {
    "ORDERLOG_EXCHANGE": "alpaca",
    "ALPACA_BASE_URL": "http://127.0.0.1:9000/",
    "APCA_API_KEY_ID": "key",
    "APCA_API_SECRET_KEY": "secret",
}


def test_every_setting_has_a_default() -> None:
    settings = load_settings({})
    assert settings.database_url is None
    assert settings.redis_url is None
    assert settings.home == Path.cwd() / ".orderlog"
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.jwt_secret, settings.jwks_url) == (None, None)
    assert settings.exchange == "paper"
    assert (settings.alpaca_base_url, settings.alpaca_stream_url, settings.alpaca_data_url) == (None, None, None)
    assert (settings.alpaca_key_id, settings.alpaca_secret_key) == (None, None)
    assert settings.venue_timeout == 5
    assert settings.retry_backoff == (1.0, 2.0, 4.0)
    assert settings.execution_enabled is True
    assert settings.execution_ramp_percent == 100
    assert (settings.sentry_dsn, settings.posthog_api_key, settings.otlp_endpoint) == (None, None, None)


def test_every_setting_is_read_from_its_variable() -> None:
    settings = load_settings(
        {
            **ALPACA,
            "DATABASE_URL": "postgresql://user:word@db:5432/orders",
            "REDIS_URL": "rediss://cache:6379/0",
            "ORDERLOG_HOME": "/srv/orders",
            "ORDERLOG_HOST": "0.0.0.0",  # noqa: S104 - never listened on
            "ORDERLOG_PORT": "0",
            "ORDERLOG_WORKERS": "3",
            "ORDERLOG_JWT_SECRET": SECRET,
            "ALPACA_STREAM_URL": "ws://127.0.0.1:9001/stream",
            "ALPACA_DATA_URL": "http://127.0.0.1:9002",
            "ORDERLOG_VENUE_TIMEOUT": "0.5",
            "ORDERLOG_RETRY_BACKOFF": "0, 0.5",
            "ORDER_EXECUTION_V2_ENABLED": "0",
            "ORDER_EXECUTION_V2_RAMP": "25",
            "SENTRY_DSN": "https://key@sentry.example/1",
            "POSTHOG_API_KEY": "phc",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
            "HOME": "/root",
        },
    )
    assert settings.database_url == "postgresql://user:word@db:5432/orders"
    assert settings.redis_url == "rediss://cache:6379/0"
    assert settings.home == Path("/srv/orders")
    assert (settings.host, settings.port, settings.workers) == ("0.0.0.0", 0, 3)  # noqa: S104 - never listened on
    assert settings.jwt_secret == SECRET
    assert settings.exchange == "alpaca"
    assert settings.alpaca_base_url == "http://127.0.0.1:9000"
    assert settings.alpaca_stream_url == "ws://127.0.0.1:9001/stream"
    assert settings.alpaca_data_url == "http://127.0.0.1:9002"
    assert (settings.alpaca_key_id, settings.alpaca_secret_key) == ("key", "secret")
    assert settings.venue_timeout == 0.5
    assert settings.retry_backoff == (0.0, 0.5)
    assert settings.execution_enabled is False
    assert settings.execution_ramp_percent == 25
    assert settings.sentry_dsn == "https://key@sentry.example/1"
    assert settings.posthog_api_key == "phc"
    assert settings.otlp_endpoint == "http://collector:4318"


def test_an_empty_value_counts_as_not_set() -> None:
    assert load_settings(dict.fromkeys(["DATABASE_URL", "ORDERLOG_PORT", "ORDERLOG_JWT_SECRET"], "")) == load_settings(
        {}
    )


def test_the_addresses_of_alpaca_follow_from_the_first() -> None:
    local = load_settings(ALPACA)
    assert local.alpaca_stream_url == "ws://127.0.0.1:9000/stream"
    assert local.alpaca_data_url == "http://127.0.0.1:9000"
    real = load_settings({**ALPACA, "ALPACA_BASE_URL": "https://paper-api.alpaca.markets"})
    assert real.alpaca_stream_url == "wss://paper-api.alpaca.markets/stream"
    assert real.alpaca_data_url == "https://data.alpaca.markets"


def test_redis_can_be_declined() -> None:
    assert load_settings({"REDIS_URL": "none"}).redis_url == "none"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "DATABASE_URL",
            "mysql://user:hush@db/orders",
            "has a wrong value (secret, not shown), but has to be a URL like postgresql://",
        ),
        ("REDIS_URL", "http://:hush@cache", "has a wrong value (secret, not shown), but has to be a URL like redis://"),
        ("ORDERLOG_PORT", "eighty", "is 'eighty', but has to be a whole number from 0 (any free port) to 65535"),
        ("ORDERLOG_PORT", "65536", "is '65536', but has to be a whole number"),
        ("ORDERLOG_MAX_POSITION", "-1", "is '-1', but has to be"),
        ("ORDERLOG_WORKERS", "0", "is '0', but has to be a whole number of API processes from 1 to 64"),
        ("ORDERLOG_JWT_SECRET", "hush", "has a wrong value (secret, not shown), but has to be at least 32 bytes long"),
        ("ORDERLOG_JWKS_URL", "keys.json", "is 'keys.json', but has to be an http or https URL"),
        ("ORDERLOG_TRUSTED_PROXIES", "10.0.0.7/8", "is '10.0.0.7/8', but has to be addresses or networks separated by"),
        ("ORDERLOG_TRUSTED_PROXIES", "lb", "is 'lb', but has to be addresses or networks separated by commas"),
        ("ORDERLOG_CORS_ORIGINS", "*", "is '*', but has to be origins separated by commas, like https://desk.example"),
        ("ORDERLOG_CORS_ORIGINS", "https://a.example/x", "is 'https://a.example/x', but has to be origins"),
        ("ORDERLOG_CORS_ORIGINS", "https://a.example:x", "is 'https://a.example:x', but has to be origins"),
        ("ORDERLOG_TRADER_REQUESTS_PER_SECOND", "0", "is '0', but has to be a whole number from 1 to 1,000,000,000"),
        ("ORDERLOG_EXCHANGE", "nyse", "is 'nyse', but has to be `paper` or `alpaca`"),
        (
            "ALPACA_BASE_URL",
            "https://venue/v2/",
            "is 'https://venue/v2/', but has to be an http or https URL without /v2",
        ),
        ("ALPACA_BASE_URL", "https://venue:port", "is 'https://venue:port', but has to be an http or https URL"),
        ("ALPACA_STREAM_URL", "ws://venue", "is 'ws://venue', but has to be a ws or wss URL that ends in /stream"),
        ("ALPACA_DATA_URL", "ftp://venue", "is 'ftp://venue', but has to be an http or https URL"),
        ("ORDERLOG_VENUE_TIMEOUT", "0", "is '0', but has to be a number of seconds greater than 0"),
        ("ORDERLOG_VENUE_TIMEOUT", "inf", "is 'inf', but has to be a number of seconds"),
        ("ORDERLOG_RETRY_BACKOFF", "1,,2", "is '1,,2', but has to be numbers of seconds separated by commas"),
        ("ORDERLOG_RETRY_BACKOFF", "1,-2", "is '1,-2', but has to be numbers of seconds"),
        ("ORDERLOG_RETRY_BACKOFF", "nan", "is 'nan', but has to be numbers of seconds"),
        ("ORDER_EXECUTION_V2_ENABLED", "maybe", "is 'maybe', but has to be 1 or 0"),
        ("ORDER_EXECUTION_V2_RAMP", "101", "is '101', but has to be a whole number of percent from 0 to 100"),
        ("SENTRY_DSN", "hush", "has a wrong value (secret, not shown), but has to be an http or https URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "is 'collector:4318', but has to be an http or https URL"),
    ],
)
def test_a_wrong_value_names_itself_and_what_is_expected(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({variable: value})
    message = str(refused.value)
    assert message.startswith(f"{variable} {expected}")
    assert "hush" not in message
    assert message.count("but has to be") == 1
    assert "\n" not in message


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"^ORDERLOG_PORT is 'x', .*\. ORDERLOG_WORKERS is 'y', .*\.$"):
        load_settings({"ORDERLOG_PORT": "x", "ORDERLOG_WORKERS": "y"})


def test_tokens_cannot_be_verified_in_two_ways() -> None:
    with pytest.raises(SettingsError, match="ORDERLOG_JWT_SECRET and ORDERLOG_JWKS_URL are both set"):
        load_settings({"ORDERLOG_JWT_SECRET": SECRET, "ORDERLOG_JWKS_URL": "https://issuer/keys"})


def test_alpaca_needs_an_address_and_keys() -> None:
    with pytest.raises(
        SettingsError, match="ORDERLOG_EXCHANGE is 'alpaca', which needs ALPACA_BASE_URL and APCA_API_SECRET_KEY"
    ):
        load_settings({"ORDERLOG_EXCHANGE": "alpaca", "APCA_API_KEY_ID": "key"})


def test_settings_cannot_be_changed_and_do_not_show_secrets() -> None:
    settings = load_settings(
        {**ALPACA, "ORDERLOG_JWT_SECRET": SECRET, "DATABASE_URL": "postgresql://user:word@db/orders"}
    )
    with pytest.raises(ValidationError):
        settings.port = 1
    assert not any(secret in repr(settings) for secret in (SECRET, "word", "'key'", "'secret'"))


def test_every_setting_says_what_it_expects() -> None:
    assert all(field.description and field.validation_alias for field in Settings.model_fields.values())


def test_the_secret_that_is_set_is_the_one(tmp_path: Path) -> None:
    assert jwt_secret(load_settings({"ORDERLOG_JWT_SECRET": SECRET, "ORDERLOG_HOME": str(tmp_path / "home")})) == SECRET
    assert not (tmp_path / "home").exists()


def test_without_one_a_secret_is_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    settings = load_settings({"ORDERLOG_HOME": str(tmp_path / "home")})
    secret = jwt_secret(settings)
    assert len(secret.encode()) >= 32
    assert jwt_secret(settings) == secret
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["jwt-secret"]
    assert stat.S_IMODE((tmp_path / "home" / "jwt-secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_processes_that_race_for_the_secret_get_the_same_one(tmp_path: Path) -> None:
    source = "import os; from infrastructure.settings import *; input(); print(jwt_secret(load_settings(os.environ)))"
    environment = {**os.environ, "ORDERLOG_HOME": str(tmp_path)}
    command = [sys.executable, "-c", source]
    racers = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write(b"\n")
        racer.stdin.flush()
    assert len({racer.communicate(timeout=30)[0] for racer in racers}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["jwt-secret"]


def test_a_secret_that_another_process_made_meanwhile_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "jwt-secret"
    kept.write_text(SECRET)
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert jwt_secret(load_settings({"ORDERLOG_HOME": str(tmp_path)})) == SECRET


def test_a_kept_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt-secret").write_text("")
    with pytest.raises(SettingsError, match=r"jwt-secret is shorter than 32 bytes: remove it"):
        jwt_secret(load_settings({"ORDERLOG_HOME": str(tmp_path)}))


def test_a_home_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError):
        jwt_secret(load_settings({"ORDERLOG_HOME": str(tmp_path / "file")}))


@pytest.mark.parametrize("name", ["ORDERLOG_DIRECT_DATABASE_URL", "ORDERLOG_READ_DATABASE_URL"])
def test_another_way_to_the_database_needs_the_first_one(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is set, and DATABASE_URL, beside which it works, is not"):
        load_settings({name: "postgresql://u@h/d"})
    settings = load_settings({name: "postgresql://u@h/d", "DATABASE_URL": "postgresql://pooler/d"})
    assert {settings.direct_database_url, settings.read_database_url} == {None, "postgresql://u@h/d"}


def test_what_outlives_a_transaction_goes_the_direct_way_if_there_is_one() -> None:
    settings = load_settings({"DATABASE_URL": "postgresql://pooler/d"})
    assert settings.session_url == "postgresql://pooler/d"
    settings = load_settings(
        {"DATABASE_URL": "postgresql://pooler/d", "ORDERLOG_DIRECT_DATABASE_URL": "postgresql://h/d"}
    )
    assert settings.session_url == "postgresql://h/d"


def test_proxies_and_origins_are_lists() -> None:
    settings = load_settings(
        {
            "ORDERLOG_TRUSTED_PROXIES": "10.0.0.7, 10.1.0.0/16",
            "ORDERLOG_CORS_ORIGINS": "https://Desk.example/,http://a:1",
        }
    )
    assert settings.trusted_proxies == (ip_network("10.0.0.7/32"), ip_network("10.1.0.0/16"))
    assert settings.cors_origins == ("https://desk.example", "http://a:1")
    assert load_settings({}).cors_origins == ()
    assert settings.model_validate({"ORDERLOG_TRUSTED_PROXIES": settings.trusted_proxies}).trusted_proxies
