import pytest

from infrastructure.reachability import UnreachableError, check_key_server, check_servers
from infrastructure.settings import load_settings
from tests.key_server import Signer, key_server


def test_servers_that_are_not_set_are_not_asked() -> None:
    check_servers(load_settings({}))


@pytest.mark.parametrize("redis_url", ["none", "{valkey}"])
def test_servers_that_answer_are_accepted(database_url: str, valkey_url: str, redis_url: str) -> None:
    check_servers(load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url.format(valkey=valkey_url)}))


def test_a_database_that_does_not_answer_is_named() -> None:
    settings = load_settings({"DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "REDIS_URL": "none"})
    with pytest.raises(UnreachableError, match=r"^DATABASE_URL: the database does not answer: .*refused"):
        check_servers(settings)


def test_a_redis_that_does_not_answer_is_named(database_url: str) -> None:
    settings = load_settings({"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1"})
    with pytest.raises(UnreachableError, match=r"^REDIS_URL: Redis does not answer: .*refused"):
        check_servers(settings)


def test_a_key_server_is_asked_for_keys() -> None:
    with key_server(Signer("one")) as server:
        check_key_server(server.url)
        server.keys = []
        with pytest.raises(UnreachableError, match=r"gives no keys: http.*/jwks has no key for RS256 or ES256$"):
            check_key_server(server.url)
    with pytest.raises(
        UnreachableError, match=r"^ORDERLOG_JWKS_URL: the key server gives no keys: http.*does not answer"
    ):
        check_key_server(server.url)
