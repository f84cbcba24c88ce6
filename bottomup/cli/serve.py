"""`bottomup serve`: a page on this machine."""

import argparse
import contextlib
import os
import sys
import threading
from typing import Any

from bottomup.cli.console import patience, quiet_opencv, say, without_chatter
from bottomup.cli.parsing import add_command

_PORT = 8017


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "serve",
        help="try photos and the webcam on a page",
        description="Open a page on this machine that shows the people in photos and in what a webcam sees. "
        "No other machine can reach it, and photos are not kept. Ctrl-C ends it.",
        command=serve_page,
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="the first choice: a name that bottomup models lists, or a .tflite, .onnx or .xml file (default: the "
        "model that ships)",
    )
    parser.add_argument(
        "--port", type=_port, metavar="N", default=_PORT, help=f"port, 0 for any free one (default: {_PORT})"
    )
    parser.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=True, help="open it in the browser (default: yes)"
    )


def serve_page(asked: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, which is its usual end, and a success."""
    from bottomup.serving.server import check_installed, open_socket, serve

    check_installed()
    quiet_opencv()
    with open_socket(asked.port) as listening:
        from bottomup.catalogue import cards as catalogue
        from bottomup.cli.models import fetch
        from bottomup.serving.networks import Networks

        if asked.model in catalogue.names() and not os.path.isfile(asked.model):
            fetch(asked.model)  # with a bar
        with patience("loading the model"):
            networks = Networks(asked.model, around_loading=without_chatter)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        say(f"{address}: open it in a browser; Ctrl-C ends it")
        sys.stdout.flush()
        if asked.open and _has_screen():
            threading.Thread(target=_open, args=[address], daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            serve(networks, listening)
    return 0


def _has_screen() -> bool:
    """Return whether a browser can show itself: without a screen it may be a text browser that takes the terminal."""
    from bottomup.errors import MissingRuntimeError
    from bottomup.presentation import check_screen

    try:
        check_screen()
    except MissingRuntimeError:
        return False
    return True


def _open(address: str) -> None:
    """Open an address in the browser."""
    import webbrowser

    webbrowser.open(address)


def _port(text: str) -> int:
    """Parse a port."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port from 0 to 65535, got {text}")
    return int(text)
