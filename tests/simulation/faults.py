"""What can go wrong, and how often it does in one simulation.

Each seed draws which faults exist in its world and how frequent each is, so that some worlds have one fault only, over
and over, and others have everything at once.
"""

from enum import Enum, auto

from tests.simulation.chances import Chances


class Fault(Enum):
    """One way in which the world lets the engine down."""

    NO_CONNECTION = auto()
    REQUEST_LOST = auto()
    REQUEST_LATE = auto()  # the connection dies, and what was sent on it arrives all the same
    ANSWER_LOST = auto()
    ERROR_BEFORE = auto()  # 5xx, nothing was done
    ERROR_AFTER = auto()  # 5xx, it was done
    BUSY = auto()  # 429
    REFUSED = auto()  # a definitive no
    REJECTED_LATER = auto()  # taken in, then rejected
    DUPLICATE_UNSEEN = auto()  # "must be unique", and the query says that there is no such order
    STALE_ANSWER = auto()  # a query is answered with what was true a moment ago
    FILLS_MISSING = auto()  # an order is shown before its fills are
    CANCEL_DRAGS = auto()  # a cancel is taken, and carried out later
    CANCEL_REFUSED_LATER = auto()
    REPLACE_REFUSED_LATER = auto()
    PREDECESSOR_KEPT = auto()  # an order is replaced, and works on all the same
    STREAM_DROPPED = auto()
    MESSAGE_LATE = auto()
    MESSAGE_TWICE = auto()
    MESSAGE_UNREADABLE = auto()
    STORE_REFUSES = auto()
    STORE_ANSWER_LOST = auto()
    STORE_COMMITS_LATE = auto()  # the writer is told that the store is away, and then it commits
    READ_FAILS = auto()
    NOTIFICATION_LOST = auto()
    API_ANSWER_LOST = auto()
    WORKER_CRASH = auto()  # at one of its calls to the outside, before or after it
    API_CRASH = auto()

    __hash__ = object.__hash__  # there is one of each, and asking for faults is most of what happens


_HIGHEST = {
    Fault.WORKER_CRASH: 0.01,
    Fault.API_CRASH: 0.005,
    Fault.STREAM_DROPPED: 0.05,
    Fault.STORE_REFUSES: 0.05,
    Fault.STORE_ANSWER_LOST: 0.05,
    Fault.STORE_COMMITS_LATE: 0.03,
    Fault.READ_FAILS: 0.1,
    Fault.REFUSED: 0.1,
    Fault.REJECTED_LATER: 0.1,
    Fault.NOTIFICATION_LOST: 0.8,
}
_HIGHEST_OTHERWISE = 0.3
_CALM_WORLDS = 0.06
_ABSENT_FAULTS = (0.2, 0.5, 0.85)
_LOAD_SHARE = 0.2
_LATEST_SECONDS = (2.0, 6.0, 30.0)


class Faults:
    """The faults of one world; what is on its way when they end still arrives.

    ``latest_seconds``: how long after its sender gave up a request may arrive.
    """

    def __init__(self, chances: Chances, *, is_load: bool = False) -> None:
        self.is_calm = chances.happens(_CALM_WORLDS)
        self.latest_seconds = chances.one_of(_LATEST_SECONDS)
        absent = 1.0 if self.is_calm else chances.one_of(_ABSENT_FAULTS)
        share_max = _LOAD_SHARE if is_load else 1.0
        self.rates: dict[Fault, float] = {}
        for fault in Fault:
            is_there, share = not chances.happens(absent), share_max * chances.random()
            if is_there:
                self.rates[fault] = _HIGHEST.get(fault, _HIGHEST_OTHERWISE) * share * share
        self._chances = chances.branch("faults")
        self._in_force = self.rates

    def end(self) -> None:
        """From now on nothing goes wrong."""
        self._in_force = {}

    def strikes(self, fault: Fault) -> bool:
        """Whether this fault happens now."""
        rate = self._in_force.get(fault)
        return rate is not None and self._chances.random() < rate

    def seconds(self, low: float, high: float) -> float:
        """How long a fault lasts, or how late something comes."""
        return self._chances.between(low, high)

    def described(self) -> str:
        """The faults that exist in this world and their rates."""
        rates = ", ".join(f"{fault.name.lower()} {rate:.3f}" for fault, rate in self.rates.items())
        return f"late by up to {self.latest_seconds:g} s; {rates or 'no faults'}"
