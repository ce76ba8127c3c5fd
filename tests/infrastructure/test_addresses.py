from infrastructure.addresses import environment, resolved
from infrastructure.embedded.servers import Addresses
from infrastructure.settings import load_settings

EMBEDDED = Addresses("postgresql:///embedded", "unix:///embedded", "http://127.0.0.1:7")


def test_an_address_that_was_set_is_kept_and_others_come_from_the_embedded_servers() -> None:
    unset = resolved(load_settings({}), EMBEDDED)
    assert (unset.database_url, unset.redis_url) == ("postgresql:///embedded", "unix:///embedded")
    assert (unset.alpaca_base_url, unset.alpaca_stream_url) == ("http://127.0.0.1:7", "ws://127.0.0.1:7/stream")
    chosen = resolved(load_settings({"DATABASE_URL": "postgresql://x/y", "REDIS_URL": "none"}), EMBEDDED)
    assert (chosen.database_url, chosen.redis_url) == ("postgresql://x/y", "none")


def test_a_child_process_reads_the_same_addresses() -> None:
    settings = resolved(load_settings({"REDIS_URL": "none"}), EMBEDDED)
    child = load_settings(environment(settings))
    assert environment(child) == environment(settings)
    assert set(environment(load_settings({}))) == set()
