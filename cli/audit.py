"""``orderlog events verify``, ``checkpoint``, ``prove`` and what belongs to them: whether the log is what was recorded, and how to prove it later."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.archives import ArchiveDirectory, open_archive
from cli.engine import settings
from cli.exits import CommandError, ExitCode
from cli.options import Json
from cli.output import say, wants_json, write_json, write_line, write_record
from cli.storage import event_log

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from infrastructure.audit.checkpoint import Checkpoint
    from infrastructure.settings import Settings

PublicKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--public-key", metavar="FILE", help="Whose checkpoints to believe; by default, those of this home's key."
    ),
]


def verify(
    *,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", metavar="FILE", help="Compare with the checkpoints in this file; may be given again."
        ),
    ] = None,
    public_key: PublicKeyFile = None,
    max_age: Annotated[
        int | None,
        typer.Option("--max-age", min=1, metavar="SECONDS", help="The newest checkpoint must be at most so old."),
    ] = None,
    archive: ArchiveDirectory = None,
    as_json: Json = False,
) -> None:
    """Compute the hash chain afresh, and name the first position at which the log is not what was recorded."""
    from infrastructure.postgres.log_rows import examine  # noqa: PLC0415 - takes longer to import than --help

    known = settings()
    checkpoints = [checkpoint for file in against or () for checkpoint in _checkpoints(file)]
    if (public_key or max_age) and not checkpoints:
        raise CommandError(
            "--public-key and --max-age are about checkpoints: give some with --against", ExitCode.MISUSE
        )
    if checkpoints:
        _believe(checkpoints, _key(known, public_key))
    if max_age is not None:
        _check_age(checkpoints, max_age)
    with event_log(known) as url, ExitStack() as stack:
        state, difference = examine(
            url, checkpoints, open_archive(archive), begun=_progress(stack, "Verifying the log, events")
        )
    record = {
        "position": state.position,
        "hash": state.hash.hex(),
        "root": state.root.hex(),
        "recorded_at": state.recorded_at,
        "checkpoints": len(checkpoints),
        "difference": None if difference is None else difference._asdict(),
    }
    if wants_json(as_json):
        write_json(record)
    elif difference is None:
        write_record(record)
    if difference is not None:
        raise CommandError(f"The log is not what was recorded; {difference.described()}", ExitCode.DIFFERENCE)
    say("The log is what was recorded" + (", and what its checkpoints say." if checkpoints else "."))


def checkpoint(*, archive: ArchiveDirectory = None) -> None:
    """Write a signed checkpoint of the log as it is: one JSON object. Keep it where nobody who can change the log can."""
    import msgspec  # noqa: PLC0415 - see above

    from infrastructure.audit.checkpoint import sign  # noqa: PLC0415 - see above
    from infrastructure.audit.keys import signing_key  # noqa: PLC0415 - see above
    from infrastructure.clock import SystemClock  # noqa: PLC0415 - see above
    from infrastructure.postgres.log_state import TamperedLogError, log_state  # noqa: PLC0415 - see above

    known = settings()
    key = signing_key(known)
    with event_log(known) as url, ExitStack() as stack:
        try:
            state = log_state(url, open_archive(archive), begun=_progress(stack, "Reading the log, events"))
        except TamperedLogError as error:
            raise CommandError(str(error), ExitCode.DIFFERENCE) from None
    write_line(msgspec.json.encode(sign(state, SystemClock().now(), key)).decode())


def public_key() -> None:
    """Print the public key that checkpoints are checked with. Whoever checks them needs it, and gets it from you."""
    from infrastructure.audit.keys import public_pem, signing_key  # noqa: PLC0415 - see above

    write_line(public_pem(signing_key(settings()).public_key()).rstrip())


def prove(
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="The order.")],
    *,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="Prove it to whoever has this one; by default, a new one."),
    ] = None,
    archive: ArchiveDirectory = None,
) -> None:
    """Write a proof that the order's events are in the log, which can be checked without the log: one JSON object."""
    import msgspec  # noqa: PLC0415 - see above

    from infrastructure.audit.checkpoint import sign  # noqa: PLC0415 - see above
    from infrastructure.audit.keys import signing_key  # noqa: PLC0415 - see above
    from infrastructure.clock import SystemClock  # noqa: PLC0415 - see above
    from infrastructure.postgres.log_state import TamperedLogError  # noqa: PLC0415 - see above
    from infrastructure.postgres.log_tree import LogTree  # noqa: PLC0415 - see above

    known = settings()
    given = None if checkpoint is None else _checkpoints(checkpoint)[-1]
    with event_log(known) as url, ExitStack() as stack:
        tree, begun = LogTree(url, open_archive(archive)), _progress(stack, "Reading the log, events")
        try:
            taken = given or sign(tree.state(begun), SystemClock().now(), signing_key(known))
            proof = tree.prove(order_id.lower(), taken, begun) if given else tree.prove(order_id.lower(), taken)
        except TamperedLogError as error:
            raise CommandError(str(error), ExitCode.DIFFERENCE) from None
    if not proof.events:
        raise CommandError(f"There was no order {order_id} when the checkpoint was taken")
    write_line(msgspec.json.encode(proof).decode())


def check_proof(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The proof.")],
    *,
    public_key: Annotated[
        Path, typer.Option("--public-key", metavar="FILE", help="Of whoever signs the checkpoints of the log.")
    ],
    as_json: Json = False,
) -> None:
    """Check a proof with the public key alone: no database, no home, no network."""
    from infrastructure.audit.keys import PublicKeyError, read_public_key  # noqa: PLC0415 - see above
    from infrastructure.audit.proof import ProofError, WrongProofError, read_proof  # noqa: PLC0415 - see above

    try:
        proof = read_proof(file.read_bytes())
        key = read_public_key(public_key)
    except (ProofError, PublicKeyError) as error:
        raise CommandError(f"{file}: {error}", ExitCode.MISUSE) from None
    try:
        proof.check(key)
    except WrongProofError as error:
        raise CommandError(f"This proves nothing: {error}", ExitCode.DIFFERENCE) from None
    record = {
        "order_id": proof.order_id,
        "events": len(proof.events),
        "position": proof.checkpoint.position,
        "taken_at": proof.checkpoint.taken_at,
        "key_id": proof.checkpoint.key_id,
    }
    if wants_json(as_json):
        write_json(record)
    else:
        write_record(record)


def _checkpoints(file: Path) -> Sequence["Checkpoint"]:
    from infrastructure.audit.checkpoint import CheckpointError, read_checkpoints  # noqa: PLC0415 - see above

    try:
        return read_checkpoints(file.read_bytes())
    except CheckpointError as error:
        raise CommandError(f"{file}: {error}", ExitCode.MISUSE) from None


def _key(known: "Settings", file: Path | None) -> "Ed25519PublicKey":
    from infrastructure.audit.keys import PublicKeyError, has_key, read_public_key, signing_key  # noqa: PLC0415 - see above

    if file is None:
        if not has_key(known):
            raise CommandError("Say whose checkpoints to believe: --public-key FILE", ExitCode.MISUSE)
        return signing_key(known).public_key()
    try:
        return read_public_key(file)
    except PublicKeyError as error:
        raise CommandError(str(error), ExitCode.MISUSE) from None


def _believe(checkpoints: Sequence["Checkpoint"], key: "Ed25519PublicKey") -> None:
    from infrastructure.audit.checkpoint import ForgedCheckpointError  # noqa: PLC0415 - see above

    try:
        for each in checkpoints:
            each.check(key)
    except ForgedCheckpointError as error:
        raise CommandError(f"This is not to be believed: {error}", ExitCode.DIFFERENCE) from None


def _check_age(checkpoints: Sequence["Checkpoint"], seconds_max: int) -> None:
    from datetime import datetime  # noqa: PLC0415 - see above

    from infrastructure.clock import SystemClock  # noqa: PLC0415 - see above

    newest = max(each.taken_at for each in checkpoints)
    age_seconds = (SystemClock().now() - datetime.fromisoformat(newest)).total_seconds()
    if age_seconds > seconds_max:
        raise CommandError(
            f"The newest checkpoint was taken at {newest}, more than {seconds_max} seconds ago: "
            "somebody may have put it in the place of a newer one",
            ExitCode.DIFFERENCE,
        )


def _progress(stack: ExitStack, title: str) -> Callable[[int], Callable[[int], None]]:
    from cli.progress import progress  # noqa: PLC0415 - see above

    return lambda total: stack.enter_context(progress(title, total))
