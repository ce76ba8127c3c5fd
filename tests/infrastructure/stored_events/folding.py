"""The states that the stored events fold to, on file: ``python -m tests.infrastructure.stored_events.folding`` writes them anew."""

import json
import sys
from pathlib import Path
from typing import Any, get_args

from domain.aggregates import FOLD_VERSION, evolve, initial
from domain.events import (
    HALTS_STREAM,
    ROLLOUT_STREAM,
    AccountEvent,
    HaltEvent,
    OrderEvent,
    RolloutEvent,
    StreamId,
    UnknownOrderReported,
)
from domain.order import BrokenHistoryError
from infrastructure.codec import Codec
from infrastructure.state_codec import encode, shapes
from tests.infrastructure.stored_events import old_log, texts

FILE = Path(__file__).parent / "folded_states.json"


def folded() -> dict[str, Any]:
    """What is on file when nothing has changed: the version of the fold, the shapes of states, and every state.

    A state follows each event of the old log in its stream, and each text in a stream of its kind; what cannot follow is
    said to be broken.
    """
    log = [(raw.stream_id, raw) for raw in old_log()]
    for text in texts():
        raw = log[0][1]._replace(type=text.type, data=text.data)
        log.append((_stream(type(Codec().to_recorded_event(raw).event)), raw))
    states: dict[str, Any] = {}
    lines = []
    for stream_id, raw in log:
        before = states.setdefault(stream_id, initial(stream_id))
        try:
            states[stream_id] = evolve(before, Codec().to_recorded_event(raw).event)
            state = json.loads(encode(states[stream_id]))
        except BrokenHistoryError:
            state = "broken"
        lines.append([stream_id, raw.type, state])
    return {"fold_version": FOLD_VERSION, "shapes": shapes(), "states": lines}


def on_file() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def is_another_fold(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether programs that take each other's snapshots for their own fold the same events to other states.

    What is only there now is an addition: texts of events are only ever added.
    """
    are_alike = set(before["shapes"]) <= set(now["shapes"])
    return are_alike and now["states"][: len(before["states"])] != before["states"]


def _stream(event: type[Any]) -> StreamId:
    if event in get_args(OrderEvent):
        return StreamId("order-of-texts")
    if event in get_args(AccountEvent):
        return StreamId("account-of-texts")
    if event in get_args(HaltEvent):
        return HALTS_STREAM
    if event is RolloutEvent:
        return ROLLOUT_STREAM
    return StreamId("venue-of-texts" if event is UnknownOrderReported else "projection-of-texts")


if __name__ == "__main__":
    now = folded()
    if FILE.exists() and is_another_fold(on_file(), now):
        sys.exit(
            "The same events fold to other states of the same shape: raise FOLD_VERSION in domain/aggregates.py first"
        )
    lines = ",\n".join(json.dumps(line, ensure_ascii=False) for line in now.pop("states"))
    FILE.write_text(json.dumps(now)[:-1] + f', "states": [\n{lines}\n]}}\n')
