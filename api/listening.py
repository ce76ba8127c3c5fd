"""The socket that the API listens on. Apart from the rest, because whoever starts API processes needs nothing else."""

import resource
import socket

_UNREAD_MILLISECONDS_MAX = 30_000


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    A client that has data and does not take any of it for half a minute is disconnected by the kernel: that is all that
    frees the buffers of one who never reads.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2048)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # pragma: no branch - Linux has it, and every connection inherits it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS_MAX)
    return listening


def raise_file_limit() -> None:
    """Let this process have as many connections open as the machine lets it; each is a file, and the usual limit is low."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
