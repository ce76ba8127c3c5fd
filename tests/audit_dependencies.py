"""Whether anything that is locked has a known vulnerability: ``python -m tests.audit_dependencies``.

Nothing is installed. A vulnerability fails. What cannot be looked up does not fail, because a machine without a way to the
advisory databases must be able to check everything else; but it is said, and never taken for a clean bill. pip-audit itself
takes a package that the database does not have for one without vulnerabilities, and so would we, if all it said was 404.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]

PYTHON_LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-dev.lock")
"""What runs; and what tests, in which versions may be others."""

NODE_LOCKS = (ROOT / "web" / "package-lock.json", ROOT / "tests" / "browser" / "chromium" / "package-lock.json")

_SECONDS_MAX = 90
_GOOD_FOR_SECONDS = 24 * 3600.0
_TRY_AGAIN_SECONDS = 3600.0
_NAMED_MAX = 5


class Findings(NamedTuple):
    """What is vulnerable, and what could not be looked up, each as a sentence."""

    vulnerable: list[str]
    not_audited: list[str]

    def __add__(self, other: "Findings") -> "Findings":  # type: ignore[override] # more than a tuple's
        """All of both."""
        return Findings(self.vulnerable + other.vulnerable, self.not_audited + other.not_audited)


def python_packages(command: Sequence[str], lock: Path) -> Findings:
    """What pip-audit says of a lock file."""
    said, problem = _said(command)
    packages = said.get("dependencies")
    if not isinstance(packages, list) or not packages:
        return Findings([], [f"{lock.name}: {problem or 'pip-audit names none'}"])
    vulnerable = [
        f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in {', '.join(vulnerability['fix_versions']) or 'no version'}"
        for each in packages
        for vulnerability in each.get("vulns", [])
    ]
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    named = ", ".join(skipped[:_NAMED_MAX]) + (", ..." if len(skipped) > _NAMED_MAX else "")
    missing = f"{len(skipped)} of {len(packages)} packages in {lock.name}, which the database does not have: {named}"
    return Findings(vulnerable, [missing] if skipped else [])


def node_packages(command: Sequence[str], lock: Path) -> Findings:
    """What ``npm audit`` says of a lock file."""
    said, problem = _said(command)
    found = said.get("vulnerabilities")
    name = f"npm packages of {lock.parent.name}"
    if not isinstance(found, dict):
        return Findings([], [f"{name}: {said.get('message') or problem}"])
    return Findings([f"{each} ({details['severity']}), in {lock.parent.name}" for each, details in found.items()], [])


def audit() -> Findings:
    """Ask for everything that is locked."""
    findings = Findings([], [])
    for lock in PYTHON_LOCKS:
        python = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
        findings += python_packages([*python, "--progress-spinner", "off", "--timeout", "5", "--format", "json"], lock)
    for lock in NODE_LOCKS:
        npm = [str(ROOT / "web" / "with-node"), "npm", "audit", "--json", "--package-lock-only"]
        findings += node_packages([*npm, "--prefix", str(lock.parent)], lock)
    return findings


def remembered(file: Path, digest: str, now: float) -> Findings | None:
    """What was found for the same lock files not long ago."""
    try:
        known = json.loads(file.read_text())
        findings = Findings(known["vulnerable"], known["not_audited"])
        good_for = _TRY_AGAIN_SECONDS if findings.not_audited else _GOOD_FOR_SECONDS
        is_good = known["digest"] == digest and 0 <= now - known["at"] < good_for
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return findings if is_good and not findings.vulnerable else None


def remember(file: Path, digest: str, now: float, findings: Findings) -> None:
    """Keep what was found for the next time."""
    file.write_text(json.dumps({"digest": digest, "at": now, **findings._asdict()}))


def report(findings: Findings) -> int:
    """Say it on standard error; the exit code."""
    for each in findings.not_audited:
        print(f"NOT audited: {each}", file=sys.stderr)  # noqa: T201 - a program
    for each in findings.vulnerable:
        print(f"VULNERABLE: {each}", file=sys.stderr)  # noqa: T201 - see above
    return 1 if findings.vulnerable else 0


def _said(command: Sequence[str]) -> tuple[Mapping[str, Any], str]:
    """The JSON object that the command writes, and, if it writes none, what went wrong instead."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS_MAX, cwd=ROOT / "web"
        )
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {_SECONDS_MAX} seconds"
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = None
    problem = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    return (said, problem) if isinstance(said, dict) else ({}, problem)


def main(file: Path = Path(sys.prefix) / ".audited") -> int:
    """Audit, unless that was done not long ago; the exit code."""
    now = time.time()  # noqa: TID251 - no part of the engine
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in (*PYTHON_LOCKS, *NODE_LOCKS))).hexdigest()
    findings = remembered(file, digest, now)
    if findings is None:
        findings = audit()
        remember(file, digest, now, findings)
    return report(findings)


if __name__ == "__main__":
    sys.exit(main())
