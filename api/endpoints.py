"""What an endpoint is, and what a handler is called with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.types import ASGIApp

from api.admission import Admission, Standing
from api.auth import Gate, Identity
from api.fan_out import FanOut
from api.fields import parse_order_id
from api.schemas import NoQuery
from api.seats import Seats
from application.story import TOLD
from application.trading import Caller
from domain.refusals import AccountNotFound, OrderNotFound, Refusal
from domain.values import OrderId, TraderId, parse_trader_id
from infrastructure.composition import Engine
from infrastructure.postgres.log_tree import LogTree
from infrastructure.postgres.tickets import StreamTickets


@dataclass(frozen=True, slots=True)
class Running:
    """What every request of a running application shares."""

    engine: Engine
    gate: Gate
    admission: Admission
    seats: Seats
    fan_out: FanOut
    tickets: StreamTickets
    log_tree: LogTree


@dataclass(slots=True)
class Call:
    """One request, checked: ``query`` and ``body`` are of the endpoint's models, and ``identity`` has its role.

    ``address`` is where it comes from, and ``standing`` how much of a quota it leaves.

    An endpoint without roles is called without an identity, one without a body model without a body.
    """

    running: Running
    headers: Mapping[bytes, bytes]
    path: Mapping[str, str]
    address: str = ""
    query: Any = None
    body: Any = None
    identity: Identity | None = None
    standing: Standing | None = None

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.running.engine

    @property
    def caller(self) -> Identity:
        """Who asks. Only for endpoints with roles."""
        if self.identity is None:
            raise LookupError("an endpoint without roles does not know who asks")
        return self.identity

    @property
    def trader_id(self) -> TraderId:
        """The trader who asks. Only for endpoints with roles."""
        return self.caller.trader_id

    @property
    def order_id(self) -> OrderId:
        """The order that the path names.

        Raises:
            OrderNotFound: it names none.
        """
        try:
            return parse_order_id(self.path["order_id"])
        except ValueError:
            raise OrderNotFound from None

    @property
    def account(self) -> TraderId:
        """The trader whose account the path names.

        Raises:
            AccountNotFound: it names none.
        """
        try:
            return parse_trader_id(self.path["trader_id"])
        except Refusal:
            raise AccountNotFound from None

    def actor(self, role: str) -> Caller:
        """Who asks, in this role, and in which story: the request is the cause of what comes of it."""
        story = TOLD.get()
        return Caller(f"{role}:{self.trader_id}", story.correlation_id, story.causation_id)


Handler = Callable[[Call], Awaitable[ASGIApp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path: what it takes, what it answers, and who may ask.

    ``answer`` is the model of the body under ``status``; ``also`` are other statuses with the same body, or without any
    where it is a 304; ``own_check`` are the roles that the handler itself asks for, because not only a header may say who
    asks; ``errors`` the codes beyond those that every endpoint can have; ``media`` what else than JSON it can answer;
    ``headers`` those of the answer that are worth knowing. Unless it ``is_counted``, it may be asked however often: whoever
    restarts what does not answer must not be refused.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    answer: type[BaseModel] | None
    status: int = 200
    also: Mapping[int, str] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    own_check: frozenset[str] = frozenset()
    body: type[BaseModel] | None = None
    query: type[BaseModel] = NoQuery
    takes_idempotency_key: bool = False
    takes_if_match: bool = False
    is_counted: bool = True
    errors: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
