import pytest

from domain.lifecycle import FINAL, TRANSITIONS, Kind, Status, after, works_on


def test_every_status_but_the_replace_one_has_an_answer_to_everything() -> None:
    # PENDING_REPLACE joins the table with replace itself.
    assert set(TRANSITIONS) == {(status, kind) for status in Status for kind in Kind if status != "PENDING_REPLACE"}


@pytest.mark.parametrize("status", sorted(FINAL))
@pytest.mark.parametrize("kind", list(Kind))
def test_final_is_final(status: Status, kind: Kind) -> None:
    assert after(status, kind) is status


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL - {Status.PENDING_REPLACE}))
def test_every_working_order_can_end_in_every_way(status: Status) -> None:
    ends = {after(status, kind) for kind in (Kind.FULL_FILL, Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED)}
    assert ends == FINAL


@pytest.mark.parametrize(
    ("acknowledged", "filled", "status"),
    [
        (False, False, Status.PENDING),
        (True, False, Status.ACCEPTED),
        (False, True, Status.PARTIALLY_FILLED),
        (True, True, Status.PARTIALLY_FILLED),
    ],
)
def test_an_order_works_on_as_if_nobody_had_asked(acknowledged: bool, filled: bool, status: Status) -> None:  # noqa: FBT001 - a table row
    assert works_on(acknowledged=acknowledged, filled=filled) is status
