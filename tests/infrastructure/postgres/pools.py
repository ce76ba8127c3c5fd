"""Pools as the engine opens them."""

from infrastructure.postgres.connecting import PREPARE_THRESHOLD, conninfo
from infrastructure.postgres.patience import Pool


def pool_of(database_url: str, size: int = 4) -> Pool:
    """A pool that is opened by ``async with``."""
    kwargs = {"autocommit": True, "prepare_threshold": PREPARE_THRESHOLD}
    return Pool(conninfo(database_url), min_size=1, max_size=size, open=False, kwargs=kwargs)
