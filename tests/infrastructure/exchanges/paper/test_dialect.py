import msgspec
import pytest

from infrastructure.exchanges.paper.dialect import activity, trade_update
from tests.infrastructure.exchanges.paper.floor import Floor


def test_a_fill_is_told_with_its_price_quantity_position_and_commission() -> None:
    floor = Floor(commission="0.01")
    floor.place("buy", "10")
    message = msgspec.json.decode(trade_update(floor.updates[-1]))
    assert message["stream"] == "trade_updates"
    data = message["data"]
    assert (data["event"], data["order"]["status"], data["timestamp"]) == ("fill", "filled", "2026-11-20T14:30:01Z")
    assert (data["price"], data["qty"], data["position_qty"], data["commission"]) == ("190.01", "10", "10", "0.1")
    assert activity(floor.updates[-1])["id"].endswith("::" + data["execution_id"])


def test_an_update_without_a_fill_has_no_price() -> None:
    floor = Floor()
    floor.place("buy", "10", limit="185")
    data = msgspec.json.decode(trade_update(floor.updates[-1]))["data"]
    assert set(data) == {"event", "execution_id", "timestamp", "order"}


def test_an_update_without_a_fill_is_no_activity() -> None:
    floor = Floor()
    floor.place("buy", "1", limit="1")
    with pytest.raises(ValueError, match="update 1 carries no fill"):
        activity(floor.updates[0])
