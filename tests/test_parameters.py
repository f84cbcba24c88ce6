"""Parameters declared beside their fields: what each kind takes, and what it says of the rest."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import bottomup as bu
from bottomup.parameters import check, choice, number, pair, score, switch, whole


@dataclass(frozen=True)
class Decoder:
    count: int = whole(5, low=2, high=9)
    length: float = number(1.0, low=0, high=4)
    size: float = number(1.0, low=0, above=True)
    threshold: float = score(0.5)
    is_fast: bool = switch(True)
    order: str = choice("best", "first")
    shift: float | tuple[float, float] = pair(0.0, low=-8, high=8)

    def __post_init__(self):
        check(self)


GOOD = [
    ("count", 2), ("count", 9), ("count", np.int8(3)), ("length", 0), ("length", 4), ("size", 1e-9), ("size", 1e9),
    ("threshold", 0), ("threshold", 1), ("threshold", np.float32(0.25)), ("is_fast", np.bool_(False)),
    ("order", "first"),
]  # fmt: skip
BAD = [
    ("count", 1), ("count", 10), ("count", True), ("count", 2.0), ("count", "3"), ("length", -1e-9),
    ("length", 4.0001),
    ("size", 0), ("size", np.inf), ("threshold", -0.01), ("threshold", 1.01), ("threshold", np.nan),
    ("threshold", "1"),
    ("is_fast", 1), ("order", "last"), ("order", ["best"]), ("shift", (1, 2, 3)), ("shift", 8.1),
    ("shift", (0, np.nan)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_what_lies_within_the_limits_is_kept_as_a_plain_value(name, value):
    kept = getattr(Decoder(**{name: value}), name)
    assert kept == value
    assert type(kept) in (int, float, bool, str)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_does_not_is_refused_by_name(name, value):
    with pytest.raises(bu.InputError, match=f"^{name} must be .*got ") as caught:
        Decoder(**{name: value})
    assert "\n" not in str(caught.value)


def test_one_number_stands_for_both_of_a_pair():
    assert Decoder(shift=2).shift == (2.0, 2.0)
    assert replace(Decoder(), shift=[1, np.float32(-2)]).shift == (1.0, -2.0)
