from pathlib import Path

import pytest

from infrastructure.composition import open_engine, open_venue
from infrastructure.settings import SettingsError, load_settings


async def test_an_engine_without_addresses_does_not_open(tmp_path: Path) -> None:
    settings = load_settings({"ORDERLOG_HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match="DATABASE_URL is not set"):
        async with open_engine(settings):
            pass
    with pytest.raises(SettingsError, match="ALPACA_BASE_URL is not set"):
        open_venue(settings)
