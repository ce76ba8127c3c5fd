"""The kill switch: what is halted, and what a halt means for whoever wants to trade."""

from collections.abc import Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import TypeVar, assert_never

from domain.commands import HaltCommand, HaltTrading, RecordCancelsRequested, ResumeTrading
from domain.events import HaltEvent, OpenOrdersCancelRequested, TradingHalted, TradingResumed
from domain.frozen import dataclass
from domain.refusals import InvalidRequest, NotHalted, Refusal, TradingIsHalted
from domain.values import SYMBOL_PATTERN, TRADER_ID_PATTERN, Symbol, TraderId, parse_symbol, parse_trader_id

K = TypeVar("K")

EVERYTHING = "all"
"""The scope that everything is in."""

HALTED = TradingIsHalted.code
"""How the reason of a cancel begins that a halt led to."""

SCOPE_PATTERN = rf"^(all|trader:{TRADER_ID_PATTERN[1:-1]}|symbol:{SYMBOL_PATTERN[1:-1]})$"
REASON_CHARACTERS_MAX = 500
REASON_PATTERN = r"\S"


def parse_scope(value: object) -> str:
    """A scope: ``all``, ``trader:T`` or ``symbol:S``.

    Raises:
        InvalidRequest: it is anything else.
    """
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    try:
        if kind == "trader":
            return f"trader:{parse_trader_id(name)}"
        if kind == "symbol":
            return f"symbol:{parse_symbol(name)}"
    except Refusal as refusal:
        raise InvalidRequest("scope", problem=f"is of no {kind}: {refusal.message}") from None
    if value != EVERYTHING:
        raise InvalidRequest("scope", problem="must be all, trader:TRADER or symbol:SYMBOL")
    return EVERYTHING


def parse_reason(value: object) -> str:
    """Why something is done: one line that says something.

    Raises:
        InvalidRequest: it is empty, too long, or cannot be shown.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > REASON_CHARACTERS_MAX:
        raise InvalidRequest("reason", problem=f"must be a text of 1 to {REASON_CHARACTERS_MAX} characters")
    if not value.isprintable():
        raise InvalidRequest("reason", problem="must be one line of characters that can be shown")
    return value.strip()


def scopes_of(trader_id: TraderId, symbol: Symbol) -> tuple[str, str, str]:
    """The scopes that an order is in."""
    return EVERYTHING, f"trader:{trader_id}", f"symbol:{symbol}"


@dataclass(frozen=True, slots=True)
class Halts:
    """What is halted now, by scope, and the halts whose open orders are still to be cancelled, by their versions."""

    active: Mapping[str, TradingHalted] = field(default_factory=lambda: MappingProxyType({}))
    to_cancel: Mapping[int, TradingHalted] = field(default_factory=lambda: MappingProxyType({}))
    version: int = 0

    def scope_that_halts(self, trader_id: TraderId, symbol: Symbol) -> str | None:
        """The scope in which an order of this trader in this symbol is halted; None: it is not."""
        if not self.active:
            return None
        return next((scope for scope in scopes_of(trader_id, symbol) if scope in self.active), None)

    def refuse(self, trader_id: TraderId, symbol: Symbol) -> None:
        """Let pass what is not halted.

        Raises:
            TradingIsHalted: it is. Why, is no business of its trader's.
        """
        scope = self.scope_that_halts(trader_id, symbol)
        if scope is not None:
            raise TradingIsHalted(what=_what(scope, symbol))


NOTHING_HALTED = Halts()


def cancel_reason(scope: str, symbol: Symbol) -> str:
    """Why an order in this symbol is cancelled that such a halt is about."""
    return f"{HALTED}: {_what(scope, symbol)} is halted"


def _what(scope: str, symbol: Symbol) -> str:
    if scope == EVERYTHING:
        return "All trading"
    return "Your trading" if scope.startswith("trader:") else f"Trading in {symbol}"


def decide(halts: Halts, command: HaltCommand) -> list[HaltEvent]:
    """The events that the command leads to. Whoever halts what is halted says why once more, and may have more cancelled.

    Raises:
        NotHalted: what is to be resumed is not halted.
    """
    match command:
        case HaltTrading():
            return [TradingHalted(scope=command.scope, reason=command.reason, cancel_open=command.cancel_open)]
        case ResumeTrading():
            if command.scope not in halts.active:
                raise NotHalted(scope=command.scope)
            return [TradingResumed(scope=command.scope, reason=command.reason)]
        case RecordCancelsRequested():
            due = halts.to_cancel.get(command.halt_version)
            if due is None:
                return []
            return [OpenOrdersCancelRequested(scope=due.scope, halt_version=command.halt_version)]
        case _:
            assert_never(command)


def evolve(halts: Halts, event: HaltEvent) -> Halts:
    """What is halted after the event."""
    now = replace(halts, version=halts.version + 1)
    match event:
        case TradingHalted():
            due = {now.version: event} if event.cancel_open else {}
            return replace(
                now,
                active=MappingProxyType({**now.active, event.scope: event}),
                to_cancel=MappingProxyType({**now.to_cancel, **due}),
            )
        case TradingResumed():
            return replace(now, active=_without(now.active, event.scope))
        case OpenOrdersCancelRequested():
            return replace(now, to_cancel=_without(now.to_cancel, event.halt_version))
        case _:
            assert_never(event)


def _without(mapping: Mapping[K, TradingHalted], key: K) -> Mapping[K, TradingHalted]:
    return MappingProxyType({each: value for each, value in mapping.items() if each != key})
