"""What happened between the engine and the venue, request by request, for the checks and for whoever reads a failure."""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.values import OrderId

MAY_HAVE_ARRIVED = frozenset({"", "unknown", "has order", "ok"})
"""Outcomes after which the venue may have acted on a request; empty: nobody heard of one."""

_LISTS = frozenset({"working orders", "executions"})


@dataclass(slots=True)
class Request:
    """One request of a process to the venue, and what the process was told. ``task`` names who in it asked.

    ``number`` is that of the replacement that it is about, 0 for none.
    """

    at: float
    process: str
    process_number: int
    task: str
    kind: str
    order_id: OrderId
    number: int
    fate: str = ""
    outcome: str = ""
    code: str = ""
    answered_at: float = float("inf")

    def line(self) -> str:
        """For people."""
        what = f"{self.kind} {self.number}" if self.number else self.kind
        answer = f"{self.outcome} {self.code}".rstrip() or "nobody was told"
        return (
            f"{self.at:9.3f} {self.process} {what} {self.order_id} ({self.fate}) -> {answer} at {self.answered_at:.3f}"
        )


class Journal:
    """Everything in order, and the requests of each order.

    ``asked_at`` is when anything but a list was asked for last: lists are asked for all the time.
    """

    def __init__(self) -> None:
        self.asked_at = 0.0
        self.requests: dict[OrderId, list[Request]] = {}
        self.lines: list[tuple[float, str]] = []
        self.problems: list[str] = []

    def note(self, at: float, text: str) -> None:
        """Something happened to the world."""
        self.lines.append((at, text))

    def begin(self, request: Request) -> Request:
        """A request leaves a process."""
        self.requests.setdefault(request.order_id, []).append(request)
        if request.kind not in _LISTS:
            self.asked_at = request.at
        return request

    def story(self, order_ids: Iterable[OrderId] | None = None) -> list[str]:
        """What happened in the world and to these orders, in order, one line each."""
        chosen = self.requests if order_ids is None else order_ids
        found = [(each.at, each.line()) for order_id in chosen for each in self.requests.get(order_id, ())]
        found += [(at, f"{at:9.3f} {text}") for at, text in self.lines]
        return [line for _, line in sorted(found)]
