"""Engines with one thing wrong each, which the checks must notice. Each changes the program for as long as a test runs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from api.fan_out import FanOut
from application import booking, facts, sending, trading
from application.booking import Booking
from application.cancelling import Canceller
from application.execution import OrderExecutor
from application.ports import Appended, Transaction
from application.reconciliation import Reconciler
from application.replacing import Replacer
from application.sending import Sender, _Attempt
from application.units_of_work import Change, Place
from application.venue import VenueOrder, VenueReport
from application.watching import OpenOrders
from domain import account, deciding, desk, executions, exits
from domain.account import Account
from domain.activity import Activity
from domain.commands import OrderCommand, OrderReport, RecordAcceptance, RecordCancellation, RecordFill, RecordRejection
from domain.events import OrderAccepted, OrderEvent, OrderFilled, RecordedEvent
from domain.halts import Halts
from domain.lifecycle import Status
from domain.limits import DEFAULTS, NAMES
from domain.order import Order
from domain.risk import Controls
from domain.validation import OrderValidator, ValidationResult
from domain.values import OrderId, Quantity, Side
from infrastructure.exchanges.alpaca_executions import Execution
from infrastructure.exchanges.paper.orders import Update
from projections.orders import ORDERS
from tests.simulation import database, exchange, network, reports
from tests.simulation.database import StrictLog
from tests.simulation.engine import Worker
from tests.simulation.network import VenueConnection
from tests.simulation.surroundings import CountingIds
from tests.simulation.tables import Tables

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def _is_chosen(execution_id: str) -> bool:
    """One in four executions, always the same ones."""
    return execution_id[-1] in "048c"


# ── To the venue ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _finds_nothing(*_: object, **__: object) -> bool:
    return False


def resends_without_asking(patch: Patch) -> None:
    patch.setattr(Sender, "_adopt", _finds_nothing)


def resends_under_a_fresh_name(patch: Patch) -> None:
    usual, sent, ids = VenueConnection.submit, set[OrderId](), CountingIds(9)

    async def submit(self: VenueConnection, order: VenueOrder) -> Sequence[VenueReport]:
        again = order.client_order_id in sent
        sent.add(order.client_order_id)
        return await usual(self, replace(order, client_order_id=OrderId(ids.new())) if again else order)

    patch.setattr(VenueConnection, "submit", submit)


def sends_although_another_worker_was_faster(patch: Patch) -> None:
    async def send(self: Sender, order: Order, **_: object) -> None:
        if not order.is_over and not order.is_there and order.status is not Status.PENDING_CANCEL:
            await self._try(order)

    patch.setattr(Sender, "_not_to_be_sent", send)


def gives_up_too_soon(patch: Patch) -> None:
    patch.setattr(sending, "NOT_FOUND_PROOF", 2)


def takes_silence_for_a_no(patch: Patch) -> None:
    usual = Sender._try

    async def attempt(self: Sender, order: Order) -> _Attempt:
        tried = await usual(self, order)
        if tried is _Attempt.UNKNOWN:
            await self._booking.record(order, RecordRejection("TIMEOUT", "no answer"), "venue")
            return _Attempt.DONE
        return tried

    patch.setattr(Sender, "_try", attempt)


def takes_a_promise_to_cancel_for_its_outcome(patch: Patch) -> None:
    """At a venue that takes its time."""

    def cancel_later(self: VenueConnection, venue_order_id: str) -> None:
        self._loop.call_later(2.0, network._quietly, lambda: self._exchange.cancel(venue_order_id))

    async def chase(self: Canceller, order: Order) -> Order:
        await self._booking.record(order, RecordCancellation("cancelled"), "venue")
        return await self._booking.known(order.order_id)

    patch.setattr(Canceller, "_chase", chase)
    patch.setattr(VenueConnection, "_cancel", cancel_later)


def forgets_the_lost_answer_to_a_replacement(patch: Patch) -> None:
    patch.setattr(Replacer, "_is_answered", _finds_nothing)


def leaves_open_orders_to_themselves_at_the_start(patch: Patch) -> None:
    async def resume(_self: OrderExecutor, _order_id: OrderId) -> None:
        await asyncio.sleep(0)

    patch.setattr(OrderExecutor, "_resume", resume)


def stumbles_over_cancels(patch: Patch) -> None:
    async def cancel(_self: Canceller, order: Order) -> None:
        await asyncio.sleep(0)
        if order.status is Status.PENDING_CANCEL:
            raise RuntimeError(order.order_id)

    patch.setattr(Canceller, "cancel", cancel)


# ── From the venue ───────────────────────────────────────────────────────────────────────────────────────────────────


def books_a_fill_as_often_as_it_is_told(patch: Patch) -> None:
    patch.setattr(executions, "_is_known", lambda *_: False)


def drops_a_fill(patch: Patch) -> None:
    usual = facts.facts

    def without(report: VenueReport, *more: Any) -> list[OrderReport]:
        said = usual(report, *more)
        return [each for each in said if not (isinstance(each, RecordFill) and _is_chosen(each.fill_id))]

    patch.setattr(booking, "facts", without)


def the_venue_does_not_tell_of_a_fill(patch: Patch) -> None:
    usual = reports.execution_in

    def execution_in(update: Update) -> Execution | None:
        execution = usual(update)
        is_hidden = execution is not None and execution.fill is not None and _is_chosen(execution.fill.fill_id)
        return None if is_hidden else execution

    patch.setattr(exchange, "execution_in", execution_in)


def listens_and_never_compares(patch: Patch) -> None:
    async def compare(_self: Reconciler) -> None:
        await asyncio.sleep(0)

    patch.setattr(Reconciler, "reconcile", compare)
    patch.setattr(Reconciler, "catch_up", compare)


def ignores_strangers(patch: Patch) -> None:
    async def record_unknown(_self: Booking, _order: object) -> None:
        await asyncio.sleep(0)

    patch.setattr(Booking, "record_unknown", record_unknown)


def lets_a_late_acknowledgement_reopen_an_order(patch: Patch) -> None:
    usual = deciding.decide

    def decide(order: Order | None, command: OrderCommand) -> list[OrderEvent]:
        if order is not None and order.is_over and isinstance(command, RecordAcceptance):
            return [OrderAccepted(venue_order_id=command.venue_order_id, status=Status.ACCEPTED)]
        return usual(order, command)

    patch.setattr(deciding, "decide", decide)


# ── Money and exits ──────────────────────────────────────────────────────────────────────────────────────────────────


def keeps_what_is_held_for_orders_that_are_over(patch: Patch) -> None:
    usual = account._adjusted
    patch.setattr(
        account, "_adjusted", lambda before, after, *more: [] if after.is_over else usual(before, after, *more)
    )


def lets_everybody_spend(patch: Patch) -> None:
    patch.setattr(OrderValidator, "admit", lambda *_: None)


def lets_replacements_sell_what_is_not_there(patch: Patch) -> None:
    usual = OrderValidator.validate_replacement

    def validate(self: OrderValidator, before: Order, after: Order, *more: Any) -> ValidationResult:
        return ValidationResult(valid=True) if after.terms.side is Side.SELL else usual(self, before, after, *more)

    patch.setattr(OrderValidator, "validate_replacement", validate)


def _consequences(patch: Patch, change: Callable[[list[Any], OrderEvent], list[Any]]) -> None:
    usual = exits.consequences

    def consequences(order: Order, event: OrderEvent, *more: Any) -> list[Any]:
        return change(usual(order, event, *more), event)

    patch.setattr(desk, "consequences", consequences)


def forgets_what_a_decision_did_to_the_account(patch: Patch) -> None:
    """It is recorded, and what the sequencer keeps is the account as it was before."""
    usual = desk.decide

    def decide(order: Order | None, account: Account, *more: Any, **named: Any) -> desk.Decision:
        return usual(order, account, *more, **named)._replace(account=account)

    patch.setattr(desk, "decide", decide)


def forgets_exits(patch: Patch) -> None:
    def change(found: list[Any], event: OrderEvent) -> list[Any]:
        return [] if isinstance(event, OrderFilled) and _is_chosen(event.fill_id) else found

    _consequences(patch, change)


def places_exits_later(patch: Patch) -> None:
    """Outside the transaction of the fill, by whoever records something about the order next."""
    late: dict[OrderId, list[Any]] = {}
    usual = exits.consequences

    def consequences(order: Order, event: OrderEvent, *more: Any) -> list[Any]:
        found = usual(order, event, *more)
        if isinstance(event, OrderFilled) and found and found[0][0] != order.order_id:
            late.setdefault(order.order_id, []).extend(found)
            return []
        return [*found, *late.pop(order.order_id, [])]

    patch.setattr(desk, "consequences", consequences)


def protects_half_of_what_was_filled(patch: Patch) -> None:
    usual = exits._protect

    def protect(order: Order, event: OrderFilled, *more: Any) -> list[Any]:
        return usual(order, replace(event, quantity=Quantity(event.quantity / 2)), *more)

    patch.setattr(exits, "_protect", protect)


def trades_on_while_trading_is_halted(patch: Patch) -> None:
    patch.setattr(Halts, "refuse", lambda *_: None)


def _knows_all_limits_but(name: str) -> Mutant:
    usual = OrderValidator.limits_of

    def mutant(patch: Patch) -> None:
        patch.setattr(
            OrderValidator,
            "limits_of",
            lambda self, account: replace(usual(self, account), **{name: getattr(DEFAULTS, name)}),
        )

    mutant.__name__ = f"knows_all_limits_but_{name}"
    return mutant


# Without a window no terms are remembered, and then nobody can say that they were asked for before.
KNOW_ALL_LIMITS_BUT_ONE = tuple(_knows_all_limits_but(name) for name in NAMES if name != "duplicate_window_seconds")


def takes_orders_on_the_same_terms_again(patch: Patch) -> None:
    patch.setattr(Activity, "was_asked", lambda *_: False)


def takes_other_terms_whatever_the_limits_are(patch: Patch) -> None:
    patch.setattr(Controls, "check_replacement", lambda *_: None)


def forgets_what_a_halt_is_to_cancel(patch: Patch) -> None:
    patch.setattr(OpenOrders, "ids", lambda _: ())


# ── What is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _ForgetfulTables(Tables):
    def fold(self, batch: Sequence[RecordedEvent]) -> None:
        before = self.rows[ORDERS.name].copy()
        super().fold(batch)
        if any(recorded.position % 40 == 0 for recorded in batch):
            self.rows[ORDERS.name] = before


def projects_without_an_event_now_and_then(patch: Patch) -> None:
    patch.setattr(database, "Tables", _ForgetfulTables)


class _ForgingStore(StrictLog):
    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        appended = await super().append(transactions, known_position)
        if len(self._raw) > 20:
            self._raw[9] = self._raw[9]._replace(metadata=self._raw[9].metadata.replace("trader-", "Trader-"))
        return appended


def changes_the_past(patch: Patch) -> None:
    patch.setattr(database, "StrictLog", _ForgingStore)


def hands_out_without_an_event_now_and_then(patch: Patch) -> None:
    usual = FanOut._hand_out

    def hand_out(self: FanOut, batch: Sequence[RecordedEvent]) -> None:
        usual(self, [recorded for recorded in batch if recorded.position % 10] or batch)

    patch.setattr(FanOut, "_hand_out", hand_out)


def publishes_twice(patch: Patch) -> None:
    usual = Worker.publish

    async def publish(self: Worker, messages: Sequence[tuple[str, bytes]]) -> None:
        await usual(self, [*messages, *messages[-1:]])

    patch.setattr(Worker, "publish", publish)


def forgets_keys(patch: Patch) -> None:
    def place(metadata: Any, order: Any, validator: Any, _keys: Any, *more: Any) -> Place:
        return Place(metadata, order, validator, (), *more)

    patch.setattr(trading, "Place", place)


def looks_at_keys_last(patch: Patch) -> None:
    """What was carried out, and whose answer was lost, may be refused when it is asked for again."""
    usual = Place.decide

    def decide(self: Place, streams: Any, keys: Any) -> Any:
        usual(self, streams, {})
        return usual(self, streams, keys)

    patch.setattr(Place, "decide", decide)


def ignores_conditions(patch: Patch) -> None:
    usual = Change.decide
    patch.setattr(Change, "decide", lambda self, *more: usual(self._replace(at_versions=None), *more))
