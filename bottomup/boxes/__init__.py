"""One-stage networks that give each person as a row: box, score, parts. YOLO-pose, YOLOX-pose, RTMO."""

from importlib import import_module
from typing import Any

__all__ = ["reference"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
