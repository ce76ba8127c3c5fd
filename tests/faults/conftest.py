"""The living system that the rounds share."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.faults.stage import Stage


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.clear()
    stage.sum_up()
