"""The OpenAPI 3.1 document, made from the table of endpoints and the models they name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.answers import EVENT_STREAM, JSON, METRICS, NDJSON, PROBLEM_JSON
from api.endpoints import Endpoint
from api.problems import STATUS_OF
from api.schemas import ProblemView
from domain.halts import SCOPE_PATTERN
from infrastructure.version import VERSION

Schema = dict[str, Any]

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"{(\w+)}")
_ALWAYS = ("INVALID_REQUEST", "INTERNAL_ERROR")
_COUNTED = ("RATE_LIMITED",)
_WITH_ROLES = ("UNAUTHENTICATED", "FORBIDDEN", "KEYS_UNAVAILABLE")

_PATH_SCHEMAS: Mapping[str, Schema] = {
    "order_id": {"type": "string", "format": "uuid"},
    "scope": {"type": "string", "pattern": SCOPE_PATTERN, "examples": ["symbol:AAPL"]},
    "trader_id": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$"},
}

_STREAMED: Mapping[str, Schema] = {
    NDJSON: {"type": "string", "description": "one event to a line, as JSON"},
    METRICS: {"type": "string", "description": "the text format of Prometheus"},
    EVENT_STREAM: {
        "type": "object",
        "description": "of each event: `id` is its position in the log",
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]+$"},
            "data": {"type": "string", "contentMediaType": JSON},
        },
        "required": ["id", "data"],
    },
}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and request again gives the first answer again; nothing is done twice.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$"},
}

_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "Only if the order is at one of these versions: each as an `ETag` gave it, or `*`.",
    "schema": {"type": "string", "pattern": r'^(\*|"[1-9][0-9]{0,17}"(, ?"[1-9][0-9]{0,17}")*)$', "examples": ['"3"']},
}


def document_of(endpoints: Sequence[Endpoint]) -> Schema:
    """The document that describes the endpoints."""
    asked = [endpoint.body for endpoint in endpoints if endpoint.body]
    told: list[type[BaseModel]] = [ProblemView, *(endpoint.answer for endpoint in endpoints if endpoint.answer)]
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in dict.fromkeys(asked)]
    models += [(model, "serialization") for model in dict.fromkeys(told)]
    _, definitions = models_json_schema(models, ref_template=_REF)
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orderlog",
            "version": VERSION,
            "description": "Orders as immutable events. Decimals are text, times are RFC 3339 UTC with microseconds.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(endpoint: Endpoint) -> Schema:
    operation: Schema = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint.path), *query_parameters(endpoint.query)],
        "responses": _responses(endpoint),
    }
    if endpoint.takes_idempotency_key:
        operation["parameters"].append(_IDEMPOTENCY_KEY)
    if endpoint.takes_if_match:
        operation["parameters"].append(_IF_MATCH)
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(endpoint.body)}}}
    if endpoint.roles:
        operation["security"] = [{"token": []}]
    if roles := sorted(endpoint.roles | endpoint.own_check):
        operation["description"] = f"Needs the role {' or '.join(roles)}."
        operation["x-roles"] = roles
    return operation


def _path_parameters(path: str) -> Iterable[Schema]:
    for name in _PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}


def query_parameters(query: type[BaseModel]) -> Iterable[Schema]:
    """The parameters that the model reads: ``{name, in, schema, description?}`` of each."""
    schema = query.model_json_schema(ref_template=_REF)
    definitions = schema.get("$defs", {})
    for name, field in schema.get("properties", {}).items():
        # A parameter that is absent is not null: what is left of the choice is what it can be.
        options = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
        shape = options[0] if len(options) == 1 else {"anyOf": options}
        if "$ref" in shape:
            shape = definitions[str(shape["$ref"]).rpartition("/")[2]]
        shape = {key: value for key, value in shape.items() if key not in {"title", "description"}}
        if field.get("default") is not None:
            shape["default"] = field["default"]
        parameter = {"name": name, "in": "query", "schema": shape}
        description = field.get("description") or next(
            (each["description"] for each in options if "description" in each), None
        )
        yield parameter | ({"description": description} if description else {})


def _responses(endpoint: Endpoint) -> Schema:
    content: Schema = {JSON: {"schema": _ref(endpoint.answer)}} if endpoint.answer else {}
    content |= {media: {"schema": _STREAMED[media]} for media in endpoint.media}
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in endpoint.headers.items()}
    responses: Schema = {}
    for status, description in {endpoint.status: HTTPStatus(endpoint.status).phrase, **endpoint.also}.items():
        responses[str(status)] = {"description": description, "headers": headers}
        if status != HTTPStatus.NOT_MODIFIED:
            responses[str(status)]["content"] = content
    return responses | _problems(endpoint, set(responses))


def _problems(endpoint: Endpoint, taken: set[str]) -> Schema:
    codes = dict.fromkeys(
        (
            *_ALWAYS,
            *(_COUNTED if endpoint.is_counted else ()),
            *(_WITH_ROLES if endpoint.roles else ()),
            *endpoint.errors,
        )
    )
    by_status: dict[str, list[str]] = {}
    for code in codes:
        by_status.setdefault(str(STATUS_OF[code].value), []).append(code)
    content = {PROBLEM_JSON: {"schema": {"$ref": _REF.format(model="ProblemView")}}}
    return {
        status: {"description": ", ".join(same), "content": content}
        for status, same in sorted(by_status.items())
        if status not in taken
    }


def _ref(model: type[BaseModel] | None) -> Schema:
    return {"$ref": _REF.format(model=model.__name__)} if model else {}
