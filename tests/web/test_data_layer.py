"""The page's data layer: its own tests, and its fold of the stream held against the read model's fold of the log."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from api.views import order_row_view
from application.status import status_message
from domain.events import TOPICS, OrderEvent, order_of
from domain.values import exactly
from projections.fills import FILLS
from projections.orders import ORDERS
from tests.making import ROOT, make
from tests.projections.histories import History, histories


def test_the_page_folds_what_the_stream_tells_to_what_the_api_answers(tmp_path: Path) -> None:
    """All tests of the data layer, and among them `fold.test.ts` with fifty histories from here."""
    told: list[dict[str, Any]] = []

    @settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(histories())
    def tell(history: History) -> None:
        told.append(story_of(history))

    tell()
    names = {message["event"] for story in told for message in story["messages"]}
    assert len(names) > len([event for event in TOPICS.values() if event in OrderEvent.__args__]) // 2
    file = tmp_path / "histories.json"
    file.write_text(json.dumps(told))
    make("web/node_modules/.package-lock.json")
    run = subprocess.run(
        [ROOT / "web" / "with-node", "npm", "test", "--", "--no-color"],
        env=os.environ | {"HISTORIES": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "skipped" not in run.stdout, run.stdout


def story_of(history: History) -> dict[str, Any]:
    """What the stream tells of a history, and the orders as the API answers them in the end."""
    with exactly():
        rows = ORDERS.fold({}, history.log).values()
        fills = FILLS.fold({}, history.log).values()
        orders = [
            order_row_view(
                row,
                sorted(
                    (fill for fill in fills if fill.order_id == row.id and fill.quantity_filled),
                    key=lambda fill: fill.position,
                ),
            )
            for row in rows
        ]
        of_orders = [recorded for recorded in history.log if order_of(recorded.stream_id)]
        return {"messages": [status_message(recorded) for recorded in of_orders], "orders": orders}
