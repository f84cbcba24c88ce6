"""`bottomup serve`: a page on this machine that shows the people in photos and in what a webcam sees."""

from bottomup.serving.networks import Networks
from bottomup.serving.server import MAX_UPLOAD, open_socket, serve

__all__ = ["MAX_UPLOAD", "Networks", "open_socket", "serve"]
