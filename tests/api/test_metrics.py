import pytest
from structlog.testing import capture_logs

from tests.api.clients import Client, pointers_of, problem_of

METRICS = "/api/v1/metrics"
FILLED = {"name": "order.filled", "category": "task_success", "at": "2026-01-02T03:04:05Z"}
ORDER_ID = "00000000-0000-4000-8000-000000000000"


async def test_each_event_is_a_structured_line_of_the_log(alice: Client) -> None:
    more = {"order_id": ORDER_ID, "duration_ms": 120, "code": "BUSY"}
    with capture_logs() as lines:
        response = await alice.post(METRICS, {"events": [FILLED, FILLED | more]})
    assert (response.status_code, response.json()) == (202, {"accepted": 2})
    line = {
        "event": "order.filled",
        "trader_id": alice.trader_id,
        "category": "task_success",
        "at": "2026-01-02T03:04:05.000000Z",
        "log_level": "info",
    }
    assert lines == [line, line | more]


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        ({"name": "no dots"}, "/events/0/name"),
        ({"name": "order.filled\nforged"}, "/events/0/name"),
        ({"category": "joy"}, "/events/0/category"),
        ({"at": "yesterday"}, "/events/0/at"),
        ({"order_id": "x"}, "/events/0/order_id"),
        ({"code": "not a code"}, "/events/0/code"),
        ({"duration_ms": -1}, "/events/0/duration_ms"),
        ({"duration_ms": 1.5}, "/events/0/duration_ms"),
        ({"trader_id": "bob"}, "/events/0/trader_id"),
    ],
)
async def test_what_is_no_event_is_refused(alice: Client, event: dict[str, object], pointer: str) -> None:
    response = await alice.post(METRICS, {"events": [FILLED | event]})
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == [pointer]


@pytest.mark.parametrize("count", [0, 101])
async def test_there_are_some_events_but_not_too_many(alice: Client, count: int) -> None:
    response = await alice.post(METRICS, {"events": [FILLED] * count})
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == ["/events"]


async def test_nobody_tells_anything_without_a_token(alice: Client) -> None:
    response = await alice.http.post(METRICS, json={"events": [FILLED]})
    problem_of(response, 401, "UNAUTHENTICATED")
