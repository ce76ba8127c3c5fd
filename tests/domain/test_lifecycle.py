import pytest

from domain.lifecycle import FINAL, TRANSITIONS, Kind, Status, after, works_on


def test_every_status_has_an_answer_to_everything() -> None:
    assert set(TRANSITIONS) == {(status, kind) for status in Status for kind in Kind}


@pytest.mark.parametrize("status", sorted(FINAL))
@pytest.mark.parametrize("kind", list(Kind))
def test_final_is_final(status: Status, kind: Kind) -> None:
    assert after(status, kind) is status


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
def test_every_working_order_can_end_in_every_way(status: Status) -> None:
    ends = {after(status, kind) for kind in (Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED)}
    assert ends == FINAL - {Status.FILLED}


@pytest.mark.parametrize("status", [Status.PENDING_CANCEL, Status.PENDING_REPLACE])
@pytest.mark.parametrize("kind", [Kind.ACCEPTED, Kind.PART_FILL, Kind.FULL_FILL])
def test_a_pending_request_comes_before_what_else_an_order_is(status: Status, kind: Kind) -> None:
    assert after(status, kind) is status


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
def test_a_cancel_comes_before_a_replacement(status: Status) -> None:
    assert after(status, Kind.CANCEL_ASKED) is Status.PENDING_CANCEL
    wanted = Status.PENDING_CANCEL if status is Status.PENDING_CANCEL else Status.PENDING_REPLACE
    assert after(status, Kind.REPLACE_ASKED) is wanted


@pytest.mark.parametrize(
    ("acknowledged", "replacing", "filled", "full", "status"),
    [
        (False, False, False, False, Status.PENDING),
        (True, False, False, False, Status.ACCEPTED),
        (False, False, True, False, Status.PARTIALLY_FILLED),
        (True, False, True, False, Status.PARTIALLY_FILLED),
        (True, False, True, True, Status.FILLED),
        (True, True, False, False, Status.PENDING_REPLACE),
        (True, True, True, True, Status.PENDING_REPLACE),
    ],
)
def test_an_order_works_on_as_if_nobody_had_asked(
    *, acknowledged: bool, replacing: bool, filled: bool, full: bool, status: Status
) -> None:
    assert works_on(acknowledged=acknowledged, replacing=replacing, filled=filled, full=full) is status
