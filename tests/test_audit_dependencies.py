import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import audit_dependencies as auditing
from tests.audit_dependencies import Findings, main, node_packages, python_packages, remember, remembered, report

CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {
    "name": "b",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}, {"id": "X", "fix_versions": []}],
}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found"}
RUNS, WEB = Path("requirements.lock"), Path("web/package-lock.json")


def saying(text: Any, code: int = 0, error: str = "") -> list[str]:
    """A program that says it and ends."""
    said = text if isinstance(text, str) else json.dumps(text)
    return [sys.executable, "-c", f"import sys; print({said!r}); print({error!r}, file=sys.stderr); sys.exit({code})"]


def test_what_is_vulnerable_is_named_with_what_fixes_it() -> None:
    found = python_packages(saying({"dependencies": [CLEAN, BAD], "fixes": []}, 1), RUNS)
    assert found == Findings(["b 2: PYSEC-1, fixed in 2.1", "b 2: X, fixed in no version"], [])
    assert report(found) == 1
    found = node_packages(saying({"vulnerabilities": {"left-pad": {"severity": "high"}}}, 1), WEB)
    assert found == Findings(["left-pad (high), in web"], [])


def test_what_is_clean_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    found = python_packages(saying({"dependencies": [CLEAN]}), RUNS) + node_packages(
        saying({"vulnerabilities": {}}), WEB
    )
    assert (report(found), capsys.readouterr().err) == (0, "")


def test_a_package_that_the_database_does_not_have_is_not_taken_for_clean(capsys: pytest.CaptureFixture[str]) -> None:
    found = python_packages(saying({"dependencies": [CLEAN, *[SKIPPED] * 6]}), RUNS)
    assert report(found) == 0
    said = "NOT audited: 6 of 7 packages in requirements.lock, which the database does not have: c, c, c, c, c, ...\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"dependencies": []}', "no route to host"])
def test_who_cannot_be_asked_is_said_not_to_have_been(answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = python_packages(saying(answer, 1, "ConnectionError: no route"), RUNS) + node_packages(
        saying(answer, 1), WEB
    )
    assert report(found) == 0
    assert "NOT audited: requirements.lock: ConnectionError: no route\n" in capsys.readouterr().err
    refused = node_packages(saying({"message": "405 Method Not Allowed", "error": {}}, 1), WEB)
    assert refused.not_audited == ["npm packages of web: 405 Method Not Allowed"]


def test_who_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "_SECONDS_MAX", 0.2)
    found = node_packages([sys.executable, "-c", "import time; time.sleep(60)"], WEB)
    assert found.not_audited == ["npm packages of web: no answer within 0.2 seconds"]


def test_a_clean_bill_is_good_for_a_day_and_a_missing_one_for_an_hour(tmp_path: Path) -> None:
    file = tmp_path / "audited"
    clean, missing, bad = Findings([], []), Findings([], ["npm"]), Findings(["b 2: X"], [])
    assert remembered(file, "d", 0) is None
    for findings, last in ((clean, 86_399.0), (missing, 3_599.0)):
        remember(file, "d", 0, findings)
        assert remembered(file, "d", last) == findings
        assert remembered(file, "d", last + 1) is None
        assert remembered(file, "other locks", 1) is None
    remember(file, "d", 0, bad)
    assert remembered(file, "d", 1) is None  # who has mended it wants to know
    file.write_text("{")
    assert remembered(file, "d", 1) is None


def test_nobody_is_asked_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def audit() -> Findings:
        asked.append(1)
        return Findings([], ["npm"])

    monkeypatch.setattr(auditing, "audit", audit)
    assert [main(tmp_path / "audited") for _ in range(2)] == [0, 0]
    assert asked == [1]


def test_all_that_is_locked_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def said(command: list[str]) -> tuple[dict[str, Any], str]:
        asked.append(" ".join(command))
        return {}, "offline"

    monkeypatch.setattr(auditing, "_said", said)
    assert len(auditing.audit().not_audited) == 4
    assert "--require-hashes --disable-pip" in asked[0]  # nothing is installed, or even resolved
    assert all(lock.exists() for lock in (*auditing.PYTHON_LOCKS, *auditing.NODE_LOCKS))


@pytest.mark.parametrize("lock", [*auditing.PYTHON_LOCKS, auditing.ROOT / "web" / "requirements-node.lock"])
def test_everything_that_is_installed_is_locked_with_its_hash(lock: Path) -> None:
    packages = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text())
    assert [each for each in packages if each[:1] not in "#\n" and "--hash=sha256:" not in each] == []
    assert "--require-hashes" in (auditing.ROOT / "Makefile").read_text()
