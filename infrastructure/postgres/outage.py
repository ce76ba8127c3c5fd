"""Whether the database answers: while it does not, whoever needs it is told so at once, and one reader goes on trying."""

import logging

from psycopg import OperationalError

log = logging.getLogger(__name__)


class DatabaseAwayError(OperationalError):
    """The database did not answer a moment ago, and nobody has had an answer since."""


class Outage:
    """Whether the database is away, for everybody in this process who needs it.

    Whoever has waited in vain begins an outage. The follower, which asks for the end of the log all the time anyway, is
    the one who finds out that it is over; everybody else is refused meanwhile, so that no request waits for what the one
    before it did not get.

    Args:
        is_watched: whether somebody goes on trying. Otherwise there is no outage, because nobody would end it.
    """

    def __init__(self, *, is_watched: bool = True) -> None:
        self.is_on = False
        self._is_watched = is_watched

    def begin(self, error: Exception) -> None:
        """Somebody has waited in vain."""
        if self._is_watched and not self.is_on:
            self.is_on = True
            log.error("the database does not answer, and nothing waits for it: %s", error)

    def end(self) -> None:
        """Somebody has had an answer."""
        if self.is_on:
            self.is_on = False
            log.warning("the database answers again")

    def refuse(self) -> None:
        """Do nothing, unless the database is away.

        Raises:
            DatabaseAwayError: it is.
        """
        if self.is_on:
            raise DatabaseAwayError("the database did not answer a moment ago")


UNWATCHED = Outage(is_watched=False)
"""For whoever has no follower, and finds out for himself every time."""
