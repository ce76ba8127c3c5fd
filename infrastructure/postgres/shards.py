"""Shares of the log that can be worked on apart: each has whole streams."""

from typing import Final, NamedTuple

SHARD: Final = "(hashtextextended({stream}, 0) & 9223372036854775807) %% %(of)s = %(number)s"
"""Whether a stream is in a shard, for a statement that has the shard's fields as its parameters."""


class Shard(NamedTuple):
    """One of several disjoint sets of streams."""

    number: int = 0
    of: int = 1


WHOLE: Final = Shard()
