"""What Prometheus asks for: what the processes of this home have measured, and what the database knows of the rest."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.answers import METRICS, Answer
from api.endpoints import Call
from api.health import states_of
from infrastructure.metrics import build_of
from infrastructure.postgres.heartbeats import heartbeats
from infrastructure.postgres.projection_status import State, projection_status

_ANSWER_SECONDS = 2.0

_ORDERS = """
SELECT count(*), count(*) FILTER (WHERE 'UNRESOLVED' = ANY (flags)), pg_database_size(current_database())
FROM orders WHERE is_open
"""


class Sample(NamedTuple):
    """A value of a gauge as it is at the moment."""

    name: str
    what: str
    labels: Mapping[str, str]
    value: float


async def get_exposition(call: Call) -> Answer:
    """Every metric. What cannot be asked for at the moment is not there, and ``orderlog_dependency_up`` says why."""
    samples = [Sample(*each) for each in build_of(call.engine.settings.home)]
    states = await states_of(call)
    samples += [
        Sample(
            "orderlog_dependency_up",
            "Whether what orders need is there, as health has it",
            {"dependency": name},
            float(state == "ok"),
        )
        for name, state in states.items()
    ]
    if states["database"] == "ok":
        with suppress(Exception):  # it went meanwhile: the next answer says so
            async with asyncio.timeout(_ANSWER_SECONDS):
                samples += await _in_the_database(call)
    text = await asyncio.to_thread(call.engine.metrics.exposed, _Samples(samples))
    return Answer(200, text, METRICS)


async def _in_the_database(call: Call) -> list[Sample]:
    pool = call.engine.pool
    heard = await heartbeats(pool)
    async with pool.connection() as connection:
        projections = await projection_status(connection)
        ((open_orders, unresolved, size),) = await (await connection.execute(_ORDERS)).fetchall()
    samples = [
        Sample("orderlog_log_position", "The end of the log", {}, max(each.head_position for each in projections)),
        Sample("orderlog_open_orders", "Orders that are not over", {}, open_orders),
        Sample("orderlog_unresolved_orders", "Orders of which nobody knows whether the venue has them", {}, unresolved),
        Sample("orderlog_database_size_bytes", "Size of the database", {}, size),
    ]
    for each in projections:
        of = {"projection": each.name}
        stopped = float(each.state is not State.LIVE)
        samples += [
            Sample("orderlog_projection_lag_events", "Events that a projection has not read", of, each.lag_events),
            Sample(
                "orderlog_projection_lag_seconds", "How long the first of them has been there", of, each.lag_seconds
            ),
            Sample("orderlog_projection_stopped", "Whether a projection does not go on by itself", of, stopped),
        ]
    if "exchange" in heard:
        silence = heard["exchange"].age_seconds
        samples.append(Sample("orderlog_worker_silence_seconds", "How long no worker has been heard of", {}, silence))
    return samples


class _Samples(Collector):
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each name."""
        families: dict[str, GaugeMetricFamily] = {}
        for name, what, labels, value in self._samples:
            if name not in families:
                families[name] = GaugeMetricFamily(name, what, labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        yield from families.values()
