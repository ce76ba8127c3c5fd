"""Everything that is checked, in the order in which a failure says most."""

from collections.abc import Callable, Iterator

from tests.simulation import checks_of_books as books
from tests.simulation import checks_of_halts as halts
from tests.simulation import checks_of_limits as limits
from tests.simulation import checks_of_log as log
from tests.simulation import checks_of_requests as requests
from tests.simulation.evidence import Evidence

Check = Callable[[Evidence], Iterator[str]]

CHECKS: tuple[Check, ...] = (
    log.nothing_was_logged_as_an_error,
    log.the_log_is_whole,
    log.the_read_models_are_the_fold_of_the_log,
    log.what_is_remembered_is_what_happened,
    books.nothing_is_at_the_venue_twice,
    books.every_fill_is_booked_once,
    books.money_conserves,
    books.no_decision_spends_what_is_not_there,
    log.statuses_never_step_backwards,
    halts.a_halt_holds_from_its_commit_on,
    halts.what_a_halt_is_to_cancel_is_cancelled,
    limits.no_order_passes_a_limit,
    requests.no_order_is_over_without_a_reason,
    requests.nothing_is_sent_again_without_asking,
    books.nothing_hangs,
    books.what_is_not_ours_is_reported,
    books.what_is_filled_is_protected_once,
    log.what_was_answered_is_true,
    log.every_subscriber_saw_every_event_once,
    log.what_was_published_is_what_happened,
)
