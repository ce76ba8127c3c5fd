"""Supervises children that do as they are told on the command line.

python -m tests.infrastructure.embedded.supervisor STOP_SECONDS BEHAVIOUR...
"""

import logging
import os
import signal
import socket
import sys
import time

from infrastructure.embedded.children import Child, CrashLoopError, run_children


def child(behaviour: str) -> None:
    """Say who runs, then behave; a descriptor in the environment is a listening socket to say it on."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "stubborn" else stop)
    say(f"{behaviour} {os.getpid()} {os.getpgrp()}")
    if behaviour == "crash":
        sys.exit(3)
    if behaviour == "family":
        os.fork()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "listen":
        with socket.socket(fileno=int(os.environ["LISTENER"])) as listener:
            say(f"port {listener.getsockname()[1]}")
    time.sleep(60)


def stop(*_: object) -> None:
    say(f"{sys.argv[2]} stopped")
    sys.exit()


def say(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def main(stop_seconds: str, *behaviours: str) -> None:
    logging.basicConfig(format="%(message)s", stream=sys.stdout, level=logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        children = [
            Child(
                name=behaviour,
                command=(sys.executable, "-m", __spec__.name, "child", behaviour),
                environment={"LISTENER": str(listener.fileno())},
                descriptors=(listener.fileno(),),
            )
            for behaviour in behaviours
        ]
        try:
            run_children(children, stop_seconds=float(stop_seconds), on_started=lambda: say("started"))
        except CrashLoopError as error:
            say(str(error))
            sys.exit(1)
        say("done")


if __name__ == "__main__":
    if sys.argv[1] == "child":
        child(sys.argv[2])
    else:
        main(*sys.argv[1:])
