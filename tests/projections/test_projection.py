"""What holds for every read model."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import RecordedEvent
from domain.lifecycle import Status
from projections.projection import Key, Projection
from projections.registry import PROJECTIONS
from tests.domain.orders import filled, placed
from tests.projections.histories import SETTINGS, History, histories, log_of


def folded_in(projection: Projection[Any], history: History, batches: list[list[RecordedEvent]]) -> dict[Key, Any]:
    """The rows after all batches, each folded from no more rows and streams than it asked for."""
    rows: dict[Key, Any] = {}
    for batch in batches:
        known = {key: rows[key] for key in projection.keys(batch) if key in rows}
        rows |= projection.fold(known, batch, history.past(projection.retold(batch)))
    return rows


@SETTINGS
@given(histories(), st.data())
def test_the_size_of_the_batches_makes_no_difference(history: History, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history.log)), max_size=10)))
    edges = [0, *cuts, len(history.log)]
    batches = [history.log[start:end] for start, end in pairwise(edges)]
    for projection in PROJECTIONS:
        assert folded_in(projection, history, batches) == projection.fold({}, history.log)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_a_row_knows_its_own_key(projection: Projection[Any]) -> None:
    history = History()
    for event in (placed(), filled(40, 40, Status.PARTIALLY_FILLED)):
        history.record(log_of(event)[0].stream_id, event)
    for key, row in projection.fold({}, history.log).items():
        assert key == tuple(getattr(row, name) for name in projection.key)


def test_every_read_model_has_a_name_of_its_own() -> None:
    assert [projection.name for projection in PROJECTIONS] == [
        "orders",
        "fills",
        "accounts",
        "positions",
        "execution_log",
    ]
