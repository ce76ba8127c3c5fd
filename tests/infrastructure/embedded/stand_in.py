"""A stand-in for the paper venue that behaves as its first argument says."""

import signal
import socket
import sys
import time
from pathlib import Path


def main(behaviour: str, _port_option: str, port: str, _journal_option: str, journal: str) -> None:
    with Path(journal).open("a") as file:
        file.write(f"started on {port}\n")
    if behaviour == "fail":
        sys.exit("no luck today")
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "silent":
        time.sleep(600)
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        sys.stdout.write(f"starting\nREADY http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            listener.accept()[0].close()


if __name__ == "__main__":
    main(*sys.argv[1:])
