"""Which story a piece of work belongs to: the request that began it all, and what led here directly.

It goes along with a task by itself, into log lines and reports of errors; into the log it goes with every command, as
``Metadata``. An event is named by its stream and version (``order-…/3``): so a cause is found by who reads it.
"""

from contextvars import ContextVar, Token
from typing import NamedTuple


class Story(NamedTuple):
    """Ids as in ``Metadata``, and whom and what the work is about; what is not known is empty.

    ``retries`` counts the attempts at the venue before the one that is being made.
    """

    correlation_id: str = ""
    causation_id: str = ""
    trader_id: str = ""
    order_id: str = ""
    retries: int = 0


NO_STORY = Story()

TOLD: ContextVar[Story] = ContextVar("story", default=NO_STORY)
"""The story of the task that asks."""


def name_of(stream_id: str, version: int) -> str:
    """The name of an event as a cause of others."""
    return f"{stream_id}/{version}"


class about:  # noqa: N801 - it is read in sentences that begin with ``with``
    """What is done in this block is about the order; an error that leaves it knows its story for ever.

    In a block about an order, one about the same order changes nothing: the story goes on.
    """

    __slots__ = ("_before", "_order_id")

    def __init__(self, order_id: str) -> None:
        self._order_id = order_id
        self._before: Token[Story] | None = None

    def __enter__(self) -> None:
        told, order_id = TOLD.get(), self._order_id
        if told.order_id != order_id:
            story = Story(told.correlation_id, told.causation_id, told.trader_id, order_id, told.retries)
            self._before = TOLD.set(story)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Exception) and not hasattr(error, "story"):
            error.story = TOLD.get()  # type: ignore[attr-defined] # for whoever reports it
        if self._before is not None:
            TOLD.reset(self._before)


def go_on(order_id: str, story: Story) -> None:
    """What the task does next goes on like this, if it is about the order at all."""
    if TOLD.get().order_id == order_id:
        TOLD.set(story)


def retries() -> int:
    """How many attempts were made before the one that the task makes."""
    return TOLD.get().retries
