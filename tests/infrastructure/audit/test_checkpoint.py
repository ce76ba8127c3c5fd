from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infrastructure.audit.checkpoint import (
    CheckpointError,
    ForgedCheckpointError,
    LogState,
    read_checkpoints,
    sign,
)
from infrastructure.audit.keys import PublicKeyError, has_key, key_id, public_pem, read_public_key, signing_key
from infrastructure.settings import Settings, SettingsError, load_settings

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STATE = LogState(12, b"\x01" * 32, b"\x02" * 32, "2026-11-22T09:30:00.000001Z")
TAKEN_AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def settings_in(home: Path, **more: str) -> Settings:
    return load_settings({"ORDERLOG_HOME": str(home), **more})


def test_what_is_signed_is_a_text_of_six_lines() -> None:
    assert sign(STATE, TAKEN_AT, KEY).signed == (
        b"orderlog checkpoint 1\nposition 12\nhash " + b"01" * 32 + b"\nroot " + b"02" * 32 + b"\n"
        b"recorded_at 2026-11-22T09:30:00.000001Z\ntaken_at 2026-11-22T10:00:00.000000Z\n"
    )


def test_an_empty_log_has_a_checkpoint_too() -> None:
    checkpoint = sign(LogState(0, bytes(32), bytes(32), None), TAKEN_AT, KEY)
    assert b"\nrecorded_at -\n" in checkpoint.signed
    checkpoint.check(KEY.public_key())


def test_the_signature_of_the_key_is_believed_and_no_other() -> None:
    checkpoint = sign(STATE, TAKEN_AT, KEY)
    checkpoint.check(KEY.public_key())
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    with pytest.raises(ForgedCheckpointError, match=f"signed with the key {key_id(KEY.public_key())}, not with"):
        checkpoint.check(other)
    with pytest.raises(ForgedCheckpointError, match="is not what the key"):
        msgspec.structs.replace(checkpoint, key_id=key_id(other)).check(other)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("position", 11),
        ("hash", "03" * 32),
        ("root", "03" * 32),
        ("recorded_at", None),
        ("taken_at", "2027-01-01T00:00:00.000000Z"),
        ("signature", "A" * 86 + "=="),
    ],
)
def test_a_change_of_any_field_is_found(field: str, value: object) -> None:
    changed = msgspec.structs.replace(sign(STATE, TAKEN_AT, KEY), **{field: value})
    with pytest.raises(ForgedCheckpointError, match="is not what the key"):
        changed.check(KEY.public_key())


def test_checkpoints_are_read_one_by_one_or_line_by_line() -> None:
    first, second = sign(STATE, TAKEN_AT, KEY), sign(STATE._replace(position=13), TAKEN_AT, KEY)
    indented = msgspec.json.format(msgspec.json.encode(first))
    assert read_checkpoints(indented) == [first]
    lines = msgspec.json.encode(first) + b"\n" + msgspec.json.encode(second) + b"\n"
    assert read_checkpoints(lines) == [first, second]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "there is no checkpoint in it"),
        (b"hello", "this is no checkpoint: "),
        (b"{}", "missing required field `position`"),
        (b'{"position": "12"}', "Expected `int`"),
        (b'{"position": 12, "extra": 1}', "unknown field"),
        (b'{"position": 12, "hash": "XY"}', "hash"),
    ],
)
def test_what_is_no_checkpoint_is_named(text: bytes, problem: str) -> None:
    with pytest.raises(CheckpointError, match=problem):
        read_checkpoints(text)


def test_a_line_feed_cannot_be_smuggled_into_what_is_signed() -> None:
    text = msgspec.json.encode(sign(STATE, TAKEN_AT, KEY)).replace(b"10:00:00.000000Z", b"10:00:00.000000Z\\n")
    with pytest.raises(CheckpointError):
        read_checkpoints(text)


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    assert not has_key(settings)
    made = signing_key(settings)
    assert has_key(settings)
    assert signing_key(settings).private_bytes_raw() == made.private_bytes_raw()
    assert (tmp_path / "home" / "audit-key.pem").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_set_is_used(tmp_path: Path) -> None:
    first = settings_in(tmp_path / "home")
    made = signing_key(first)
    moved = (tmp_path / "home" / "audit-key.pem").rename(tmp_path / "key.pem")
    second = settings_in(tmp_path / "other", ORDERLOG_AUDIT_KEY=str(moved))
    assert has_key(second)
    assert signing_key(second).private_bytes_raw() == made.private_bytes_raw()
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("content", ["", "-----BEGIN nonsense", public_pem(KEY.public_key())])
def test_a_file_without_a_private_key_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key.pem"
    file.write_text(content)
    with pytest.raises(SettingsError, match=f"ORDERLOG_AUDIT_KEY is {file}, which is no unencrypted Ed25519"):
        signing_key(settings_in(tmp_path, ORDERLOG_AUDIT_KEY=str(file)))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="which cannot be read: No such file"):
        signing_key(settings_in(tmp_path, ORDERLOG_AUDIT_KEY=str(tmp_path / "nothing")))


def test_a_public_key_is_read_as_it_was_printed(tmp_path: Path) -> None:
    file = tmp_path / "public.pem"
    file.write_text(public_pem(KEY.public_key()))
    assert read_public_key(file).public_bytes_raw() == KEY.public_key().public_bytes_raw()
    file.write_text("no key")
    with pytest.raises(PublicKeyError, match="`orderlog events public-key` prints one"):
        read_public_key(file)
