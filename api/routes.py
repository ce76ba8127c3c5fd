"""The one table of endpoints, from which both the routes and ``/openapi.json`` are made."""

from collections.abc import Sequence

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api import (
    audit,
    checkpoints,
    commands,
    exposition,
    features,
    health,
    metrics,
    operations,
    projections,
    queries,
    risk,
    schemas,
    statements,
    streams,
)
from api.answers import EVENT_STREAM, METRICS, NDJSON, Answer, add_headers, problem_answer
from api.auth import AUDITOR, OPS, TRADER, require_role
from api.endpoints import Call, Endpoint, Running
from api.problems import Problem, problem_of
from api.requests import ClientLeftError, parse_body, parse_query, read_body
from application.story import TOLD, Story

_TRADERS = frozenset({TRADER})
_AUDITORS = frozenset({AUDITOR})
_TRADERS_AND_AUDITORS = frozenset({TRADER, AUDITOR})
_ALL = frozenset({TRADER, AUDITOR, OPS})
_OPS = frozenset({OPS})
_TRADERS_AND_OPS = frozenset({TRADER, OPS})
_AUDITORS_AND_OPS = frozenset({AUDITOR, OPS})

_ORDER_HEADERS = {"ETag": "the order's version; comes back in `If-Match` and `If-None-Match`"}
_PLACED_HEADERS = _ORDER_HEADERS | {"Location": "where the order is"}
_REPLAYED = "It was placed before: the first answer again, with `Idempotent-Replayed: true`"

_INVALID_ORDER = ("INVALID_REQUEST", "INVALID_QUANTITY", "INVALID_PRICE", "INVALID_SYMBOL")
_REFUSED_ORDER = (
    "INSUFFICIENT_FUNDS",
    "INSUFFICIENT_POSITION",
    "MAX_POSITION_EXCEEDED",
    "MAX_ORDER_QUANTITY_EXCEEDED",
    "MAX_NOTIONAL_EXCEEDED",
    "MAX_OPEN_ORDERS_EXCEEDED",
    "MAX_DAILY_NOTIONAL_EXCEEDED",
    "RATE_LIMITED",
    "PRICE_OUT_OF_COLLAR",
    "NO_REFERENCE_PRICE",
    "STALE_PRICE",
    "RESTRICTED_SYMBOL",
    "TRADING_HALTED",
)
_STORE = ("STORE_UNAVAILABLE", "EVENT_UNREADABLE", "EVENTS_ARCHIVED")
_COMMAND = (*_STORE, "OUTCOME_UNKNOWN", "BUSY")
_BODY = ("PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
_KEY = ("IDEMPOTENCY_KEY_REUSED",)

# fmt: off
ENDPOINTS: tuple[Endpoint, ...] = (
    # ── Commands ──
    Endpoint(
        method="POST", path="/api/v1/orders", summary="Place an order", handler=commands.place_order,
        roles=_TRADERS, body=schemas.OrderBody, takes_idempotency_key=True,
        status=201, answer=schemas.OrderView, also={200: _REPLAYED}, headers=_PLACED_HEADERS,
        errors=(
            *_INVALID_ORDER, *_REFUSED_ORDER, "DUPLICATE_ORDER", *_KEY, *_BODY, *_COMMAND, "ORDER_EXECUTION_DISABLED",
            "VENUE_QUEUE_FULL",
        ),
    ),
    Endpoint(
        method="POST", path="/api/v1/orders/{order_id}/cancel", summary="Cancel what is left of an order",
        handler=commands.cancel_order, roles=_TRADERS, takes_if_match=True, answer=schemas.OrderView,
        headers=_ORDER_HEADERS, errors=("ORDER_NOT_CANCELLABLE", "NOT_FOUND", "PRECONDITION_FAILED", *_COMMAND),
    ),
    Endpoint(
        method="POST", path="/api/v1/orders/{order_id}/replace", summary="Go on with other terms",
        handler=commands.replace_order, roles=_TRADERS, body=schemas.ReplaceBody, takes_if_match=True,
        answer=schemas.OrderView, headers=_ORDER_HEADERS, errors=(
            "ORDER_NOT_REPLACEABLE", "NOT_FOUND", "PRECONDITION_FAILED",
            *_INVALID_ORDER, *_REFUSED_ORDER, *_BODY, *_COMMAND,
        ),
    ),
    Endpoint(
        method="POST", path="/api/v1/accounts/{trader_id}/deposits", summary="Deposit cash", handler=commands.deposit,
        roles=_OPS, body=schemas.CashBody, takes_idempotency_key=True, answer=schemas.AccountView,
        errors=("INVALID_REQUEST", "NOT_FOUND", *_KEY, *_BODY, *_COMMAND),
    ),
    Endpoint(
        method="POST", path="/api/v1/accounts/{trader_id}/withdrawals", summary="Withdraw cash",
        handler=commands.withdraw, roles=_OPS, body=schemas.CashBody, takes_idempotency_key=True,
        answer=schemas.AccountView, errors=("INVALID_REQUEST", "INSUFFICIENT_FUNDS", "NOT_FOUND", *_KEY, *_BODY, *_COMMAND),
    ),
    Endpoint(
        method="PUT", path="/api/v1/accounts/{trader_id}/limits", summary="Set limits of a trader",
        handler=risk.put_limits, roles=_OPS, body=schemas.LimitsBody, answer=schemas.LimitsView,
        errors=("NOT_FOUND", *_BODY, *_COMMAND),
    ),
    Endpoint(
        method="POST", path="/api/v1/halts", summary="Halt all trading, a trader, or a symbol", handler=risk.halt,
        roles=_OPS, body=schemas.HaltBody, status=201, answer=schemas.HaltView, errors=(*_BODY, *_COMMAND),
    ),
    Endpoint(
        method="DELETE", path="/api/v1/halts/{scope}", summary="End a halt; what is still halted is the answer",
        handler=risk.resume, roles=_OPS, query=schemas.ResumeQuery, answer=schemas.HaltsPage,
        errors=("NOT_FOUND", *_COMMAND),
    ),
    # ── Queries ──
    Endpoint(
        method="GET", path="/api/v1/orders", summary="Your orders, newest first", handler=queries.list_orders,
        roles=_TRADERS, query=schemas.OrdersQuery, answer=schemas.OrdersPage, errors=_STORE,
    ),
    # Before the orders, whose ids would match it.
    Endpoint(
        method="GET", path="/api/v1/orders/stream", summary="Your orders' status messages as they happen",
        handler=streams.stream_orders, own_check=_TRADERS, query=schemas.StreamQuery, answer=None, media=(EVENT_STREAM,),
        errors=("UNAUTHENTICATED", "FORBIDDEN", "KEYS_UNAVAILABLE", "TOO_MANY_STREAMS", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/orders/{order_id}", summary="An order, as it is or as it was",
        handler=queries.get_order, roles=_TRADERS_AND_AUDITORS, query=schemas.OrderQuery, answer=schemas.OrderView,
        also={304: "It is what `If-None-Match` says"}, headers=_ORDER_HEADERS, errors=("NOT_FOUND", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/orders/{order_id}/events", summary="An order's events",
        handler=audit.list_order_events, roles=_TRADERS_AND_AUDITORS, answer=schemas.EventsPage,
        errors=("NOT_FOUND", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/orders/{order_id}/proof", summary="A proof that an order's events are in the log",
        handler=checkpoints.get_proof, roles=_TRADERS_AND_AUDITORS, answer=schemas.ProofView,
        errors=("NOT_FOUND", "LOG_TAMPERED", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/orders/{order_id}/fills", summary="An order's fills", handler=queries.list_fills,
        roles=_TRADERS, answer=schemas.FillsPage, errors=("NOT_FOUND", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/account", summary="Your cash and positions", handler=queries.get_account,
        roles=_TRADERS, query=schemas.AsOfQuery, answer=schemas.AccountView, errors=_STORE,
    ),
    Endpoint(
        method="GET", path="/api/v1/account/statement", summary="Every movement of your cash",
        handler=statements.get_statement, roles=_ALL, query=schemas.StatementQuery, answer=schemas.StatementView,
        errors=("INVALID_REQUEST", "NOT_FOUND", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/positions", summary="What you hold and have traded",
        handler=queries.list_positions, roles=_TRADERS, query=schemas.AsOfQuery, answer=schemas.PositionsPage,
        errors=_STORE,
    ),
    Endpoint(
        method="GET", path="/api/v1/accounts/{trader_id}/limits", summary="The limits that hold for a trader",
        handler=risk.get_limits, roles=_ALL, answer=schemas.LimitsView, errors=("NOT_FOUND", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/halts", summary="What is halted now", handler=risk.list_halts,
        roles=_AUDITORS_AND_OPS, answer=schemas.HaltsPage, errors=_STORE,
    ),
    Endpoint(
        method="GET", path="/api/v1/execution-log", summary="What happened to your orders; to all, for auditors and ops",
        handler=queries.list_entries, roles=_ALL, query=schemas.EntriesQuery, answer=schemas.EntriesPage, errors=_STORE,
    ),
    Endpoint(
        method="GET", path="/api/v1/instruments", summary="What the venue trades", handler=queries.list_instruments,
        roles=_ALL, answer=schemas.InstrumentsPage,
    ),
    Endpoint(
        method="GET", path="/api/v1/events", summary="The log: a page, a download, or a stream that goes on live",
        handler=audit.list_events, roles=_AUDITORS, query=schemas.EventsQuery, answer=schemas.EventsPage,
        media=(NDJSON, EVENT_STREAM), errors=("TOO_MANY_STREAMS", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/audit/checkpoint", summary="A signed checkpoint of the log as it is",
        handler=checkpoints.get_checkpoint, roles=_AUDITORS, answer=schemas.CheckpointView,
        errors=("LOG_TAMPERED", *_STORE),
    ),
    Endpoint(
        method="GET", path="/api/v1/audit/public-key", summary="The public key of checkpoints",
        handler=checkpoints.get_public_key, answer=schemas.PublicKeyView,
    ),
    # ── Streams ──
    Endpoint(
        method="POST", path="/api/v1/stream-tickets", summary="A ticket that opens one stream, once",
        handler=streams.issue_ticket, roles=_TRADERS, status=201, answer=schemas.TicketView, errors=_STORE,
    ),
    # ── The page ──
    Endpoint(
        method="GET", path="/api/v1/features", summary="What is switched on for you", handler=features.get_features,
        roles=_TRADERS_AND_OPS, answer=schemas.FeaturesView, errors=_STORE,
    ),
    Endpoint(
        method="PUT", path="/api/v1/features", summary="Say whose orders are taken", handler=features.put_features,
        roles=_OPS, body=schemas.RolloutBody, answer=schemas.RolloutView, errors=("INVALID_REQUEST", *_BODY, *_COMMAND),
    ),
    Endpoint(
        method="POST", path="/api/v1/metrics", summary="Tell what became of what a person did", handler=metrics.take_metrics,
        roles=_ALL, body=schemas.MetricsBody, status=202, answer=schemas.MetricsTakenView, errors=_BODY,
    ),
    # ── Operations ──
    Endpoint(
        method="GET", path="/api/v1/projections", summary="How the read models stand",
        handler=projections.list_projections, roles=_OPS, answer=projections.ProjectionsPage, errors=_STORE,
    ),
    Endpoint(
        method="GET", path="/api/v1/operations", summary="What goes on at the moment", handler=operations.get_operations,
        roles=_OPS, answer=operations.OperationsView, errors=_STORE,
    ),
    Endpoint(
        method="GET", path="/api/v1/health/orders", summary="Whether orders can be taken and carried out",
        handler=health.get_health, answer=schemas.HealthView, also={503: "They cannot"},
    ),
    Endpoint(
        method="GET", path="/metrics", summary="Metrics for Prometheus", handler=exposition.get_exposition,
        answer=None, media=(METRICS,), is_counted=False,
    ),
    Endpoint(
        method="GET", path="/livez", summary="Whether the process lives", handler=health.get_livez,
        answer=schemas.StatusView, is_counted=False,
    ),
    Endpoint(
        method="GET", path="/readyz", summary="Whether the process is ready", handler=health.get_readyz,
        answer=schemas.StatusView, also={503: "It is not"}, is_counted=False,
    ),
)
# fmt: on


class Resource:
    """All methods of one path, as an ASGI application: one dictionary between the route and the handler."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._by_method = {endpoint.method: endpoint for endpoint in endpoints}
        get = self._by_method.get("GET")
        # A stream has no end, so nobody can ask for its head alone.
        if get is not None and not {NDJSON, EVENT_STREAM}.intersection(get.media):
            self._by_method["HEAD"] = get
        self._allow = ", ".join(sorted(self._by_method))
        self.route = endpoints[0].path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, whatever it is."""
        running: Running = scope["app"].state.running
        call = Call(running, dict(scope["headers"]), scope["path_params"], running.admission.address_of(scope))
        try:
            answer = await self._answer(call, scope, receive)
        except ClientLeftError:
            return
        except Exception as error:  # noqa: BLE001 - every error is a problem document
            problem = problem_of(error, running.engine.trading.ids.new)
            running.engine.metrics.refusals.labels(problem.code).inc()
            answer = problem_answer(problem)
        if call.standing is not None:
            add_headers(answer, call.standing.headers())
        await answer(scope, receive, send)

    async def _answer(self, call: Call, scope: Scope, receive: Receive) -> ASGIApp:
        running = call.running
        endpoint = self._by_method.get(scope["method"])
        if endpoint is None:
            raise method_not_allowed(scope["method"], self._allow)
        if endpoint.roles:
            call.identity = await running.gate.bearer(call.headers, call.address)
            told, order_id = TOLD.get(), call.path.get("order_id", "")
            TOLD.set(Story(told.correlation_id, told.causation_id, call.identity.trader_id, order_id))
            call.standing = await running.admission.admit(call.address, call.identity.trader_id)
            require_role(call.identity, endpoint.roles)
        elif endpoint.is_counted:
            call.standing = await running.admission.admit(call.address, None)
        if endpoint.query is not schemas.NoQuery or scope["query_string"]:
            call.query = parse_query(endpoint.query, scope["query_string"])
        if endpoint.body is not None:
            call.body = parse_body(endpoint.body, await read_body(call.headers, receive))
        return await endpoint.handler(call)


class Document:
    """A document that never changes while the application runs."""

    route = "static"

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with it."""
        answer = self._answer
        if scope["method"] not in {"GET", "HEAD"}:
            answer = problem_answer(method_not_allowed(scope["method"], "GET, HEAD"))
        await answer(scope, receive, send)


def method_not_allowed(method: str, allow: str) -> Problem:
    """405, and what is allowed."""
    return Problem("METHOD_NOT_ALLOWED", f"{method} is not possible here", headers={"allow": allow})


def routes_of(endpoints: Sequence[Endpoint]) -> list[Route]:
    """One route for each path, in the order of the table."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    # A scope may have a slash in it: symbol:BTC/USD.
    return [Route(path.replace("{scope}", "{scope:path}"), Resource(same)) for path, same in by_path.items()]
