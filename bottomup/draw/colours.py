"""Colours, as blue, green and red."""

import colorsys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError

__all__ = ["LETTERS", "OUTLINE", "SIDES", "Colour", "in_order", "lighter", "of_person", "people"]

Colour = tuple[int, int, int]

#: Left, right and the middle of the body. Orange and blue are distinct with any colour vision.
SIDES: tuple[Colour, Colour, Colour] = ((20, 150, 255), (255, 180, 50), (245, 245, 245))
OUTLINE: Colour = (30, 30, 30)
LETTERS: Colour = (245, 245, 245)

#: Okabe and Ito's palette, distinct with any colour vision.
_FIRST: tuple[Colour, ...] = (
    (0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240), (178, 114, 0), (0, 94, 213), (167, 121, 204),
)  # fmt: skip
_LIGHT = 175  # of 255
_GOLDEN = 0.618034  # of the hue circle: neighbours are far apart, and none repeats


def of_person(number: int) -> Colour:
    """Return the colour of a person's number, from 0; the same number always has the same colour."""
    if 0 <= number < len(_FIRST):
        return _FIRST[number]
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.55 + 0.3 * (number % 2), 1.0 - 0.2 * (number % 3))
    return round(255 * blue), round(255 * green), round(255 * red)


def lighter(colour: Colour) -> Colour:
    """Return a colour light enough for letters with a dark outline."""
    lightness = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    white = max(0.0, (_LIGHT - lightness) / (255 - lightness))
    blue, green, red = (round(level + white * (255 - level)) for level in colour)
    return blue, green, red


def people(count: int) -> NDArray[Any]:
    """Return (M, 3) colours of M people."""
    return np.array([of_person(number) for number in range(count)], np.int64).reshape(count, 3)


def in_order(colours: NDArray[Any], channel_order: str) -> NDArray[Any]:
    """Return BGR colours in the given channel order."""
    if channel_order not in ("bgr", "rgb"):
        raise InputError(f"channel_order must be 'bgr' or 'rgb', got {channel_order!r}")
    return colours if channel_order == "bgr" else colours[:, ::-1]
