"""What a replay did and how long things took, as data and as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

from cli.replay.latency import percentiles
from cli.replay.replay import Replayed


def summary(done: Replayed) -> dict[str, Any]:
    """Counts, refusals by code, and latencies in milliseconds. Decimals are text.

    The accept latency is the round trip of placing an order. The fill latency of an order is the time from the answer
    that accepts it to its first fill on its trader's stream, 0 when the stream was faster than the answer.
    """
    sent, tally, plan = done.sent, done.tally, done.plan
    filled = [order_id for order_id in sent.may_rest if order_id in tally.first_fills]
    delays = [max(0.0, tally.first_fills[order_id] - sent.accepted_at[order_id]) for order_id in filled]
    return {
        "messages": {"total": plan.messages.total(), **plan.messages},
        "passed_over": dict(plan.passed_over),
        "orders": {
            "placed": len(sent.may_rest),
            "cancels": sent.cancels,
            "cancels_of_refused_orders": sent.without_order,
            "with_fills": len(filled),
            "shares_filled": f"{tally.shares(sent.may_rest):f}",
            "by_status": _counted(tally.statuses.get(order_id) for order_id in sent.may_rest),
            "unsettled": done.unsettled,
        },
        "refusals": dict(sent.refusals),
        "retries": done.retries,
        "prices": {"shift": f"{done.shift:f}", "reference_price": f"{done.reference_price:f}"},
        "opening": {"deposited": f"{done.deposited:f}", "shares": done.opening_shares},
        "seconds": round(done.seconds, 3),
        "messages_per_second": round(len(plan.steps) / done.seconds, 1) if done.seconds else None,
        "accept_latency_ms": percentiles(sent.accept_seconds),
        "fill_latency_ms": percentiles(delays),
    }


def rows(summarised: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same for a table: a name and a text for each entry."""
    return [(name.replace("_", " "), _text(value)) for name, value in summarised.items()]


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_short(entry)}" for name, entry in value.items()) or "none"
    return _short(value)


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(entry)}" for name, entry in value.items())
    return "none" if value is None else str(value)


def _counted(values: Iterable[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        name = str(value or "UNKNOWN")
        counts[name] = counts.get(name, 0) + 1
    return counts
