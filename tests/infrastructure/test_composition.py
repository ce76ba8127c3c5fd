from pathlib import Path

import pytest
from psycopg.errors import InsufficientPrivilege

from infrastructure.composition import open_engine, open_venue
from infrastructure.postgres.roles import APP
from infrastructure.settings import SettingsError, load_settings


async def test_an_engine_without_addresses_does_not_open(tmp_path: Path) -> None:
    settings = load_settings({"ORDERLOG_HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match="DATABASE_URL is not set"):
        async with open_engine(settings):
            pass
    with pytest.raises(SettingsError, match="ALPACA_BASE_URL is not set"):
        open_venue(settings)


async def test_an_engine_works_as_the_role_that_cannot_change_the_log(database_url: str, tmp_path: Path) -> None:
    settings = load_settings(
        {"DATABASE_URL": database_url, "REDIS_URL": "none", "ORDERLOG_HOME": str(tmp_path / "home")}
    )
    async with open_engine(settings) as engine, engine.pool.connection() as connection:
        assert await (await connection.execute("SELECT current_user")).fetchone() == (APP,)
        with pytest.raises(InsufficientPrivilege):
            await connection.execute("DELETE FROM events")
        assert "orderlog_app" in str(engine.settings.database_url)
