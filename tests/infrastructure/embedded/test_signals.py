import os
import signal
import threading
import time

from infrastructure.embedded.signals import SignalInbox


def test_signals_are_collected_while_the_inbox_is_open() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with SignalInbox(signal.SIGUSR1, signal.SIGUSR2) as inbox:
        assert inbox.read() == set()
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert inbox.wait(5) == {signal.SIGUSR1, signal.SIGUSR2}
        assert inbox.wait(0) == set()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_signal_ends_the_waiting_also_beside_other_threads() -> None:
    with SignalInbox(signal.SIGUSR1) as inbox:
        release = threading.Event()
        threading.Thread(target=release.wait, daemon=True).start()
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        began = time.monotonic()
        assert inbox.wait(10) == {signal.SIGUSR1}
        assert time.monotonic() - began < 9
        release.set()
        timer.join()
