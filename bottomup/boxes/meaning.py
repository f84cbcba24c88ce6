"""How many classes and parts a row has, by the number of its values; a question where that does not tell."""

from typing import Any, NamedTuple

import numpy as np

from bottomup.errors import InputError
from bottomup.skeletons import COCO17, Skeleton, as_skeleton

__all__ = ["FINAL_VALUES", "Meaning", "as_count", "count_parts", "count_values", "num_final_values"]

FINAL_VALUES = 6  #: of an end-to-end row before its parts: corners, score, class
_WORDS = {2: "x and y", 3: "x, y and score"}


class Meaning(NamedTuple):
    """What the values of a row are besides the box: scores of classes, then parts."""

    skeleton: Skeleton
    num_classes: int
    num_values: int  #: of a part: x, y and perhaps a score

    def __str__(self) -> str:
        plural = "class" if self.num_classes == 1 else "classes"
        return f"{self.num_classes} {plural} and {len(self.skeleton.parts)} parts of {_WORDS[self.num_values]}"


def count_values(num_values: int, name: str, skeleton: Skeleton | None, classes: int | None, *, before: int) -> Meaning:
    """Return what the values of a row are, of which `before` come before the classes.

    Where more than one number of classes is possible, one class is meant, and parts with a score rather than without.
    """
    classes = as_count(classes)
    if skeleton is None and classes is None and num_values - before == 1 + 3 * len(COCO17.parts):
        return Meaning(COCO17, 1, 3)
    readings = _readings(num_values - before, skeleton, classes)
    if skeleton is None and classes is None:
        listing = f", for example {' or '.join(map(str, readings[:2]))}" if readings else ""
        raise InputError(
            f"{name} has {num_values} values a row, and not the {before + 52} of COCO's 17 parts: {before} and then "
            f"{max(num_values - before, 0)} of classes and parts{listing}: pass skeleton=, classes= or both"
        )
    if not readings:
        parts = "parts" if skeleton is None else f"the {len(skeleton.parts)} parts of skeleton {skeleton.name!r}"
        raise InputError(
            f"{name} has {num_values} values a row, which are not {before}, the scores of {classes or 'some'} classes, "
            f"and 3 (or 2) for each of {parts}: pass the network's own skeleton= and classes="
        )
    of_one_class = [reading for reading in readings if reading.num_classes == 1]
    if classes is None and len(readings) > 1 and not of_one_class:
        raise InputError(
            f"{name} has {num_values} values a row, which are {readings[0]} or {readings[1]}: pass classes="
        )
    return (of_one_class or readings)[0]


def count_parts(num_values: int, name: str, skeleton: Skeleton | None) -> Meaning:
    """Return what the values of a row are that holds parts alone."""
    if skeleton is None and num_values != 3 * len(COCO17.parts):
        raise InputError(f"{name} has {num_values} values a row, and not the 51 of COCO's 17 parts: pass skeleton=")
    skeleton = COCO17 if skeleton is None else as_skeleton(skeleton)
    count = len(skeleton.parts)
    if num_values not in (3 * count, 2 * count):
        raise InputError(f"{name} must have {3 * count} values a row for skeleton {skeleton.name!r}, got {num_values}")
    return Meaning(skeleton, 1, num_values // count)


def num_final_values(shape: tuple[int, ...], skeleton: Skeleton | None) -> int:
    """Return the number of values of an end-to-end row if a shape is (1, M, 6 + parts), else 0."""
    count = len((COCO17 if skeleton is None else as_skeleton(skeleton)).parts)
    is_final = len(shape) in (2, 3) and shape[:-2] in ((), (1,)) and shape[-1] - FINAL_VALUES in (3 * count, 2 * count)
    return shape[-1] if is_final else 0


def as_count(classes: Any) -> int | None:
    """Return a number of classes that can be one, or None."""
    if classes is None:
        return None
    if isinstance(classes, (bool, np.bool_)) or not isinstance(classes, (int, np.integer)) or classes < 1:
        raise InputError(f"classes must be a whole number from 1 on, got {classes!r}")
    return int(classes)


def _readings(body: int, skeleton: Skeleton | None, classes: int | None) -> list[Meaning]:
    """Return what `body` values of classes and parts may be, parts with a score first, fewest classes first."""
    if skeleton is not None:
        count = len(as_skeleton(skeleton).parts)
        readings = [Meaning(skeleton, body - each * count, each) for each in (3, 2)]
    else:
        numbers = range(1, 4) if classes is None else [classes]
        readings = [
            Meaning(_nameless((body - number) // each), number, each)
            for each in (3, 2)
            for number in numbers
            if body > number and (body - number) % each == 0
        ]
    return [reading for reading in readings if reading.num_classes >= 1 and classes in (None, reading.num_classes)]


def _nameless(count: int) -> Skeleton:
    """Return a skeleton of so many parts: COCO's, or one of parts that nobody named."""
    if count == len(COCO17.parts):
        return COCO17
    return Skeleton(f"{count}_parts", tuple(f"part_{part}" for part in range(count)))
