"""A proof that events of an order are in the log, for somebody who has neither the log nor any reason to trust it."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from infrastructure.audit.checkpoint import Checkpoint, ForgedCheckpointError
from infrastructure.audit.examination import LogRow
from infrastructure.audit.merkle import root_along
from infrastructure.postgres.chain import leaf

_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Positive = Annotated[int, msgspec.Meta(ge=1)]


class ProofError(Exception):
    """What should be a proof is none; the message says why."""


class WrongProofError(Exception):
    """The proof proves nothing; the message says where it is wrong."""


class ProvenEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event exactly as it is stored, ``data`` and ``metadata`` as texts, with its audit path in the tree."""

    position: _Positive
    stream_id: str
    version: _Positive
    type: str
    data: str
    metadata: str
    recorded_at: str
    path: Sequence[_Hash]


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The events of an order, oldest first, as they are in the log that the checkpoint is of."""

    order_id: str
    events: Sequence[ProvenEvent]
    checkpoint: Checkpoint

    def check(self, key: Ed25519PublicKey) -> None:
        """Check everything, with this public key and nothing else.

        Raises:
            WrongProofError: it is not right.
        """
        try:
            self.checkpoint.check(key)
        except ForgedCheckpointError as error:
            raise WrongProofError(str(error)) from None
        if not self.events:
            raise WrongProofError("it has no events")
        before = 0
        for version, event in enumerate(self.events, 1):
            where = f"the event at position {event.position}"
            if event.stream_id != f"order-{self.order_id}":
                raise WrongProofError(f"{where} is of {event.stream_id}, and not of this order")
            if event.version != version:
                raise WrongProofError(f"{where} is version {event.version} of the order, where {version} should be")
            if event.position <= before:
                raise WrongProofError(f"{where} stands behind one at {before}")
            if _root(event, self.checkpoint.position) != self.checkpoint.root:
                raise WrongProofError(f"{where} is not in the log that the checkpoint is of")
            before = event.position


def prove(order_id: str, rows: Iterable[tuple[LogRow, Sequence[bytes]]], checkpoint: Checkpoint) -> Proof:
    """The proof for these events, each with its audit path in the tree of the checkpoint."""
    events = [ProvenEvent(*row[:7], [sibling.hex() for sibling in path]) for row, path in rows]
    return Proof(order_id, events, checkpoint)


def read_proof(text: bytes) -> Proof:
    """The proof of a file.

    Raises:
        ProofError: it is something else; the message says what is wrong.
    """
    try:
        return msgspec.json.decode(text, type=Proof)
    except msgspec.MsgspecError as error:
        raise ProofError(f"this is no proof: {error}") from None


def _root(event: ProvenEvent, size: int) -> str | None:
    own = leaf(
        event.position,
        event.stream_id,
        event.version,
        event.type,
        event.data.encode(),
        event.metadata.encode(),
        event.recorded_at.encode(),
    )
    root = root_along(list(map(bytes.fromhex, event.path)), own, event.position - 1, size)
    return None if root is None else root.hex()
