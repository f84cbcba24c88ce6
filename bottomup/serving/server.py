"""The server: on 127.0.0.1 alone, until Ctrl-C."""

import os
import socket

from bottomup.errors import InputError, MissingRuntimeError
from bottomup.serving.app import MAX_UPLOAD, make_app
from bottomup.serving.networks import Networks

__all__ = ["MAX_UPLOAD", "check_installed", "open_socket", "serve"]

_HOST = "127.0.0.1"
_MOST_CONNECTIONS = 32
_SECONDS_TO_END = 3


def check_installed() -> None:
    """Raise if the libraries that serve the page are not installed.

    Raises
    ------
    MissingRuntimeError
        If so.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingRuntimeError(
            f"the page needs Starlette and uvicorn, {error}: pip install 'bottomup[serve]'"
        ) from error


def open_socket(port: int) -> socket.socket:
    """Return a socket that listens at a port of this machine, any free one if it is 0.

    Raises
    ------
    InputError
        If the port is taken, or may not be used.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # where it frees a port that was just left; on Windows it would share a taken one
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise InputError(f"port {port} cannot be used: {error.strerror or error}; choose another, or 0") from error
    return listening


def serve(networks: Networks, listening: socket.socket, *, max_upload: int = MAX_UPLOAD) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Parameters
    ----------
    networks : Networks
        Those that the page offers.
    listening : socket
        From `open_socket`.
    max_upload : int
        Most bytes of a photo.

    Raises
    ------
    KeyboardInterrupt
        At Ctrl-C, after the server has ended.
    """
    import uvicorn

    config = uvicorn.Config(
        make_app(networks, port=listening.getsockname()[1], max_upload=max_upload),
        http="h11",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    server = uvicorn.Server(config)
    networks.stop_downloads_when(lambda: bool(server.should_exit))
    server.run(sockets=[listening])
