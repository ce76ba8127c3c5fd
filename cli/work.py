"""`orderlog work`: the worker alone, for engines whose API runs elsewhere."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infrastructure.embedded.children import Child


def work() -> None:
    """Run the worker: projections, execution, status changes. Several may run; one of them leads."""
    from infrastructure.addresses import environment, resolved  # noqa: PLC0415 - heavy
    from infrastructure.embedded.children import run_children  # noqa: PLC0415 - heavy
    from infrastructure.embedded.servers import embedded_servers, wanted_servers  # noqa: PLC0415 - heavy
    from infrastructure.logs import log_to_standard_error  # noqa: PLC0415 - heavy
    from infrastructure.reachability import check_servers  # noqa: PLC0415 - heavy
    from infrastructure.settings import load_settings  # noqa: PLC0415 - heavy

    settings = load_settings(os.environ)
    log_to_standard_error("work")
    check_servers(settings)
    with embedded_servers(settings.home, wanted_servers(settings)) as addresses:
        run_children([work_child(environment(resolved(settings, addresses)))])


def work_child(variables: Mapping[str, str]) -> "Child":
    """The worker as a child process that uses the servers of the variables."""
    from infrastructure.embedded.children import Child  # noqa: PLC0415 - heavy

    return Child("worker", (sys.executable, "-m", "infrastructure.worker"), variables)
