"""Poses of more images than one process or one machine should do: in parts, on Ray or without it, resumed at will."""

from bottomup.distributed.estimating import Report, estimate_images
from bottomup.distributed.results import read_rows

__all__ = ["Report", "estimate_images", "read_rows"]
