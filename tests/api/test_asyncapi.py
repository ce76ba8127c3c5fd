"""The AsyncAPI document is one, and describes what streams really send, field for field."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from api.asyncapi import close_codes, streams_document
from api.messages import STATUS_MESSAGES
from api.schemas import EventsQuery, StreamQuery
from application.status import status_message
from domain.deciding import NEVER_ARRIVED
from domain.events import Event, OrderEvent, OrderPlaced, OrderRejected, RecordedEvent, order_stream
from infrastructure.version import VERSION
from tests.api.clients import Client, World
from tests.api.serving import Served, closed, receive, sse
from tests.infrastructure.samples import EVERY_EVENT, METADATA, ORDER
from tests.infrastructure.test_codec import NOW
from tests.making import ROOT, make

DOCUMENT = streams_document()
SPECIFICATION = ROOT / "web" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"


def order_events() -> Iterator[Event]:
    for event in EVERY_EVENT:
        if isinstance(event, OrderEvent):
            yield event
        if isinstance(event, OrderRejected):
            yield replace(event, code=NEVER_ARRIVED)


def told(event: Event) -> dict[str, Any]:
    message = status_message(RecordedEvent(7, order_stream(ORDER), 3, event, METADATA, NOW, b""))
    assert message is not None
    return message


def errors_of(message: dict[str, Any], name: str | None = None) -> list[str]:
    """What the document's schema of the message finds wrong with it."""
    payload = DOCUMENT["components"]["messages"][name or message["event"]]["payload"]
    schema = payload | {"components": DOCUMENT["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return [error.message for error in validator.iter_errors(message)]


def test_the_document_is_what_the_specification_says_a_document_is() -> None:
    make("web/node_modules/.package-lock.json")
    validator = jsonschema_rs.validator_for(json.loads(Path(SPECIFICATION).read_text()))
    assert [(error.instance_path, error.message) for error in validator.iter_errors(DOCUMENT)] == []


def test_every_reference_leads_somewhere() -> None:
    references = [word for word in json.dumps(DOCUMENT).split('"') if word.startswith("#/")]
    assert references
    for reference in references:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


@pytest.mark.parametrize("event", list(order_events()), ids=lambda event: type(event).__name__)
def test_the_message_of_every_order_event_is_described_field_for_field(event: Event) -> None:
    message = told(event)
    assert errors_of(message) == []
    assert list(message) == list(STATUS_MESSAGES[message["event"]].model_fields)


def test_what_may_be_nothing_is_described_so() -> None:
    (placed,) = (event for event in EVERY_EVENT if isinstance(event, OrderPlaced))
    nothing: dict[str, Any] = dict.fromkeys(("price", "stop_price", "stop_loss", "take_profit", "parent_order_id"))
    assert errors_of(told(replace(placed, **nothing))) == []


def test_no_message_is_described_that_is_never_sent() -> None:
    assert STATUS_MESSAGES.keys() == {told(event)["event"] for event in order_events()} | {"heartbeat"}


def test_another_message_is_not_the_one_described() -> None:
    message = told(EVERY_EVENT[0])
    assert errors_of(message | {"surprise": 1})
    assert errors_of(message | {"quantity": 100})
    assert errors_of({name: value for name, value in message.items() if name != "version"})


async def test_what_a_socket_and_server_sent_events_really_say_is_described(
    served: Served, alice: Client, world: World
) -> None:
    order = (await alice.place(quantity="2")).json()
    await world.accept(order["id"])
    await world.fill(order["id"], "1.5", "99.5")
    await alice.post(f"/api/v1/orders/{order['id']}/cancel")
    async with served.socket(f"?token={alice.token}&after=0") as connection:
        messages = await receive(connection, 4)
        heartbeat = json.loads(await asyncio.wait_for(connection.recv(), 5))
    async with served.stream(alice, "/api/v1/orders/stream?after=0") as response:
        events = sse(response)
        streamed = [await anext(events) for _ in range(5)]
    assert [message["event"] for message in messages] == [
        "order.submitted",
        "order.accepted",
        "order.filled",
        "order.cancel_requested",
    ]
    assert heartbeat["event"] == "heartbeat"
    assert [errors_of(message) for message in [*messages, heartbeat]] == [[]] * 5
    assert [json.loads(event["data"]) for event in streamed[:4]] == messages
    assert errors_of(json.loads(streamed[4]["data"])) == []


async def test_what_the_log_streams_is_described(served: Served, auditor: Client, alice: Client) -> None:
    await alice.place()
    headers = {"Accept": "text/event-stream"}
    async with served.stream(auditor, "/api/v1/events?after=0", headers) as response:
        event = await anext(sse(response))
    assert errors_of(json.loads(event["data"]), "log.event") == []


async def test_a_socket_closes_with_codes_that_are_described(served: Served, auditor: Client) -> None:
    described = {close["code"] for close in close_codes()}
    for query, code in (("?token=nonsense", 4401), ("?after=minus", 4400), (f"?token={auditor.token}", 4403)):
        async with served.socket(query) as connection:
            assert (await closed(connection))[0] == code
        assert code in described
    assert {1008, 1011, 1012, 1013, 4408, 4410} <= described


def test_the_parameters_are_those_that_are_read() -> None:
    binding = DOCUMENT["channels"]["orderStatus"]["bindings"]["ws"]
    assert list(binding["query"]["properties"]) == list(StreamQuery.model_fields)
    log = DOCUMENT["operations"]["sendLog"]["bindings"]["http"]
    assert list(log["query"]["properties"]) == list(EventsQuery.model_fields)


async def test_the_document_is_served_to_anybody(world: World) -> None:
    response = await world.http.get("/asyncapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == DOCUMENT
    assert (DOCUMENT["asyncapi"], DOCUMENT["info"]["version"]) == ("3.0.0", VERSION)
