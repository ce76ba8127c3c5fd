"""Who answers a question: the standby, or the primary in its place. Two databases stand for the two servers."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.read_models import ReadModels
from infrastructure.postgres.standby import Exports, Reads, Standby, open_standby
from infrastructure.reachability import check_servers
from infrastructure.settings import load_settings
from tests.conftest import execute, fresh_database
from tests.infrastructure.postgres.pools import pool_of
from tests.infrastructure.samples import writes

NAMES = ("orders", "fills")
AWAY = "postgresql://x@127.0.0.1:1/x"


class Servers(NamedTuple):
    primary: ReadModels
    standby: Standby
    standby_url: str

    def standby_comes_to_5(self) -> None:
        execute(self.standby_url, "UPDATE checkpoints SET position = 5")

    def reads(self, rest_seconds: float = 0.0) -> Reads:
        return Reads(self.primary, self.standby.read_models, rest_seconds)


@pytest.fixture
async def servers(postgres: str, migrated_template: str, database_url: str) -> AsyncIterator[Servers]:
    execute(database_url, "UPDATE checkpoints SET position = 7")
    with fresh_database(postgres, template=migrated_template) as url:
        async with pool_of(database_url) as pool, open_standby(url, 2, pooled=False) as standby:
            assert standby is not None
            yield Servers(ReadModels(pool), standby, url)


async def position(read_models: ReadModels) -> int:
    return await read_models.checkpoint("orders")


async def test_without_a_standby_the_primary_answers(servers: Servers) -> None:
    async with open_standby(None, 2, pooled=False) as none:
        assert none is None
    reads = Reads(servers.primary, None)
    assert await reads.ask(position) == 7
    assert await reads.ask(position, NAMES, 7, 10) == 7
    assert await reads.ask(position, NAMES, 8, 0.01) == 7


async def test_the_standby_answers_what_it_has_read_far_enough_for(servers: Servers) -> None:
    servers.standby_comes_to_5()
    reads = servers.reads()
    assert await reads.ask(position) == 5
    assert await reads.ask(position, NAMES, 5, 10) == 5
    assert await reads.ask(position, NAMES, 6, 0.1) == 7


async def test_a_standby_that_is_behind_is_left_alone_for_a_while(servers: Servers) -> None:
    reads = servers.reads(rest_seconds=1000)
    assert await reads.ask(position) == 0
    assert await reads.ask(position, NAMES, 7, 0.1) == 7
    assert await reads.ask(position) == 7


async def test_a_standby_that_is_away_is_replaced_by_the_primary(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_standby(AWAY, 2, pooled=True) as away:
        assert away is not None
        reads = Reads(servers.primary, away.read_models)
        assert await reads.ask(position) == 7
        assert await reads.ask(position) == 7
    assert caplog.text.count("the standby does not answer, and the primary is asked") == 1


async def test_a_long_read_of_the_log_goes_where_all_of_it_is(servers: Servers, database_url: str) -> None:
    async with PostgresEventStore(database_url) as primary:
        end = (await primary.append([writes("a", 0)], 0)).position
        assert await Exports(primary, None).reaching(end) is primary
        exports = Exports(primary, servers.standby.store)
        assert await exports.reaching(0) is servers.standby.store
        assert await exports.reaching(end) is primary
        async with open_standby(AWAY, 2, pooled=True) as away:
            assert away is not None
            assert await Exports(primary, away.store).reaching(end) is primary


def test_a_standby_that_is_away_does_not_stop_the_start(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": "none"}
    check_servers(load_settings({**settings, "ORDERLOG_READ_DATABASE_URL": AWAY}))
    assert "ORDERLOG_READ_DATABASE_URL: the database does not answer" in caplog.text
    caplog.clear()
    check_servers(load_settings({**settings, "ORDERLOG_READ_DATABASE_URL": database_url}))
    assert caplog.text == ""
