"""Latencies in a few numbers."""

from collections.abc import Iterable
from math import ceil

_QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


def percentiles(seconds: Iterable[float]) -> dict[str, float] | None:
    """Percentiles by nearest rank, in milliseconds to a hundredth; None when nothing was measured."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return {name: round(ordered[ceil(len(ordered) * share) - 1] * 1000, 2) for name, share in _QUANTILES.items()}
