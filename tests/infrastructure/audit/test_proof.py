"""A proof is believed when everything in it is right, and never when anything is not."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.audit.checkpoint import LogState, sign
from infrastructure.audit.examination import LogRow
from infrastructure.audit.merkle import path_of, root_of
from infrastructure.audit.proof import Proof, ProofError, WrongProofError, prove, read_proof
from infrastructure.postgres.chain import leaf

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TAKEN_AT = datetime(2026, 11, 25, tzinfo=UTC)
AT = "2026-11-22T09:30:00.000001Z"
ROWS = [
    LogRow(position, stream, version, "Something", '{"a":"ü"}', "{}", AT, b"")
    for position, (stream, version) in enumerate(
        [("account-x", 1), ("order-o", 1), ("order-p", 1), ("order-o", 2), ("account-x", 2), ("order-o", 3)], 1
    )
]
LEAVES = [leaf(*row[:4], row.data.encode(), row.metadata.encode(), AT.encode()) for row in ROWS]
CHECKPOINT = sign(LogState(len(ROWS), bytes(32), root_of(LEAVES), AT), TAKEN_AT, KEY)


def proof_of(order_id: str = "o") -> Proof:
    rows = [row for row in ROWS if row.stream_id == f"order-{order_id}"]
    return prove(order_id, [(row, path_of(LEAVES, row.position - 1)) for row in rows], CHECKPOINT)


def changed(proof: Proof, number: int, **fields: Any) -> Proof:
    events = list(proof.events)
    events[number] = msgspec.structs.replace(events[number], **fields)
    return msgspec.structs.replace(proof, events=events)


def test_a_proof_is_believed_also_when_it_has_been_on_its_way() -> None:
    proof = read_proof(msgspec.json.encode(proof_of()))
    proof.check(KEY.public_key())
    assert [event.version for event in proof.events] == [1, 2, 3]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"position": 3}, "the event at position 3 is not in the log"),
        ({"position": 999}, "the event at position 999 is not in the log"),
        ({"stream_id": "order-p"}, "the event at position 2 is of order-p, and not of this order"),
        ({"version": 2}, "the event at position 2 is version 2 of the order, where 1 should be"),
        ({"type": "Nothing"}, "the event at position 2 is not in the log"),
        ({"data": '{"a": "ü"}'}, "the event at position 2 is not in the log"),
        ({"metadata": "{ }"}, "the event at position 2 is not in the log"),
        ({"recorded_at": AT.replace("1Z", "2Z")}, "the event at position 2 is not in the log"),
        ({"path": []}, "the event at position 2 is not in the log"),
        ({"path": ["00" * 32] * 3}, "the event at position 2 is not in the log"),
    ],
)
def test_a_change_of_anything_is_found(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(WrongProofError, match=problem):
        changed(proof_of(), 0, **fields).check(KEY.public_key())


def test_a_proof_without_its_first_or_with_a_hole_is_not_believed() -> None:
    proof = proof_of()
    for events in (proof.events[1:], [proof.events[0], proof.events[2]]):
        with pytest.raises(WrongProofError, match="of the order, where"):
            msgspec.structs.replace(proof, events=events).check(KEY.public_key())
    with pytest.raises(WrongProofError, match="it has no events"):
        msgspec.structs.replace(proof, events=[]).check(KEY.public_key())


def test_events_that_stand_in_the_wrong_order_are_not_believed() -> None:
    rows = [ROWS[3]._replace(version=1), ROWS[1]._replace(version=2)]
    leaves = list(LEAVES)
    for row in rows:
        leaves[row.position - 1] = leaf(*row[:4], row.data.encode(), row.metadata.encode(), AT.encode())
    checkpoint = sign(LogState(len(ROWS), bytes(32), root_of(leaves), AT), TAKEN_AT, KEY)
    proof = prove("o", [(row, path_of(leaves, row.position - 1)) for row in rows], checkpoint)
    with pytest.raises(WrongProofError, match="the event at position 2 stands behind one at 4"):
        proof.check(KEY.public_key())


def test_the_events_of_another_order_do_not_prove_this_one() -> None:
    with pytest.raises(WrongProofError, match="is of order-p, and not of this order"):
        msgspec.structs.replace(proof_of("p"), order_id="o").check(KEY.public_key())


def test_a_checkpoint_of_another_key_or_another_log_proves_nothing() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    with pytest.raises(WrongProofError, match="is signed with the key"):
        proof_of().check(other.public_key())
    elsewhere = sign(LogState(len(ROWS), bytes(32), root_of(LEAVES[::-1]), AT), TAKEN_AT, KEY)
    with pytest.raises(WrongProofError, match="is not in the log that the checkpoint is of"):
        msgspec.structs.replace(proof_of(), checkpoint=elsewhere).check(KEY.public_key())


@given(st.binary(max_size=60))
def test_what_is_no_proof_is_named(text: bytes) -> None:
    with pytest.raises(ProofError, match="this is no proof: "):
        read_proof(text)


def test_half_a_character_is_no_proof() -> None:
    text = msgspec.json.encode(proof_of()).replace("ü".encode(), b"\\ud800")
    with pytest.raises((ProofError, WrongProofError)):
        read_proof(text).check(KEY.public_key())
