"""What one check found."""

from collections.abc import Callable
from dataclasses import dataclass

from cli.exits import explained


@dataclass(frozen=True, slots=True)
class Finding:
    """``detail`` is what was found. ``remedy`` is what to do about it, and empty when nothing is wrong."""

    check: str
    detail: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.remedy


def attempt(check: str, look: Callable[[], Finding], remedy: str) -> Finding:
    """What the look finds; when it fails instead, that is what was found, with this remedy."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what the doctor is for
        return Finding(check, str(explained(error)), remedy)
