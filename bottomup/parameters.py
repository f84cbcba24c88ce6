"""Parameters of decoders: ranges declared beside the fields of a frozen dataclass, checked in one place.

```python
@dataclass(frozen=True)
class Decoder:
    max_poses: int = whole(20)
    score_threshold: float = score(0.1)
    nms_radius: float = number(20.0, low=0)
    ranking: Literal["evidence", "mean"] = choice("evidence", "mean")

    def __post_init__(self) -> None:
        check(self)
```
"""

from collections.abc import Callable
from dataclasses import field, fields
from typing import Any

import numpy as np

from bottomup.errors import InputError
from bottomup.tensors import as_number

__all__ = ["check", "choice", "number", "pair", "score", "switch", "whole"]

_RULE = "rule"


def whole(default: int, *, low: int = 1, high: int = 2**31 - 1) -> Any:
    """Declare a whole number within these limits."""

    def rule(value: Any, name: str) -> int:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
            raise InputError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
        return int(value)

    return _declared(default, rule)


def number(default: float, *, low: float = -np.inf, high: float = np.inf, above: bool = False) -> Any:
    """Declare a finite number within these limits, or above the lower one if `above`."""

    def rule(value: Any, name: str) -> float:
        given = as_number(value, name)
        if not (low < given if above else low <= given) or not given <= high or not np.isfinite(given):
            raise InputError(f"{name} must be a finite number {_range(low, high, above)}, got {value!r}")
        return given

    return _declared(default, rule)


def score(default: float) -> Any:
    """Declare a score in [0, 1]."""
    return number(default, low=0, high=1)


def switch(default: bool) -> Any:
    """Declare True or False."""

    def rule(value: Any, name: str) -> bool:
        if not isinstance(value, (bool, np.bool_)):
            raise InputError(f"{name} must be True or False, got {value!r}")
        return bool(value)

    return _declared(default, rule)


def choice(default: str, *others: str) -> Any:
    """Declare one of these words."""
    allowed = (default, *others)

    def rule(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise InputError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        return value

    return _declared(default, rule)


def pair(default: float, *, low: float = -np.inf, high: float = np.inf) -> Any:
    """Declare x and y, two finite numbers within these limits; one number stands for both."""

    def rule(value: Any, name: str) -> tuple[float, float]:
        given = value if isinstance(value, (tuple, list)) else (value, value)
        if len(given) != 2:
            raise InputError(f"{name} must be one number or two, x and y, got {value!r}")
        x, y = (as_number(each, name) for each in given)
        if not all(low <= each <= high and np.isfinite(each) for each in (x, y)):
            raise InputError(f"{name} must be finite numbers {_range(low, high, False)}, got {value!r}")
        return x, y

    return _declared(default, rule)


def check(decoder: Any) -> None:
    """Refuse parameters outside their limits; bring the rest to plain int, float, bool and str."""
    for parameter in fields(decoder):
        rule = parameter.metadata.get(_RULE)
        if rule is not None:
            object.__setattr__(decoder, parameter.name, rule(getattr(decoder, parameter.name), parameter.name))


def _declared(default: Any, rule: Callable[[Any, str], Any]) -> Any:
    return field(default=default, metadata={_RULE: rule})


def _range(low: float, high: float, above: bool) -> str:
    if low == -np.inf and high == np.inf:
        return "of any size"
    if high == np.inf:
        return f"above {low}" if above else f"of at least {low}"
    return f"above {low} and at most {high}" if above else f"in [{low}, {high}]"
