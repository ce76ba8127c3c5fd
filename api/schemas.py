"""Requests and answers: the one definition that validates what comes in and describes, in OpenAPI, what goes out."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.fields import (
    POSITION_MAX,
    WHOLE,
    AskedAmount,
    AskedClientOrderId,
    AskedNewQuantity,
    AskedOrderId,
    AskedOrderType,
    AskedPrice,
    AskedQuantity,
    AskedRamp,
    AskedReason,
    AskedScope,
    AskedSide,
    AskedStatus,
    AskedSymbol,
    AskedTimeInForce,
    AskedTraderId,
    Limit,
    Moment,
    MoneyText,
    Position,
    QuantityText,
    TimeText,
)
from application.ports import AsOf
from domain.events import TOPICS
from domain.lifecycle import Flag, Status
from domain.limits import NAMES
from domain.values import Money, OrderType, Quantity, Side, Symbol, TimeInForce

ORDERS_LIMIT_MAX = 100
EVENTS_LIMIT_MAX = 1000
METRICS_MAX = 100
DURATION_MS_MAX = 86_400_000


class Asked(BaseModel):
    """What comes in: nothing is guessed, nothing unknown is let through."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _example(**fields: Any) -> ConfigDict:  # noqa: ANN401 - JSON
    """What a request looks like, for those who read the description."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Told(BaseModel):
    """What goes out."""

    model_config = ConfigDict(extra="forbid")


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class OrderBody(Asked):
    """A new order. Decimals are text or JSON numbers; of a STOP order, `price` is the stop price when that is absent."""

    model_config = _example(symbol="AAPL", side="BUY", quantity="10", order_type="LIMIT", price="190.00")

    symbol: AskedSymbol
    side: AskedSide = Side.BUY
    quantity: AskedQuantity
    order_type: AskedOrderType
    price: AskedPrice = None
    stop_price: AskedPrice = None
    time_in_force: AskedTimeInForce = TimeInForce.DAY
    stop_loss: AskedPrice = None
    take_profit: AskedPrice = None
    client_order_id: AskedClientOrderId = None


class ReplaceBody(Asked):
    """New terms for an order, at least one; what is left out stays. `quantity` is the new total, fills included."""

    model_config = _example(quantity="20", price="189.50")

    quantity: AskedNewQuantity = None
    price: AskedPrice = None
    stop_price: AskedPrice = None


class CashBody(Asked):
    """An amount of dollars and cents."""

    model_config = _example(amount="10000.00")

    amount: AskedAmount


class LimitsBody(Asked):
    """Limits to set; what is left out stays, and null gives a limit back to the default. Money is dollars.

    `restricted_symbols` come on top of those that are restricted for everybody.
    """

    model_config = _example(max_position="500", reason="a new trader")

    max_position: Annotated[Quantity | None, Limit("max_position")] = None
    max_order_quantity: Annotated[Quantity | None, Limit("max_order_quantity")] = None
    max_order_notional: Annotated[Money | None, Limit("max_order_notional")] = None
    max_open_orders: Annotated[int | None, Limit("max_open_orders")] = None
    max_orders_per_second: Annotated[int | None, Limit("max_orders_per_second")] = None
    max_daily_notional: Annotated[Money | None, Limit("max_daily_notional")] = None
    price_collar_percent: Annotated[Decimal | None, Limit("price_collar_percent")] = None
    duplicate_window_seconds: Annotated[int | None, Limit("duplicate_window_seconds")] = None
    restricted_symbols: Annotated[tuple[Symbol, ...] | None, Limit("restricted_symbols")] = None
    reason: AskedReason | None = None


class HaltBody(Asked):
    """What to halt, why, and whether what works there is to be cancelled, too."""

    model_config = _example(scope="symbol:TSLA", reason="news pending")

    scope: AskedScope
    reason: AskedReason
    cancel_open: bool = False


class RolloutBody(Asked):
    """Whether new orders are taken, from how many percent of traders, and why; what is left out stays."""

    model_config = _example(ramp_percent=25, reason="the second step")

    enabled: bool | None = None
    ramp_percent: AskedRamp | None = None
    reason: AskedReason


class MetricEvent(Asked):
    """Something that a person did or met, in HEART's terms: what, when, how long it took, and why it went wrong."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z]+(\.[a-z_]+){1,2}$", max_length=64)]
    category: Literal["happiness", "engagement", "adoption", "retention", "task_success"]
    at: Moment
    order_id: AskedOrderId | None = None
    code: Annotated[str, StringConstraints(pattern="^[A-Z_]{1,64}$")] | None = None
    duration_ms: Annotated[int, Field(ge=0, le=DURATION_MS_MAX, strict=False)] | None = None


class MetricsBody(Asked):
    """Some events at once."""

    model_config = _example(
        events=[{"name": "order.submitted", "category": "task_success", "at": "2026-01-31T23:59:59Z"}]
    )

    events: Annotated[list[MetricEvent], Field(min_length=1, max_length=METRICS_MAX)]


# ── Query parameters ─────────────────────────────────────────────────────────────────────────────────────────────────


class NoQuery(Asked):
    """No parameters."""


class AsOfQuery(Asked):
    """As it was: after everything that was recorded up to a time, or up to a position of the log."""

    as_of: Annotated[Moment, Field(description="at this time, with all that was recorded then")] | None = None
    position: Annotated[Position, Field(description="when the log ended at this position")] | None = None

    @property
    def moment(self) -> AsOf | None:
        """The moment that is asked for, None for now."""
        is_now = self.as_of is None and self.position is None
        return None if is_now else AsOf(self.as_of, self.position)


class OrderQuery(AsOfQuery):
    """The order as it was."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1, description="after this many of its events"), WHOLE] | None = None


class ResumeQuery(Asked):
    """Why trading goes on."""

    reason: AskedReason | None = None


class OrdersQuery(AsOfQuery):
    """Which orders, and which page of them."""

    status: AskedStatus | None = None
    symbol: AskedSymbol | None = None
    limit: Annotated[int, Field(ge=1, le=ORDERS_LIMIT_MAX), WHOLE] = 20
    offset: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = 0
    cursor: (
        Annotated[str, StringConstraints(min_length=1, max_length=200), Field(description="a next_cursor")] | None
    ) = None
    min_position: Annotated[Position, Field(description="wait, at most 1 s, until the answer includes it")] | None = (
        None
    )


class EntriesQuery(Asked):
    """Which entries of the execution log."""

    order_id: AskedOrderId | None = None
    after: Annotated[Position, Field(description="entries with a higher id")] = 0
    limit: Annotated[int, Field(ge=1, le=EVENTS_LIMIT_MAX), WHOLE] = 100


class StatementQuery(Asked):
    """Whose cash, and when it moved: after `from`, up to and including `to`."""

    trader_id: Annotated[AskedTraderId, Field(description="another trader's, for auditors and ops")] | None = None
    from_: (
        Annotated[Moment, Field(description="the opening balance is of this time; absent: from the beginning")] | None
    ) = Field(default=None, alias="from")
    to: Annotated[Moment, Field(description="the closing balance is of this time; absent: of now")] | None = None
    limit: Annotated[int, Field(ge=1, le=EVENTS_LIMIT_MAX), WHOLE] = 100
    cursor: (
        Annotated[str, StringConstraints(min_length=1, max_length=200), Field(description="a next_cursor")] | None
    ) = None

    @field_validator("to")
    @classmethod
    def _follows(cls, to: datetime | None, info: ValidationInfo) -> datetime | None:
        after = info.data.get("from_")
        if to is not None and after is not None and to < after:
            raise PydanticCustomError("range", "must not be before from")
        return to


class EventsQuery(Asked):
    """Which events of the log."""

    after: Annotated[Position, Field(description="events at higher positions")] = 0
    limit: Annotated[int, Field(ge=1, le=EVENTS_LIMIT_MAX), WHOLE] | None = None
    type: Literal[tuple(TOPICS)] | None = None  # type: ignore[valid-type] # the stored names are data
    trader_id: AskedTraderId | None = None
    order_id: AskedOrderId | None = None
    since: Annotated[Moment, Field(description="events recorded at this time or later")] | None = None
    until: Annotated[Moment, Field(description="events recorded up to this time")] | None = None
    to: Annotated[Position, Field(description="events up to this position")] | None = None


class StreamQuery(Asked):
    """Where a stream of status messages begins, and who asks when no header can say so."""

    after: (
        Annotated[Position, Field(description="everything above this position, then live; absent: from now")] | None
    ) = None
    token: Annotated[str, Field(description="a token, for clients that cannot set headers")] | None = None
    ticket: Annotated[str, Field(description="a ticket from /api/v1/stream-tickets")] | None = None


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class FillView(Told):
    """An execution of an order."""

    id: str
    order_id: str
    timestamp: TimeText
    quantity_filled: QuantityText
    price_at_fill: MoneyText
    venue: str
    commission: MoneyText


class OrderView(Told):
    """An order as its events leave it. `position` is that of its last event in the log, `version` counts its events."""

    id: Annotated[str, Field(json_schema_extra={"format": "uuid"})]
    client_order_id: str
    trader_id: str
    symbol: str
    side: Side
    quantity: QuantityText
    order_type: OrderType
    price: MoneyText | None
    stop_price: MoneyText | None
    time_in_force: TimeInForce
    stop_loss: MoneyText | None
    take_profit: MoneyText | None
    parent_order_id: Annotated[str | None, Field(description="of an exit: the order whose fill it protects")]
    oco_order_id: Annotated[str | None, Field(description="of an exit: the other one, of which one cancels the other")]
    status: Status
    filled_quantity: QuantityText
    leaves_quantity: QuantityText
    average_fill_price: MoneyText | None
    fills: list[FillView]
    reason: str | None
    flags: list[Flag]
    version: Annotated[int, Field(ge=1)]
    position: Annotated[int, Field(ge=1)]
    created_at: TimeText
    updated_at: TimeText


class OrdersPage(Told):
    """Orders, newest first. `position` is how far into the log the answer reaches."""

    orders: list[OrderView]
    next_cursor: str | None
    position: int


class FillsPage(Told):
    """Fills, oldest first."""

    fills: list[FillView]
    position: int


class PositionView(Told):
    """What a trader holds of a symbol, at average cost. What it is worth is null while nobody knows a price.

    `realised_pnl` and `unrealised_pnl` are before `commission`; `price_at` is when `reference_price` was paid.
    """

    symbol: str
    quantity: QuantityText
    average_price: MoneyText | None
    cost: MoneyText
    realised_pnl: MoneyText
    unrealised_pnl: MoneyText | None
    commission: MoneyText
    reference_price: MoneyText | None
    price_at: TimeText | None
    market_value: MoneyText | None


class PositionsPage(Told):
    """Every position, by symbol."""

    positions: list[PositionView]
    position: int


class AccountView(Told):
    """An account in dollars. `reserved` is the part of `cash` held for working orders, the rest is `available`.

    `equity` is `cash` and what positions are worth; like `market_value` and `unrealised_pnl` it is null while nobody
    knows the price of something that is held.
    """

    trader_id: str
    currency: Literal["USD"]
    cash: MoneyText
    reserved: MoneyText
    available: MoneyText
    buying_power: MoneyText
    equity: MoneyText | None
    market_value: MoneyText | None
    realised_pnl: MoneyText
    unrealised_pnl: MoneyText | None
    commission: MoneyText
    open_orders: Annotated[int, Field(ge=0)]
    positions: list[PositionView]
    position: int


class LimitsView(Told):
    """The limits that hold for a trader. `defaults` are the names of those that nobody set for them."""

    trader_id: str
    max_position: QuantityText
    max_order_quantity: QuantityText
    max_order_notional: MoneyText
    max_open_orders: int
    max_orders_per_second: int
    max_daily_notional: MoneyText
    price_collar_percent: QuantityText | None
    duplicate_window_seconds: int
    restricted_symbols: list[str]
    defaults: list[Literal[NAMES]]  # type: ignore[valid-type] # the names of the limits are data
    position: int


class HaltView(Told):
    """A halt. `cancel_requested`: what worked when it was made is being cancelled, as it asked for (`cancel_open`)."""

    scope: str
    reason: str
    halted_by: str
    halted_at: TimeText
    cancel_open: bool
    cancel_requested: bool
    position: int


class HaltsPage(Told):
    """What is halted now, in the order in which it was."""

    halts: list[HaltView]
    position: int


class MovementView(Told):
    """A movement of cash: `amount` came in, or went out below zero, by the event at `position`, and left `balance`.

    A trade, or what the venue changed about one, names its order, fill and symbol.
    """

    position: Annotated[int, Field(ge=1)]
    timestamp: TimeText
    type: str
    amount: MoneyText
    balance: MoneyText
    description: str
    order_id: str | None
    fill_id: str | None
    symbol: str | None


class StatementView(Told):
    """Movements, oldest first. `opening` and all amounts of the page add up to `closing`, to the last digit."""

    trader_id: str
    currency: Literal["USD"]
    from_: Annotated[TimeText | None, Field(alias="from")]
    to: TimeText | None
    opening: MoneyText
    movements: list[MovementView]
    closing: MoneyText
    next_cursor: str | None


class EntryView(Told):
    """Something that happened to an order; `retry_attempt` counts the attempts at the venue from 1."""

    id: int
    order_id: str
    trader_id: str
    action: str
    status: Status
    timestamp: TimeText
    reason: str | None
    retry_attempt: int | None


class EntriesPage(Told):
    """Entries of the execution log, oldest first."""

    entries: list[EntryView]
    position: int


class MetadataView(Told):
    """Who caused an event, and what led to it."""

    trader_id: str
    actor: str
    correlation_id: str
    causation_id: str


Sha256Text = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
KeyIdText = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class EventView(Told):
    """An event exactly as it is stored; `hash` is the chain's SHA-256 up to and including it."""

    position: Annotated[int, Field(ge=1, le=POSITION_MAX)]
    stream_id: str
    version: Annotated[int, Field(ge=1)]
    type: str
    data: dict[str, Any]
    metadata: MetadataView
    recorded_at: TimeText
    hash: Sha256Text


class EventsPage(Told):
    """Events, oldest first; go on after `position`."""

    events: list[EventView]
    position: int


class CheckpointView(Told):
    """The log up to `position`: the hash of its last event, the Merkle root over all; `signature` is Ed25519, in base64."""

    position: Annotated[int, Field(ge=0, le=POSITION_MAX)]
    hash: Sha256Text
    root: Sha256Text
    recorded_at: TimeText | None
    taken_at: TimeText
    key_id: KeyIdText
    signature: Annotated[str, Field(pattern="^[A-Za-z0-9+/]{86}==$")]


class ProvenEventView(Told):
    """An event exactly as it is stored, `data` and `metadata` as texts, with its audit path in the Merkle tree."""

    position: Annotated[int, Field(ge=1, le=POSITION_MAX)]
    stream_id: str
    version: Annotated[int, Field(ge=1)]
    type: str
    data: str
    metadata: str
    recorded_at: TimeText
    path: list[Sha256Text]


class ProofView(Told):
    """An order's events, and the checkpoint of the log that they are in; whoever has the public key can check it."""

    order_id: str
    events: list[ProvenEventView]
    checkpoint: CheckpointView


class PublicKeyView(Told):
    """The public key that checkpoints are checked with, in PEM."""

    key_id: KeyIdText
    public_key: str


class InstrumentView(Told):
    """A symbol that the venue trades, and what orders in it must fit; null where anything does.

    Prices are multiples of `tick_size`, those below a dollar of `tick_size_below_dollar`; quantities are multiples of
    `lot_size`. `fractional_day_only`: no whole number of units is taken in a DAY order without exits only.
    """

    symbol: str
    name: str
    tradable: bool
    fractionable: bool
    reference_price: MoneyText | None
    price_at: TimeText | None
    tick_size: MoneyText | None
    tick_size_below_dollar: MoneyText | None
    lot_size: QuantityText | None
    min_quantity: QuantityText | None
    max_quantity: QuantityText | None
    fractional_day_only: bool


class InstrumentsPage(Told):
    """Every symbol."""

    instruments: list[InstrumentView]


class OrderExecutionView(Told):
    """Whether new orders are taken at all, and from this trader."""

    enabled: bool
    in_ramp: bool


class AnalyticsView(Told):
    """The PostHog project that the page tells of its use; null: none."""

    posthog_key: str | None
    posthog_host: str | None


class SwitchesView(Told):
    """Whether new orders are taken, and from how many percent of traders; null where nothing is set."""

    enabled: bool | None
    ramp_percent: int | None


class RolloutView(Told):
    """What holds in the process that answers: what is `set`, within what its `environment` says; and who set it last."""

    enabled: bool
    ramp_percent: int
    set: SwitchesView
    environment: SwitchesView
    changed_by: str | None
    changed_at: TimeText | None
    reason: str | None
    position: int


class FeaturesView(Told):
    """What is switched on for whoever asks; operators also see the rollout."""

    order_execution: OrderExecutionView
    analytics: AnalyticsView
    rollout: RolloutView | None


class MetricsTakenView(Told):
    """How many events were taken."""

    accepted: int


class TicketView(Told):
    """A ticket opens one stream, once, before it expires."""

    ticket: str
    expires_at: TimeText


class DependenciesView(Told):
    """What the engine stands on."""

    database: Literal["ok", "down"]
    exchange: Literal["ok", "down"]
    projections: Literal["ok", "down"]
    bus: Literal["ok", "down"]


class HealthView(Told):
    """Whether orders can be taken and carried out."""

    status: Literal["ok", "down"]
    dependencies: DependenciesView


class StatusView(Told):
    """Whether the process lives, or is ready."""

    status: Literal["ok", "down"]


class ErrorView(Told):
    """One thing that is wrong with a request, and where."""

    pointer: str
    code: str
    message: str


class ProblemView(Told):
    """What went wrong (RFC 9457); `detail` is a sentence to act on, `code` a name that programs can rely on."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: str
    errors: list[ErrorView] | None = None
    error_id: str | None = None
