from pathlib import Path

import pytest

from infrastructure.composition import environment, open_engine, open_venue, resolved
from infrastructure.embedded.servers import Addresses
from infrastructure.settings import SettingsError, load_settings

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


async def test_an_engine_without_addresses_does_not_open(tmp_path: Path) -> None:
    settings = load_settings({"ORDERLOG_HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match="DATABASE_URL is not set"):
        async with open_engine(settings):
            pass
    with pytest.raises(SettingsError, match="ALPACA_BASE_URL is not set"):
        open_venue(settings)
