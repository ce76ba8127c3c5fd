"""Identifiers that nobody has used before."""

from uuid import uuid4  # noqa: TID251 - the one place that asks


class UuidIds:
    """Random UUIDs."""

    def new(self) -> str:
        """A new UUID as text."""
        return str(uuid4())
