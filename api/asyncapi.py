"""The AsyncAPI 3.0 document of the streams, made from the messages that they send and the parameters that they take."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api import streams
from api.answers import EVENT_STREAM, JSON
from api.messages import STATUS_MESSAGES
from api.openapi import query_parameters
from api.problems import STATUS_OF
from api.schemas import EventsQuery, EventView, StreamQuery
from infrastructure.version import VERSION

Schema = dict[str, Any]

_REF = "#/components/schemas/{model}"
_LOG_EVENT = "log.event"

_DESCRIPTION = """\
What happens to a trader's orders, as it happens: one message for each event of an order, in the order of their positions in
the log. Whoever remembers the `position` of the last message and gives it as `after` goes on behind it, without a gap or a
repeat, whatever cut the stream. Decimals are text, times are RFC 3339 UTC with microseconds."""

_SOCKET_DESCRIPTION = """\
One JSON message to a text frame. With `after`, everything above that position comes first, and then it goes on live; without
it, it begins now. A heartbeat comes when nothing else has for some seconds. Nothing is read: this socket only speaks.
Who asks is said by `ticket` (from `POST /api/v1/stream-tickets`: no token in a URL), `token`, or the header `Authorization`."""

_SSE_DESCRIPTION = """\
The same messages as server-sent events: `id` is the position, `data` the message as JSON. The header `Last-Event-ID`, which a
browser sends by itself when it comes back, goes before `after`. Heartbeats come as messages, too."""

_LOG_DESCRIPTION = """\
Every event of the log exactly as it is stored, for auditors, with `Accept: text/event-stream`: `id` is the position, `data`
the event as JSON. It goes on live unless `until` or `to` ends it, and resumes by `Last-Event-ID`. When nothing happens, a
comment (`: heartbeat`) comes."""

_REFUSALS: Mapping[str, str] = {
    "INVALID_REQUEST": "A parameter is wrong; the reason names it",
    "UNAUTHENTICATED": "The token or ticket is not good",
    "FORBIDDEN": "The token lacks the role `trader`",
    "KEYS_UNAVAILABLE": "The key of the token cannot be asked for at the moment: try again",
    "RATE_LIMITED": "Too many requests, or too many streams of this trader or at this process: come back later",
    "EVENTS_ARCHIVED": "What comes after `after` is archived; a stream without `after` goes on",
}
"""Why a socket is closed before it says anything, by the code of the problem; it closes with its status and 4000."""

_SECURITY_SCHEMES: Mapping[str, Schema] = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "tokenParameter": {"type": "httpApiKey", "in": "query", "name": "token"},
    "ticketParameter": {"type": "httpApiKey", "in": "query", "name": "ticket"},
}

_LAST_EVENT_ID = {"type": "string", "pattern": "^[0-9]{1,19}$", "description": "the `id` of the last event that came"}


def streams_document() -> Schema:
    """The document that describes the streams."""
    by_name: dict[str, type[BaseModel]] = {**STATUS_MESSAGES, _LOG_EVENT: EventView}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "serialization") for model in by_name.values()]
    _, definitions = models_json_schema(models, ref_template=_REF)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "orderlog streams", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": JSON,
        "servers": {"socket": _server("ws"), "http": _server("http")},
        "channels": {
            "orderStatus": _channel("/ws/orders/events", "socket", _SOCKET_DESCRIPTION, STATUS_MESSAGES)
            | {"bindings": {"ws": _socket_binding()}, "x-close-codes": close_codes()},
            "orderStatusEvents": _channel("/api/v1/orders/stream", "http", _SSE_DESCRIPTION, STATUS_MESSAGES),
            "log": _channel("/api/v1/events", "http", _LOG_DESCRIPTION, [_LOG_EVENT]),
        },
        "operations": {
            "sendOrderStatus": _operation(
                "orderStatus",
                "Status messages of your orders, by WebSocket",
                ("ticketParameter", "tokenParameter", "token"),
            ),
            "sendOrderStatusEvents": _operation(
                "orderStatusEvents",
                "Status messages of your orders, as server-sent events",
                ("token", "ticketParameter", "tokenParameter"),
            )
            | _http_binding(StreamQuery),
            "sendLog": _operation("log", "Every event as it is recorded, for auditors", ("token",))
            | _http_binding(EventsQuery),
        },
        "components": {
            "messages": {name: _message(name, model) for name, model in by_name.items()},
            "schemas": definitions["$defs"],
            "securitySchemes": dict(_SECURITY_SCHEMES),
        },
    }


def close_codes() -> list[Schema]:
    """Every code that a socket of ours closes with: ``{code, reason, resumable}``.

    ``resumable``: the same request with ``after`` set to the last position goes on.
    """
    own = [each for each in vars(streams).values() if isinstance(each, streams.Close)]
    refusals = [streams.Close(4000 + STATUS_OF[code], reason) for code, reason in _REFUSALS.items()]
    return [
        {"code": close.code, "reason": close.reason, "resumable": "resume" in close.reason}
        for close in sorted([*own, *refusals])
    ]


def _server(protocol: str) -> Schema:
    host = {"default": "127.0.0.1:8000", "description": "where the engine listens"}
    return {"host": "{host}", "protocol": protocol, "variables": {"host": host}}


def _channel(address: str, server: str, description: str, messages: Iterable[str]) -> Schema:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operation(channel: str, summary: str, security: Iterable[str]) -> Schema:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "security": [{"$ref": f"#/components/securitySchemes/{scheme}"} for scheme in security],
    }


def _message(name: str, model: type[BaseModel]) -> Schema:
    return {
        "name": name,
        "summary": " ".join((model.__doc__ or "").split()),
        "contentType": JSON,
        "payload": {"$ref": _REF.format(model=model.__name__)},
    }


def _socket_binding() -> Schema:
    headers = {"type": "object", "properties": {"Authorization": {"type": "string", "pattern": "^Bearer .+$"}}}
    return {"method": "GET", "query": _parameters(StreamQuery), "headers": headers, "bindingVersion": "0.1.0"}


def _http_binding(query: type[BaseModel]) -> Schema:
    return {
        "bindings": {"http": {"method": "GET", "query": _parameters(query), "bindingVersion": "0.3.0"}},
        "x-headers": {"Accept": {"const": EVENT_STREAM}, "Last-Event-ID": _LAST_EVENT_ID},
    }


def _parameters(query: type[BaseModel]) -> Schema:
    properties = {
        parameter["name"]: parameter["schema"] | {key: parameter[key] for key in ("description",) if key in parameter}
        for parameter in query_parameters(query)
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}
