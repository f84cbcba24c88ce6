"""Turn known poses into the fields that a perfect network would return for them.

For unit tests of decoders, this library's and yours: decoding the fields must
give the poses back.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.rendering import box_fields
from bottomup.centers.rendering import center_fields
from bottomup.errors import InputError
from bottomup.geometry import as_size
from bottomup.paf.rendering import paf_fields
from bottomup.posenet.rendering import posenet_fields
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.tags.rendering import tag_fields

__all__ = ["box_fields", "center_fields", "paf_fields", "posenet_fields", "random_poses", "tag_fields"]

_TRUNK = ((1, 0.03, -0.03), (3, 0.06, -0.015), (5, 0.12, 0.14), (11, 0.08, 0.45))  # left part, x, y
_LIMBS = ((5, 7, 0.17), (7, 9, 0.15), (11, 13, 0.24), (13, 15, 0.23))  # left joint, left part, length


def random_poses(
    count: int, input_size: tuple[int, int] = (641, 481), seed: int = 0, *, overlapping: bool = False
) -> Poses:
    """Make up COCO-17 people who stand, walk, wave and turn, all parts inside the input.

    The same arguments give the same people. Scores are 1.

    Parameters
    ----------
    count : int
        How many people.
    input_size : (int, int)
        Width and height in pixels, also the poses' `image_size`.
    seed : int
        Another seed gives another crowd.
    overlapping : bool
        Let people of all sizes stand anywhere, in front of each other. By
        default each person has a tile of the picture, so more people are
        smaller people, and all face the same way, so that the same part of two
        people is seldom close.

    Raises
    ------
    InputError
        If `count` or `seed` is negative or not a whole number, or `input_size` is not a size.

    Examples
    --------
    >>> random_poses(2).keypoints.shape
    (2, 17, 3)
    """
    size = as_size(input_size)
    for name, number in (("count", count), ("seed", seed)):
        if not isinstance(number, (int, np.integer)) or number < 0:
            raise InputError(f"{name} must be a whole number, 0 or more, got {number!r}")
    count = int(count)
    generator = np.random.default_rng(seed)
    facing = generator.choice([-1, 1], count if overlapping else 1)
    figures = _figures(np.broadcast_to(facing, count), generator)
    fill = generator.uniform(0.6, 0.95, (count, 1))
    corners, tiles = np.zeros((count, 2)), np.tile(np.array(size, dtype=np.float64) - 1, (count, 1))
    if overlapping:
        fill = generator.uniform(0.25, 0.95, (count, 1))
    elif count:
        columns = round(math.sqrt(2 * count * size.width / size.height))  # tiles twice as high as wide
        columns = min(max(columns, 1), count)
        tiles = tiles / (columns, math.ceil(count / columns))
        person = np.arange(count)
        corners = np.stack([person % columns, person // columns], axis=1) * tiles
    low, high = figures.min(axis=1), figures.max(axis=1)
    scale = fill * (tiles / (high - low)).min(axis=1, keepdims=True)
    slack = generator.uniform(0, 1, (count, 2)) * (tiles - scale * (high - low))
    keypoints = np.ones((count, len(COCO17.parts), 3), np.float32)
    keypoints[..., :2] = (figures - low[:, None]) * scale[:, None] + (corners + slack)[:, None]
    return Poses(keypoints, np.ones(count, np.float32), COCO17, size)


def _figures(facing: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
    """Return (M, 17, 2) stick figures about one unit high, y downwards; `facing` is 1, or -1 if seen from behind."""
    count = len(facing)

    def spread(low: float, high: float) -> NDArray[Any]:
        return generator.uniform(low, high, count)

    figures = np.zeros((count, len(COCO17.parts), 2))
    breadth = spread(0.4, 1) * facing
    figures[:, 0, 1] = spread(0, 0.02)
    for other, side in ((0, 1), (1, -1)):  # left parts have odd numbers, their right twins come next
        for part, x, y in _TRUNK:
            figures[:, part + other] = np.stack([side * x * breadth, np.full(count, y)], axis=1)
        arm, leg = spread(-0.1, 2.4), spread(-0.1, 0.5)  # 0 hangs down, a quarter turn points outwards
        angles = (arm, arm + spread(-0.5, 1.2), leg, leg + spread(-0.4, 0.2))
        for (joint, part, length), angle in zip(_LIMBS, angles, strict=True):
            direction = np.stack([side * facing * np.sin(angle), np.cos(angle)], axis=1)
            figures[:, part + other] = figures[:, joint + other] + length * direction
    tilt = spread(-0.2, 0.2)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    return np.asarray(np.einsum("mpx,xym->mpy", figures, turn))
