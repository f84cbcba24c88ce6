"""Associative embedding: heatmaps with tags that tell people apart, as HigherHRNet, mmpose and OMZ 0005-0007 give."""

from importlib import import_module
from typing import Any

__all__ = ["reference"]


def __getattr__(name: str) -> Any:
    if name == "reference":
        return import_module("bottomup.tags.reference")
    raise AttributeError(f"module 'bottomup.tags' has no attribute {name!r}")
