"""Who is killed where: the boundaries of an order's way, everybody who can die there, and the plan of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random  # noqa: TID251 - it is seeded, and the seed is printed

from tests.faults.wire import Trap

LEADER = "the leader"
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""PostgreSQL's answer to a commit."""

# What an event looks like on its way into the log: its type and one of its fields.
_PLACED = (b"OrderPlaced", b'"order_type"')
_SENT = (b"OrderSent", b'"attempt"')
_REPORTED = (b"OrderFilled", b'"fill_id"')
_CANCELLED = (b"OrderCancelled", b'"reason"')
_SUBMIT = (b"POST /v2/orders ",)
_CANCEL = (b"DELETE /v2/orders/",)
_ANY_ANSWER = b"HTTP/1.1 "


@dataclass(frozen=True)
class Boundary:
    """A moment on the way of an order.

    Attributes:
        name: the moment, in words that end the sentence "... is killed".
        wire: between whom it is held: the API or the leader, and the server it talks to.
        asked: what is said at that moment.
        answered: None: that is held; else the answer to it.
        arrives_late: what is held reaches the server although its sender is dead by then.
    """

    name: str
    wire: tuple[str, str]
    asked: tuple[bytes, ...]
    answered: bytes | None = None
    arrives_late: bool = False

    def trap(self) -> Trap:
        return Trap(self.asked, self.answered)


BOUNDARIES = (
    Boundary("before an order is recorded", ("api", "database"), _PLACED),
    Boundary("after an order is recorded, before it is answered", ("api", "database"), _PLACED, COMMITTED),
    Boundary("before the attempt is recorded", (LEADER, "database"), _SENT),
    Boundary("before the send", (LEADER, "database"), _SENT, COMMITTED),
    Boundary("during the send", (LEADER, "venue"), _SUBMIT),
    Boundary("during the send, which arrives late", (LEADER, "venue"), _SUBMIT, arrives_late=True),
    Boundary("after the send, before the answer", (LEADER, "venue"), _SUBMIT, _ANY_ANSWER),
    Boundary("after the answer, before the commit", (LEADER, "database"), _REPORTED),
    Boundary("after the commit, before anybody knows", (LEADER, "database"), _REPORTED, COMMITTED),
    Boundary("between commit and publish", (LEADER, "bus"), (b"PUBLISH",)),
    Boundary("during a cancel, which arrives late", (LEADER, "venue"), _CANCEL, arrives_late=True),
    Boundary("after a cancel, before its answer", (LEADER, "venue"), _CANCEL, _ANY_ANSWER),
    Boundary("after a cancel's report, before the commit", (LEADER, "database"), _CANCELLED),
)

VICTIMS = ("the leader", "the API", "the engine", "the standby", "the venue", "PostgreSQL", "Valkey")
"""The engine is the API and the leader at once, as when `orderlog serve` is killed."""


@dataclass(frozen=True)
class Round:
    """One kill. Without a boundary it comes at a random moment."""

    victim: str
    boundary: Boundary | None

    @property
    def name(self) -> str:
        return f"{self.victim} is killed {self.boundary.name if self.boundary else 'at a random moment'}"


def every_round(seed: int) -> list[Round]:
    """Everybody at every boundary, and twice at a random moment, in an order that the seed decides."""
    rounds = [Round(victim, boundary) for boundary in (*BOUNDARIES, None, None) for victim in VICTIMS]
    _random(seed).shuffle(rounds)
    return rounds


def some_rounds(seed: int) -> list[Round]:
    """Every boundary once, with whoever stands at it, and everybody else once at a random moment."""
    at_boundaries = [
        Round("the API" if boundary.wire[0] == "api" else LEADER, boundary)
        for boundary in BOUNDARIES
        if boundary.name not in _COVERED_BY_OTHERS
    ]
    at_random = [Round(victim, None) for victim in VICTIMS if victim not in {LEADER, "the API"}]
    rounds = [*at_boundaries, *at_random]
    _random(seed).shuffle(rounds)
    return rounds


_COVERED_BY_OTHERS: Sequence[str] = (
    "before the attempt is recorded",
    "during the send",
    "after a cancel's report, before the commit",
)


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - nothing here is secret
