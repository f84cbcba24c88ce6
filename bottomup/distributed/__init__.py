"""Estimate more images than one process or machine should: in parts, with or without Ray, and resumable."""

from bottomup.distributed.estimating import Report, estimate_images
from bottomup.distributed.results import read_rows

__all__ = ["Report", "estimate_images", "read_rows"]
