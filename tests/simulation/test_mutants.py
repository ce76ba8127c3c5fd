"""The checks bite: an engine with one thing wrong is found out within a few seeds, by the check that is meant for it."""

import pytest

from tests.simulation import checks_of_books as books
from tests.simulation import checks_of_halts as halts
from tests.simulation import checks_of_limits as limits
from tests.simulation import checks_of_log as log
from tests.simulation import checks_of_requests as requests
from tests.simulation import mutants
from tests.simulation.checks import CHECKS, Check
from tests.simulation.mutants import Mutant
from tests.simulation.simulation import simulate

_ORDERS = 60
_SEEDS_MAX = 200

# Where a world was found in which enough happens; the others are caught in one of the first. When the engine changes, and
# that world with it, the search goes on from there, and through all.
_FIRST_SEEDS = {
    "takes_orders_on_the_same_terms_again": 80,
    "forgets_the_lost_answer_to_a_replacement": 55,
    "knows_all_limits_but_max_position": 34,
    "knows_all_limits_but_max_daily_notional": 24,
    "lets_replacements_sell_what_is_not_there": 19,
    "ignores_strangers": 16,
    "trades_on_while_trading_is_halted": 13,
    "forgets_what_a_halt_is_to_cancel": 13,
    "gives_up_too_soon": 5,
}

CAUGHT: tuple[tuple[Mutant, Check], ...] = (
    (mutants.resends_without_asking, requests.nothing_is_sent_again_without_asking),
    (mutants.resends_under_a_fresh_name, books.nothing_is_at_the_venue_twice),
    (mutants.sends_although_another_worker_was_faster, requests.nothing_is_sent_again_without_asking),
    (mutants.gives_up_too_soon, requests.no_order_is_over_without_a_reason),
    (mutants.takes_silence_for_a_no, requests.no_order_is_over_without_a_reason),
    (mutants.takes_a_promise_to_cancel_for_its_outcome, requests.no_order_is_over_without_a_reason),
    (mutants.forgets_the_lost_answer_to_a_replacement, requests.nothing_is_sent_again_without_asking),
    (mutants.leaves_open_orders_to_themselves_at_the_start, books.nothing_hangs),
    (mutants.stumbles_over_cancels, log.nothing_was_logged_as_an_error),
    (mutants.books_a_fill_as_often_as_it_is_told, books.every_fill_is_booked_once),
    (mutants.drops_a_fill, books.every_fill_is_booked_once),
    (mutants.the_venue_does_not_tell_of_a_fill, books.every_fill_is_booked_once),
    (mutants.listens_and_never_compares, books.every_fill_is_booked_once),
    (mutants.ignores_strangers, books.what_is_not_ours_is_reported),
    (mutants.lets_a_late_acknowledgement_reopen_an_order, log.statuses_never_step_backwards),
    (mutants.keeps_what_is_held_for_orders_that_are_over, books.money_conserves),
    (mutants.lets_everybody_spend, books.no_decision_spends_what_is_not_there),
    (mutants.lets_replacements_sell_what_is_not_there, books.no_decision_spends_what_is_not_there),
    (mutants.trades_on_while_trading_is_halted, halts.a_halt_holds_from_its_commit_on),
    (mutants.forgets_what_a_halt_is_to_cancel, halts.what_a_halt_is_to_cancel_is_cancelled),
    *((mutant, limits.no_order_passes_a_limit) for mutant in mutants.KNOW_ALL_LIMITS_BUT_ONE),
    (mutants.takes_orders_on_the_same_terms_again, limits.no_order_passes_a_limit),
    (mutants.takes_other_terms_whatever_the_limits_are, limits.no_order_passes_a_limit),
    (mutants.forgets_what_a_decision_did_to_the_account, log.what_is_remembered_is_what_happened),
    (mutants.forgets_exits, books.what_is_filled_is_protected_once),
    (mutants.places_exits_later, books.what_is_filled_is_protected_once),
    (mutants.protects_half_of_what_was_filled, books.what_is_filled_is_protected_once),
    (mutants.projects_without_an_event_now_and_then, log.the_read_models_are_the_fold_of_the_log),
    (mutants.changes_the_past, log.the_log_is_whole),
    (mutants.hands_out_without_an_event_now_and_then, log.every_subscriber_saw_every_event_once),
    (mutants.publishes_twice, log.what_was_published_is_what_happened),
    (mutants.forgets_keys, log.what_was_answered_is_true),
    (mutants.looks_at_keys_last, log.what_was_answered_is_true),
    (mutants.ignores_conditions, log.what_was_answered_is_true),
)


@pytest.mark.parametrize(("mutant", "check"), CAUGHT, ids=[mutant.__name__ for mutant, _ in CAUGHT])
def test_an_engine_is_caught_that(mutant: Mutant, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    first = _FIRST_SEEDS.get(mutant.__name__, 0)
    seeds = (*range(first, _SEEDS_MAX), *range(first))
    assert any(simulate(seed, _ORDERS, checks=(check,)).failures for seed in seeds)


def test_every_check_catches_somebody() -> None:
    assert {mutant.__name__ for mutant, _ in CAUGHT} >= set(_FIRST_SEEDS)
    assert {check for _, check in CAUGHT} == set(CHECKS)
