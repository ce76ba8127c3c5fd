import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.exits import ExitCode
from tests.cli.conftest import ROOT, Run, spawn
from tests.cli.logs import a_short_history, record
from tests.conftest import tamper
from tests.domain.orders import ORDER_ID

LOG = a_short_history().log


@pytest.fixture
async def recorded_at(database_at: str) -> str:
    await record(database_at, LOG)
    return database_at


@pytest.fixture
def public_key(run: Run, tmp_path: Path) -> str:
    """A file with the public key of this home."""
    file = tmp_path / "public.pem"
    file.write_text(run("events", "public-key").out)
    return str(file)


@pytest.fixture
def checkpoint(run: Run, recorded_at: str, tmp_path: Path) -> Path:
    """A file with a checkpoint of the log."""
    assert recorded_at
    result = run("events", "checkpoint")
    assert (result.code, result.err) == (ExitCode.DONE, "")
    file = tmp_path / "checkpoint.json"
    file.write_text(result.out)
    return file


def test_a_log_that_nobody_changed_passes(run: Run, checkpoint: Path, public_key: str) -> None:
    result = run("events", "verify", "--against", str(checkpoint), "--public-key", public_key, "--max-age", "3600")
    said, taken = json.loads(result.out), json.loads(checkpoint.read_text())
    assert (result.code, result.err) == (
        ExitCode.DONE,
        "The log is what was recorded, and what its checkpoints say.\n",
    )
    assert said == {
        "position": len(LOG),
        "hash": taken["hash"],
        "root": taken["root"],
        "recorded_at": taken["recorded_at"],
        "checkpoints": 1,
        "difference": None,
    }


def test_the_first_difference_is_told_and_is_exit_code_3(run: Run, recorded_at: str) -> None:
    tamper(recorded_at, "DELETE FROM events WHERE position = 4")
    result = run("events", "verify")
    assert result.code == ExitCode.DIFFERENCE
    assert json.loads(result.out)["difference"] == {
        "position": 4,
        "earliest": 4,
        "problem": "there is no event, and later ones there are",
    }
    assert result.err == (
        "orderlog: The log is not what was recorded; position 4: there is no event, and later ones there are\n"
    )


def test_on_a_terminal_a_good_log_is_a_record_and_a_bad_one_a_sentence(run: Run, recorded_at: str) -> None:
    assert "position" in run("events", "verify", terminal=True).out
    tamper(recorded_at, "DELETE FROM events WHERE position = 4")
    result = run("events", "verify", terminal=True)
    assert (result.code, result.out) == (ExitCode.DIFFERENCE, "")
    assert json.loads(run("events", "verify", "--json", terminal=True).out)["position"] == 3


def test_events_that_were_taken_off_the_end_are_missed_by_a_checkpoint(
    run: Run, recorded_at: str, checkpoint: Path
) -> None:
    tamper(recorded_at, "DELETE FROM events WHERE position = 8")
    tamper(recorded_at, "UPDATE log_head SET (position, hash, recorded_at) = (SELECT 7, hash, recorded_at FROM events WHERE position = 7)")  # fmt: skip
    assert run("events", "verify").code == ExitCode.DONE
    result = run("events", "verify", "--against", str(checkpoint))
    assert (result.code, json.loads(result.out)["difference"]["position"]) == (ExitCode.DIFFERENCE, 8)


def test_a_checkpoint_of_another_key_is_not_believed(
    run: Run, checkpoint: Path, public_key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ORDERLOG_HOME", str(tmp_path / "forger"))
    forged = tmp_path / "forged.json"
    forged.write_text(run("events", "checkpoint").out)
    assert run("events", "verify", "--against", str(forged)).code == ExitCode.DONE  # to the forger it looks good
    result = run("events", "verify", "--against", str(forged), "--public-key", public_key)
    assert (result.code, result.out) == (ExitCode.DIFFERENCE, "")
    assert "This is not to be believed: the checkpoint at 8 is signed with the key" in result.err
    assert run("events", "verify", "--against", str(checkpoint), "--public-key", public_key).code == ExitCode.DONE


def test_an_old_checkpoint_in_the_place_of_a_newer_one_is_noticed(
    run: Run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_at = json.loads(checkpoint.read_text())["taken_at"]
    monkeypatch.setattr("infrastructure.clock.SystemClock.now", _a_day_after(taken_at))
    result = run("events", "verify", "--against", str(checkpoint), "--max-age", "3600")
    assert (result.code, result.out) == (ExitCode.DIFFERENCE, "")
    assert f"The newest checkpoint was taken at {taken_at}, more than 3600 seconds ago" in result.err


def _a_day_after(time: str) -> object:
    from datetime import datetime, timedelta  # noqa: PLC0415 - of no use to the others

    return lambda _clock: datetime.fromisoformat(time) + timedelta(days=1)


def test_checkpoints_of_several_files_are_all_compared(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.ndjson"
    both.write_text(2 * checkpoint.read_text())
    result = run("events", "verify", "--against", str(both), "--against", str(checkpoint))
    assert json.loads(result.out)["checkpoints"] == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--public-key", "x.pem"), "--public-key and --max-age are about checkpoints: give some with --against"),
        (("--max-age", "7"), "--public-key and --max-age are about checkpoints: give some with --against"),
    ],
)
def test_options_without_checkpoints_are_misuse(
    run: Run, home: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run("events", "verify", *arguments)
    assert (result.code, result.out, result.err) == (ExitCode.MISUSE, "", f"orderlog: {sentence}\n")
    assert not home.exists()


def test_what_is_no_checkpoint_or_no_key_is_misuse(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("{}")
    result = run("events", "verify", "--against", str(nonsense))
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert f"{nonsense}: this is no checkpoint" in result.err
    result = run("events", "verify", "--against", str(checkpoint), "--public-key", str(nonsense))
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "is no Ed25519 public key" in result.err


def test_without_a_key_of_its_own_a_home_must_be_told_whom_to_believe(
    run: Run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ORDERLOG_HOME", str(tmp_path / "other"))
    result = run("events", "verify", "--against", str(checkpoint))
    assert (result.code, result.err) == (
        ExitCode.MISUSE,
        "orderlog: Say whose checkpoints to believe: --public-key FILE\n",
    )


def test_a_log_that_contradicts_itself_gets_no_checkpoint(run: Run, recorded_at: str) -> None:
    tamper(recorded_at, "UPDATE events SET data = data || ' ' WHERE position = 2")
    result = run("events", "checkpoint")
    assert (result.code, result.out) == (ExitCode.DIFFERENCE, "")
    assert "Nothing is signed of a log that was tampered with; position 2: its hash is" in result.err


# ── Proofs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def proof(run: Run, recorded_at: str, tmp_path: Path) -> Path:
    """A file with a proof of the order."""
    assert recorded_at
    result = run("events", "prove", ORDER_ID.upper())
    assert (result.code, result.err) == (ExitCode.DONE, "")
    file = tmp_path / "proof.json"
    file.write_text(result.out)
    return file


def test_a_proof_is_checked_with_the_public_key_alone(
    run: Run, proof: Path, public_key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("ORDERLOG_HOME", str(tmp_path / "nowhere"))
    result = run("events", "check-proof", str(proof), "--public-key", public_key)
    said = json.loads(result.out)
    assert (result.code, result.err) == (ExitCode.DONE, "")
    assert (said["order_id"], said["events"], said["position"]) == (ORDER_ID, 4, len(LOG))
    assert "order_id" in run("events", "check-proof", str(proof), "--public-key", public_key, terminal=True).out
    assert not (tmp_path / "nowhere").exists()


def test_a_proof_that_was_changed_proves_nothing(run: Run, proof: Path, public_key: str) -> None:
    proof.write_text(proof.read_text().replace('"100', '"900', 1).replace('\\"100', '\\"900', 1))
    result = run("events", "check-proof", str(proof), "--public-key", public_key)
    assert (result.code, result.out) == (ExitCode.DIFFERENCE, "")
    assert result.err.startswith("orderlog: This proves nothing: the event at position 3 is not in the log")


def test_what_is_no_proof_is_misuse(run: Run, proof: Path, public_key: str, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("{}")
    for file, key in ((nonsense, public_key), (proof, nonsense)):
        result = run("events", "check-proof", str(file), "--public-key", str(key))
        assert (result.code, result.out) == (ExitCode.MISUSE, "")


def test_a_proof_can_be_for_somebody_who_has_a_checkpoint(
    run: Run, checkpoint: Path, public_key: str, tmp_path: Path
) -> None:
    file = tmp_path / "proof.json"
    file.write_text(run("events", "prove", ORDER_ID, "--checkpoint", str(checkpoint)).out)
    assert json.loads(file.read_text())["checkpoint"] == json.loads(checkpoint.read_text())
    assert run("events", "check-proof", str(file), "--public-key", public_key).code == ExitCode.DONE


def test_nothing_is_proven_of_an_order_that_is_not_there(run: Run, recorded_at: str) -> None:
    assert recorded_at
    result = run("events", "prove", "seven")
    assert (result.code, result.out) == (ExitCode.FAILED, "")
    assert "There was no order seven when the checkpoint was taken" in result.err


def test_nothing_is_proven_of_a_log_that_was_tampered_with(run: Run, recorded_at: str) -> None:
    tamper(recorded_at, "DELETE FROM events WHERE position = 4")
    result = run("events", "prove", ORDER_ID)
    assert (result.code, result.out) == (ExitCode.DIFFERENCE, "")
    assert "Nothing is signed of a log that was tampered with; position 4" in result.err


# ── As the documentation says ────────────────────────────────────────────────────────────────────────────────────────


def test_the_script_of_the_documentation_checks_a_checkpoint(checkpoint: Path, public_key: str) -> None:
    script = str(ROOT / "docs" / "how-to" / "check_checkpoint.py")
    command = [sys.executable, "-I", script, str(checkpoint), public_key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("good: the log had 8 events at ")
    checkpoint.write_text(checkpoint.read_text().replace('"position":8', '"position":7'))
    assert "InvalidSignature" in subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("jq")), reason="needs openssl and jq")
def test_the_shell_commands_of_the_documentation_check_a_checkpoint(
    checkpoint: Path, public_key: str, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "how-to" / "audit-the-log.md").read_text()
    (commands,) = [block.partition("```")[0] for block in page.split("```sh\n") if block.startswith("jq ")]
    assert checkpoint.parent == tmp_path
    shutil.copy(public_key, tmp_path / "orderlog.pem")
    done = subprocess.run(["/bin/sh", "-e"], input=commands, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Verified Successfully" in done.stdout


def test_the_command_works_as_a_process_of_its_own(recorded_at: str) -> None:
    assert recorded_at
    done = spawn("events", "verify")
    assert (done.returncode, json.loads(done.stdout)["position"]) == (ExitCode.DONE, 8)
    assert done.stderr == "The log is what was recorded.\n"
