"""`orderlog serve`: the whole engine on one machine, embedded servers included."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.work import work_child


def serve(
    *,
    worker: Annotated[bool, typer.Option(help="Run the worker beside the API.")] = True,
    migrate: Annotated[bool, typer.Option(help="Bring the database up to date first.")] = True,
) -> None:
    """Run the engine: embedded servers where no address is set, migrations, the API and the worker."""
    from api.listening import listen  # noqa: PLC0415 - heavy
    from cli.welcome import welcome  # noqa: PLC0415 - heavy
    from infrastructure.addresses import environment, resolved  # noqa: PLC0415 - heavy
    from infrastructure.embedded.children import Child, run_children  # noqa: PLC0415 - heavy
    from infrastructure.embedded.servers import embedded_servers, wanted_servers  # noqa: PLC0415 - heavy
    from infrastructure.logs import log_to_standard_error  # noqa: PLC0415 - heavy
    from infrastructure.postgres.migrating import upgrade  # noqa: PLC0415 - heavy
    from infrastructure.reachability import check_key_server, check_servers  # noqa: PLC0415 - heavy
    from infrastructure.settings import jwt_secret, load_settings  # noqa: PLC0415 - heavy

    settings = load_settings(os.environ)
    log_to_standard_error("serve")
    if settings.jwks_url is None:
        jwt_secret(settings)
    else:
        check_key_server(settings.jwks_url)
    check_servers(settings)
    with (
        listen(settings.host, settings.port) as listener,
        embedded_servers(settings.home, wanted_servers(settings)) as addresses,
    ):
        settings = resolved(settings, addresses)
        if migrate:
            upgrade(str(settings.session_url))
        variables = environment(settings)
        descriptor = listener.fileno()
        command = (sys.executable, "-m", "api", str(descriptor))
        children = [
            Child(f"api {number}", command, variables, (descriptor,)) for number in range(1, settings.workers + 1)
        ]
        if worker:
            children.append(work_child(variables))
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        with _announced(settings.home, url):
            greeter = threading.Thread(target=welcome, args=(settings, url), daemon=True)
            run_children(children, on_started=greeter.start)


@contextmanager
def _announced(home: Path, url: str) -> Iterator[None]:
    """Say in the home where the engine of this process answers, for as long as it does."""
    from infrastructure.embedded.home import open_home  # noqa: PLC0415 - heavy

    file = open_home(home).directory / "engine.json"
    fresh = file.with_name(f"engine.json.{os.getpid()}")
    fresh.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    fresh.replace(file)
    try:
        yield
    finally:
        if file.exists() and json.loads(file.read_text())["pid"] == os.getpid():
            file.unlink()
