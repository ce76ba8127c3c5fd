"""Tie a process to the life of its parent, then become the wanted program.

    python tether.py PARENT_PID SIGNAL IDENTITY PROGRAM [ARGUMENT ...]

The kernel sends SIGNAL to the program when the process PARENT_PID ends, however it ends: also by kill -9. Such a tie
cannot be made from outside, and it is cut by a change of credentials; so this file runs as a script between fork and
exec, changes the identity first, and imports nothing but the standard library to be quick.

IDENTITY says as whom the program runs. PostgreSQL refuses to run as root, hence:

- `same`: as whoever we are.
- `mapped`: in a user namespace in which we are nobody. To everybody outside we stay who we are.
- a user id: as that user, for machines that forbid user namespaces. It keeps the one privilege of reading below
  directories that are closed to that user, such as a home under /root.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

SAME = "same"
MAPPED = "mapped"
NOBODY = 65534  # has a name on every Linux, which initdb insists on

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION = 0x20080522


def tethered(command: Sequence[str], *, death_signal: int = signal.SIGKILL, identity: str = SAME) -> list[str]:
    """Return the command line that runs `command` tied to the life of the calling process.

    Start it from a thread that lives as long as the process: the kernel takes the end of the starting thread for the
    end of the parent. The process id stays the same from the start of this command line on.

    Args:
        command: program (absolute path) and arguments.
        death_signal: what the program is sent when the caller dies.
        identity: as whom it runs; see the head of this file.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(death_signal)), identity, *command]


# From here on the code runs in a process that ends in exec, which coverage does not survive.
class _Libc:  # pragma: no cover - runs just before exec
    """The system calls that Python does not offer; each raises OSError when it fails."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def _checked(self, result: int, what: str) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")

    def prctl(self, option: int, first: int, second: int = 0) -> None:
        numbers = [ctypes.c_ulong(number) for number in (first, second, 0, 0)]
        self._checked(self._libc.prctl(ctypes.c_int(option), *numbers), f"prctl {option}")

    def unshare(self, flags: int) -> None:
        self._checked(self._libc.unshare(ctypes.c_int(flags)), "unshare")

    def keep_only_capability(self, capability: int) -> None:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        mask = 1 << capability  # effective, permitted, inheritable; the second triple is for capabilities above 31
        sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
        self._checked(self._libc.capset(header, sets), "capset")


def _become_mapped(libc: _Libc) -> None:  # pragma: no cover - runs just before exec
    user, group = os.geteuid(), os.getegid()
    libc.unshare(_CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def _become_user(libc: _Libc, user: int) -> None:  # pragma: no cover - runs just before exec
    libc.prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.keep_only_capability(_CAP_DAC_OVERRIDE)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _main(parent: int, death_signal: int, identity: str, command: list[str]) -> None:  # pragma: no cover - execs
    libc = _Libc()
    if identity == MAPPED:
        _become_mapped(libc)
    elif identity != SAME:
        _become_user(libc, int(identity))
    libc.prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # it died before the tie was made
        sys.exit(f"process {parent}, which started this one, is gone")
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execv(command[0], command)  # noqa: S606 - the command comes from our own code


if __name__ == "__main__":  # pragma: no cover - execs
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
