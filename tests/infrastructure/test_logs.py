import logging
import subprocess
import sys

SCRIPT = """
import logging, structlog
from infrastructure.logs import configure_logs
configure_logs()
logging.getLogger("somewhere").info("plain %s", "words")
logging.getLogger("httpx2").info("HTTP Request")
structlog.get_logger("elsewhere").warning("bus_down", seconds=3)
"""


def test_everything_is_said_on_standard_error_and_requests_to_the_venue_are_not() -> None:
    assert logging.getLogger("httpx2").level in {logging.NOTSET, logging.WARNING}
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert said.stdout == ""
    lines = said.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("INFO somewhere: plain words")
    assert "event='bus_down' seconds=3" in lines[1]
