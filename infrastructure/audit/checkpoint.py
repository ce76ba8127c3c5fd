"""A checkpoint: what the log was at a moment, signed, so that nobody can change what was before it unnoticed.

What is signed is this text in UTF-8, six lines that each end with a line feed, with the values as the JSON has them
(``-`` where ``recorded_at`` is null, in an empty log)::

    orderlog checkpoint 1
    position 12
    hash 5fec...
    root 81a0...
    recorded_at 2026-11-22T09:30:00.000001Z
    taken_at 2026-11-22T10:00:00.000000Z
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from infrastructure.audit.keys import key_id
from infrastructure.postgres.chain import timestamp

_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Time = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")]
_KeyId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
_Signature = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{86}==\Z")]


class CheckpointError(Exception):
    """What should be a checkpoint is none; the message says why."""


class ForgedCheckpointError(Exception):
    """The checkpoint was not signed with the key that it should be signed with, or was changed since."""


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log up to ``position``: the ``hash`` of the last event, the ``root`` of the Merkle tree over all leaves.

    Hashes are hexadecimal, times RFC 3339 in UTC. ``recorded_at`` is when the last event was recorded, ``taken_at`` when
    the checkpoint was taken by the clock of whoever took it. ``signature`` is an Ed25519 signature in base64.
    """

    position: Annotated[int, msgspec.Meta(ge=0)]
    hash: _Hash
    root: _Hash
    recorded_at: _Time | None
    taken_at: _Time
    key_id: _KeyId
    signature: _Signature

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over."""
        return (
            "orderlog checkpoint 1\n"
            f"position {self.position}\n"
            f"hash {self.hash}\n"
            f"root {self.root}\n"
            f"recorded_at {self.recorded_at or '-'}\n"
            f"taken_at {self.taken_at}\n"
        ).encode()

    def check(self, key: Ed25519PublicKey) -> None:
        """Check the signature, with this key and no other.

        Raises:
            ForgedCheckpointError: it is not what the holder of the key signed.
        """
        if self.key_id != key_id(key):
            raise ForgedCheckpointError(
                f"the checkpoint at {self.position} is signed with the key {self.key_id}, not with {key_id(key)}"
            )
        try:
            key.verify(b64decode(self.signature), self.signed)
        except InvalidSignature:
            raise ForgedCheckpointError(
                f"the checkpoint at {self.position} is not what the key {self.key_id} signed"
            ) from None


class LogState(NamedTuple):
    """What a checkpoint says of the log: its last position and that event's hash and time, and the root of the tree."""

    position: int
    hash: bytes
    root: bytes
    recorded_at: str | None


def sign(state: LogState, taken_at: datetime, key: Ed25519PrivateKey) -> Checkpoint:
    """The checkpoint of a log in this state."""
    unsigned = Checkpoint(
        position=state.position,
        hash=state.hash.hex(),
        root=state.root.hex(),
        recorded_at=state.recorded_at,
        taken_at=timestamp(taken_at).decode(),
        key_id=key_id(key.public_key()),
        signature="",
    )
    return msgspec.structs.replace(unsigned, signature=b64encode(key.sign(unsigned.signed)).decode())


def read_checkpoints(text: bytes) -> Sequence[Checkpoint]:
    """The checkpoints of a file: one JSON object, or one on each line.

    Raises:
        CheckpointError: it is something else; the message says what is wrong.
    """
    try:
        try:
            found = [msgspec.json.decode(text, type=Checkpoint)]
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            found = msgspec.json.Decoder(Checkpoint).decode_lines(text)
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"this is no checkpoint: {error}") from None
    if not found:
        raise CheckpointError("there is no checkpoint in it")
    return found
