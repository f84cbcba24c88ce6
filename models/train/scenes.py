"""Rendered scenes: made-up people before made-up backgrounds, with exact keypoints and masks.

    scene = render_scene(seed=7)
    scene.image, scene.poses, scene.masks

The same seed gives the same scene.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from models.train.figures import HEAD, Figure, random_figure
from models.train.labels import as_poses
from models.train.paint import paint_figure, random_outfit

MOST_PEOPLE = 6
_FACE = (0, 1, 2, 3, 4)


class Scene(NamedTuple):
    """A picture and its exact labels."""

    image: NDArray[np.uint8]  #: (H, W, 3) BGR
    keypoints: NDArray[np.float32]  #: (M, 17, 3) x, y, and COCO's visibility: 2 seen, 1 hidden, 0 not labelled
    masks: NDArray[np.bool_]  #: (M, H, W) the pixels where each person is visible

    @property
    def poses(self) -> Poses:
        """The people as poses; parts that are not labelled are missing."""
        return as_poses(self.keypoints, ImageSize(self.image.shape[1], self.image.shape[0]))


def render_scene(seed: int, size: tuple[int, int] = (640, 480), num_people: int | None = None) -> Scene:
    """Render a scene.

    Parameters
    ----------
    seed : int
        Choose another scene.
    size : (int, int)
        Width and height in pixels.
    num_people : int, optional
        Default: 1 to 6.
    """
    generator = np.random.default_rng([20, seed])
    count = int(generator.integers(1, MOST_PEOPLE + 1)) if num_people is None else num_people
    image = _background(size, generator)
    light = generator.normal(0, 1, 2)
    light = light / np.linalg.norm(light)
    people, masks = [], []
    for _ in range(generator.integers(0, 4)):
        _clutter(image, generator)
    for figure, joints, height in sorted(_placed(count, size, generator), key=lambda person: person[2]):
        mask = paint_figure(image, figure, joints, height, random_outfit(generator), light)
        for earlier in masks:
            earlier &= ~mask
        people.append((figure, joints, max(mask.sum(), 1)))
        masks.append(mask)
        if generator.uniform() < 0.08:
            thing = _clutter(image, generator)
            for earlier in masks:
                earlier &= ~thing
    keypoints = [
        _labels(figure, joints, mask, area) for (figure, joints, area), mask in zip(people, masks, strict=True)
    ]
    image = _as_photo(image, generator)
    shape = (len(people), size[1], size[0])
    return Scene(image, np.array(keypoints, np.float32).reshape(-1, 17, 3), np.array(masks, bool).reshape(shape))


def _placed(
    count: int, size: tuple[int, int], generator: np.random.Generator
) -> list[tuple[Figure, NDArray[np.float64], float]]:
    """Return figures, pixels of their joints, and heights; trunks lie apart, and each is mostly inside."""
    people: list[tuple[Figure, NDArray[np.float64], float]] = []
    centres: list[tuple[NDArray[np.float64], float]] = []
    largest = size[1] * generator.uniform(0.5, 1.15) / max(count, 1) ** 0.25
    for _ in range(12 * count):
        if len(people) == count:
            break
        figure = random_figure(generator)
        height = max(largest * generator.uniform(0.55, 1), 60) * (0.7 if figure.is_child else 1)
        joints = figure.joints[:, :2] * height
        low, high = joints.min(axis=0), joints.max(axis=0)
        room = np.maximum(np.array(size) - (high - low), 0)
        corner = (
            generator.uniform(-0.04, 1.04, 2) * room - low - 0.12 * (generator.uniform(-1, 1, 2) * (room == 0)) * height
        )
        if generator.uniform() < 0.12:  # cut by the border
            corner = corner + generator.normal(0, 0.2, 2) * height
        joints = joints + corner
        centre = joints[[5, 6, 11, 12]].mean(axis=0)
        apart = all(np.linalg.norm(centre - other) > 0.2 * (height + scale) * 0.9 for other, scale in centres)
        inside = ((joints[:17] >= 0) & (joints[:17] < size)).all(axis=1).sum() >= 8
        if apart and inside:
            people.append((figure, joints, height))
            centres.append((centre, height))
    return people


def _labels(figure: Figure, joints: NDArray[np.float64], mask: NDArray[np.bool_], area: float) -> NDArray[np.float32]:
    """Return (17, 3) keypoints with visibility, as COCO's annotators would give it."""
    labels = np.zeros((17, 3), np.float32)
    height, width = mask.shape
    nearness = figure.joints[:17, 2] - figure.joints[HEAD, 2]
    for part in range(17):
        x, y = joints[part]
        column, row = round(x), round(y)
        if not (0 <= column < width and 0 <= row < height):
            continue
        if part in _FACE and nearness[part] < (-0.035 if part > 2 else -0.01):
            continue  # behind the head
        seen = bool(mask[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].any())
        if seen or mask.sum() > 0.4 * area:
            labels[part] = x, y, 2 if seen else 1
    if mask.sum() < 0.15 * area:
        labels[:] = 0
    return labels


def _background(size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Paint a wall and a floor, or an outdoor gradient, with texture and things in it."""
    width, height = size
    image = np.empty((height, width, 3), np.float32)
    horizon = int(height * generator.uniform(0.3, 0.9))
    for rows in (slice(0, horizon), slice(horizon, height)):
        ramp = np.linspace(0, 1, max(rows.stop - rows.start, 1), dtype=np.float32)[:, None, None]
        top, bottom = (_colour(generator) for _ in range(2))
        bottom = bottom * 0.4 + top * 0.6
        image[rows] = (top * (1 - ramp) + bottom * ramp)[: rows.stop - rows.start]
    for cells in (4, 16, 64):
        grain = generator.normal(0, generator.uniform(2, 14), (cells * height // width + 2, cells, 1)).astype(
            np.float32
        )
        image += cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC)[..., None]
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(generator.integers(0, 9)):
        _clutter(image, generator, small=bool(generator.uniform() < 0.5))
    if generator.uniform() < 0.25:
        _stripes(image, generator)
    return image


def _clutter(image: NDArray[np.uint8], generator: np.random.Generator, small: bool = False) -> NDArray[np.bool_]:
    """Paint one thing: a box, a ball, a pole, a plank or a bush; return its mask."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    centre = generator.uniform(0, 1, 2) * (width, height)
    reach = generator.uniform(0.02, 0.08 if small else 0.25) * width
    kind = generator.choice(["box", "ball", "pole", "plank", "bush"])
    if kind == "ball":
        axes = reach * generator.uniform(0.3, 1, 2)
        cv2.ellipse(
            mask,
            tuple(int(v) for v in centre),
            tuple(int(v) + 1 for v in axes),
            generator.uniform(0, 180),
            0,
            360,
            255,
            -1,
        )
    elif kind == "bush":
        for offset in generator.normal(0, reach * 0.5, (12, 2)):
            cv2.circle(mask, tuple(int(v) for v in centre + offset), int(reach * 0.25) + 1, 255, -1)
    elif kind in ("pole", "plank"):
        angle = generator.normal(np.pi / 2, 0.05) if kind == "pole" else generator.uniform(0, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)]) * reach * generator.uniform(1, 3)
        ends = [tuple(int(v) for v in centre + sign * along) for sign in (1, -1)]
        cv2.line(mask, ends[0], ends[1], 255, int(reach * generator.uniform(0.05, 0.25)) + 2)
    else:
        half = reach * generator.uniform(0.3, 1, 2)
        corners = cv2.boxPoints(
            (tuple(map(float, centre)), tuple(map(float, 2 * half)), float(generator.normal(0, 12)))
        )
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    where = mask > 0
    shade = np.linspace(generator.uniform(0.6, 1), 1, width)[None, :, None] * _colour(generator)
    image[where] = np.clip(
        np.broadcast_to(shade, image.shape)[where] + generator.normal(0, 5, (where.sum(), 1)), 0, 255
    )
    return where


def _stripes(image: NDArray[np.uint8], generator: np.random.Generator) -> None:
    """Paint thin lines at equal distances: a fence, tiles, blinds."""
    height, width = image.shape[:2]
    colour, step = _colour(generator), int(generator.integers(14, 60))
    upright = generator.uniform() < 0.5
    for place in range(0, width if upright else height, step):
        ends = ((place, 0), (place, height)) if upright else ((0, place), (width, place))
        cv2.line(image, *ends, tuple(float(value) for value in colour), int(generator.integers(1, 3)))


def _as_photo(image: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Add what a camera adds: uneven light, a little blur, noise."""
    height, width = image.shape[:2]
    light = generator.normal(1, 0.12, (3, 4, 1)).astype(np.float32)
    lit = image * cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    grain = generator.normal(0, generator.uniform(1, 9), (height // 2 + 1, width // 2 + 1)).astype(np.float32)
    lit += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    if generator.uniform() < 0.5:
        lit = cv2.GaussianBlur(lit, (0, 0), generator.uniform(0.4, 1.2))
    return np.clip(lit, 0, 255).astype(np.uint8)


def _colour(generator: np.random.Generator) -> NDArray[np.float64]:
    colour = generator.uniform(15, 240, 3)
    return np.asarray(colour * 0.4 + colour.mean() * 0.6 if generator.uniform() < 0.7 else colour)
