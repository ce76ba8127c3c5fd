"""From the commit to the trader's WebSocket."""

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from benchmarks.listening import Sockets, listening
from benchmarks.load import Load, send
from benchmarks.posting import TRADERS, prepared, requests_to
from benchmarks.rounds import Figure, Goal, Pace, percentile
from benchmarks.surroundings import Served, Surroundings, served

_ORDERS_A_SECOND = 500
_CONNECTIONS = 16
_CROWD = 1_000
_CROWD_ORDERS_A_SECOND = 5


def streams(around: Surroundings, pace: Pace) -> Iterator[Figure]:
    """Every trader's socket tells of each of their orders; then a thousand sockets of one trader."""
    url = prepared(around)
    with served(around, "api", url) as api:
        slowest = [_slowest(api, pace.seconds) for _ in range(pace.rounds + 1)][1:]
        yield Figure(
            f"commit to WebSocket, {_ORDERS_A_SECOND} orders/s, {TRADERS} subscribers, p99",
            "ms",
            slowest,
            goal=Goal(25, 10, at_most=True),
            note="from recorded_at, which the database sets before the commit, so the commit itself is in it",
        )
        crowd = _last_of_crowd(api, pace)
        yield Figure(
            f"one event to {_CROWD} WebSockets, the last one served, median",
            "ms",
            crowd,
            goal=Goal(50, 20, at_most=True),
        )


def _slowest(api: Served, seconds: float) -> float:
    sockets = Sockets(api.host, api.port, [api.token(f"bench-{number}") for number in range(TRADERS)])
    with listening(sockets) as listener:
        answered = send(Load(api.host, api.port, _CONNECTIONS, seconds, requests_to(api), _ORDERS_A_SECOND))
        heard = listener.heard()
    if answered.others or len(heard) < _ORDERS_A_SECOND * seconds * 0.99:
        raise RuntimeError(f"only {len(heard)} messages came, and {answered.others} orders were refused")
    return percentile([latency_ms for _, latency_ms in heard], 0.99)


def _last_of_crowd(api: Served, pace: Pace) -> list[float]:
    """The median of each round; opening so many sockets takes long, so that the rounds share them."""
    sockets = Sockets(api.host, api.port, [api.token("bench-0")] * _CROWD)
    rounds = pace.rounds + 1
    with listening(sockets) as listener:
        send(Load(api.host, api.port, 1, pace.seconds * rounds, requests_to(api)[:1], _CROWD_ORDERS_A_SECOND))
        heard = listener.heard()
    last: defaultdict[int, float] = defaultdict(float)
    for position, latency_ms in heard:
        last[position] = max(last[position], latency_ms)
    taken = [last[position] for position in sorted(last)]
    size = len(taken) // rounds
    return [median(taken[begin : begin + size]) for begin in range(size, size * rounds, size)]
