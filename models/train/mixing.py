"""Windows cut out of photos, turned, scaled, mirrored and put together at random, with the targets of all heads."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bottomup.posenet.fields import EDGES
from bottomup.skeletons import COCO17, OPENPOSE18
from models.train.lessons import Lesson
from models.train.targets import PAF_STRIDE, STRIDE, Targets, long_targets, openpose_targets, posenet_targets
from models.train.teachers import STEP

#: How often a window shows four photos, and how much smaller people are there.
MOSAICS, SMALLER = 0.12, 0.75
#: Pixels of the longer side of a photo in the network's usual input.
USUAL = 640
#: Range of people's sizes in pixels, and of the factor by which a photo may be scaled.
SIZES, SCALES = (55.0, 380.0), (0.3, 2.6)
_MIRROR = np.array(COCO17.mirror)
_PARENTS, _CHILDREN = np.array(EDGES).T
_FROM_PEOPLE = 0.4  # lowest score of a cell of the map of people that counts as someone's


class Tile:
    """A part of a window and the photo it shows."""

    def __init__(self, lesson: Lesson, box: tuple[int, int, int, int], smaller: float, generator: np.random.Generator):
        self.lesson, self.box = lesson, box
        self.is_mirrored = bool(generator.uniform() < 0.5)
        self.transform = _transform(lesson, box, smaller, self.is_mirrored, generator)

    def paint(self, window: NDArray[np.uint8], border: tuple[int, int, int]) -> None:
        """Draw the photo."""
        left, top, right, bottom = self.box
        image, transform = self.lesson.image, self.transform.copy()
        transform[:, 2] -= left, top
        while abs(np.linalg.det(transform[:, :2])) < 0.3:  # about half in each direction: more would alias
            image = cv2.resize(
                image, ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2), interpolation=cv2.INTER_AREA
            )
            transform[:, 2] += transform[:, :2] @ (0.5, 0.5)
            transform[:, :2] *= 2
        size = (right - left, bottom - top)
        window[top:bottom, left:right] = cv2.warpAffine(image, transform, size, borderValue=border)

    def keypoints(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return keypoints in the window, zeros outside the tile, and which missing parts are unsure."""
        left, top, right, bottom = self.box
        placed, unsure = self.lesson.keypoints.copy(), self.lesson.unsure
        placed[..., :2] = placed[..., :2] @ self.transform[:, :2].T + self.transform[:, 2]
        if self.is_mirrored:
            placed, unsure = placed[:, _MIRROR], unsure[:, _MIRROR]
        inside = ((placed[..., :2] >= (left, top)) & (placed[..., :2] <= (right - 1, bottom - 1))).all(axis=2)
        placed *= (inside & (placed[..., 2] > 0))[..., None]
        return placed, unsure

    def known(self, window: NDArray[np.uint8]) -> None:
        """Write 0 where people without keypoints are."""
        left, top, right, bottom = self.box
        part = window[top:bottom, left:right]
        for box_left, box_top, width, height in self.lesson.unknown:
            x, y = box_left + np.array([0, width, width, 0]), box_top + np.array([0, 0, height, height])
            corners = np.stack([x, y], axis=1) @ self.transform[:, :2].T + self.transform[:, 2] - (left, top)
            cv2.fillConvexPoly(part, np.round(corners).astype(np.int32), 0)

    def people(self, cells: NDArray[np.float32]) -> None:
        """Write where people are, 0 to 1, to a grid with a cell every `STRIDE` pixels."""
        if self.lesson.people is None:
            return
        left, top, right, bottom = self.box
        rows, columns = (
            slice(-(-low // STRIDE), (high - 1) // STRIDE + 1) for low, high in ((top, bottom), (left, right))
        )
        inverse = cv2.invertAffineTransform(self.transform)
        y, x = np.mgrid[rows, columns] * STRIDE
        at = np.stack([x, y], axis=2) @ inverse[:, :2].T + inverse[:, 2]
        at = ((at + 0.5) / STEP - 0.5).astype(np.float32)
        cells[rows, columns] = cv2.remap(self.lesson.people, at[..., 0], at[..., 1], cv2.INTER_LINEAR) / np.float32(255)


def mixed(lessons: Sequence[Lesson], side: int, generator: np.random.Generator) -> tuple[NDArray[np.uint8], Targets]:
    """Return the pixels and targets of a random window of one photo or four."""
    is_mosaic = generator.uniform() < MOSAICS
    boxes = [(0, 0, side, side)]
    if is_mosaic:
        x, y = (int(value) for value in generator.uniform(0.35, 0.65, 2) * side)
        boxes = [(0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)]
    numbers = generator.integers(len(lessons), size=len(boxes))
    tiles = [
        Tile(lessons[number], box, SMALLER if is_mosaic else 1.0, generator)
        for number, box in zip(numbers, boxes, strict=True)
    ]
    image = np.empty((side, side, 3), np.uint8)
    border = (128, 128, 128) if generator.uniform() < 0.7 else tuple(int(v) for v in generator.integers(0, 256, 3))
    known = np.ones((side, side), np.uint8)
    cells = np.zeros((side // STRIDE + 1,) * 2, np.float32)
    for tile in tiles:
        tile.paint(image, border)
        tile.known(known)
        tile.people(cells)
    placed = [tile.keypoints() for tile in tiles]
    keypoints, unsure = (np.concatenate(parts) for parts in zip(*placed, strict=True))
    seen = (keypoints[..., 2] > 0).any(axis=1)
    has_map = all(tile.lesson.people is not None for tile in tiles)
    return image, _targets(keypoints[seen], unsure[seen], known, cells, has_map)


def _targets(
    keypoints: NDArray[np.float32],
    unsure: NDArray[np.bool_],
    known: NDArray[np.uint8],
    people: NDArray[np.float32],
    has_map: bool,
) -> Targets:
    """Return the targets of all heads."""
    side = len(known)
    heat, offsets, offset_weights, displacements, displacement_weights = posenet_targets(keypoints, side)
    owners = _owners(keypoints, people)
    weights = np.repeat(known[None, ::STRIDE, ::STRIDE].astype(np.float32), 17, axis=0)
    for person in np.flatnonzero(unsure.any(axis=1)):
        weights[np.ix_(unsure[person])] *= owners != person
    weights = np.maximum(weights, heat)
    vectors, long_weights = long_targets(keypoints, owners)
    maps = openpose_targets(keypoints, side)
    return Targets(
        heat,
        weights,
        offsets,
        offset_weights,
        displacements,
        displacement_weights,
        people[None],
        np.full((1, *people.shape), has_map, np.float32),
        vectors,
        long_weights,
        maps,
        _map_weights(weights, known, maps),
    )


def _owners(keypoints: NDArray[np.float32], people: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return whose each cell is: the person's whose limbs are nearest, -1 where nobody is."""
    owners = np.full(people.shape, -1)
    rows, columns = np.nonzero(people > _FROM_PEOPLE)
    if not len(rows) or not len(keypoints):
        return owners
    places = np.stack([columns, rows], axis=1).astype(np.float32) * STRIDE
    nearest = np.full(len(rows), np.inf)
    for number, person in enumerate(keypoints):
        has = person[:, 2] > 0
        limbs = has[_PARENTS] & has[_CHILDREN]
        middles = (person[_PARENTS[limbs], :2] + person[_CHILDREN[limbs], :2]) / 2
        points = np.concatenate([person[has, :2], middles])
        reach = max(0.3 * float(np.ptp(points, axis=0).max()), 1.5 * STRIDE)
        distances = np.sqrt(np.square(places[:, None] - points).sum(axis=2).min(axis=1))
        nearer = (distances < nearest) & (distances < reach)
        owners[rows[nearer], columns[nearer]], nearest[nearer] = number, distances[nearer]
    return owners


_SOURCES = [COCO17.parts.index(name) if name in COCO17.parts else -1 for name in OPENPOSE18.parts]


def _map_weights(
    weights: NDArray[np.float32], known: NDArray[np.uint8], maps: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the weights of OpenPose's maps: those of the parts, and of both ends of each limb."""
    cells = maps.shape[1]
    fine = known[::PAF_STRIDE, ::PAF_STRIDE].astype(np.float32)
    index = np.minimum((np.arange(cells) + 1) // 2, weights.shape[1] - 1)
    parts = weights[:, index][:, :, index]
    neck = np.minimum(parts[5], parts[6])
    of_parts = np.stack([parts[source] if source >= 0 else neck for source in _SOURCES])
    result = np.broadcast_to(fine, maps.shape).copy()
    result[: len(of_parts)] = of_parts
    for (parent, child), pair in zip(OPENPOSE18.edges, OPENPOSE18.paf_channels, strict=True):
        result[[len(of_parts) + 1 + channel for channel in pair]] = np.minimum(of_parts[parent], of_parts[child])
    return np.where(np.abs(maps) > 0.05, 1, result).astype(np.float32)


def _transform(
    lesson: Lesson, box: tuple[int, int, int, int], smaller: float, is_mirrored: bool, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the (2, 3) affine map of a photo into its box of the window."""
    size = np.array(lesson.image.shape[1::-1])
    low, high = np.array(box[:2]), np.array(box[2:])
    centre, scale = size / 2, USUAL / max(size) * np.exp(generator.uniform(np.log(0.7), np.log(1.25)))
    seen = np.flatnonzero((lesson.keypoints[..., 2] > 0).sum(axis=1) >= 3)
    if len(seen) and generator.uniform() < 0.75:
        person = lesson.keypoints[generator.choice(seen)]
        points = person[person[:, 2] > 0, :2]
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        if generator.uniform() < 0.6:
            wanted = np.exp(generator.uniform(*np.log((SIZES[0], min(SIZES[1], 1.3 * (high - low).max())))))
            scale = wanted / max(np.ptp(points, axis=0).max(), 8)
    scale = np.clip(scale * smaller, *SCALES)
    angle = generator.normal(0, 0.15) if generator.uniform() < 0.9 else generator.normal(0, 0.7)
    stretch = np.exp(generator.normal(0, 0.05))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag([stretch * (-1 if is_mirrored else 1), 1 / stretch])
    middle = (low + high) / 2 + generator.uniform(-0.35, 0.35, 2) * (high - low)
    of_photo = middle + turn @ (size / 2 - centre)  # move the photo to show no more of its border than necessary
    slack = np.abs(np.abs(turn) @ size / 2 - (high - low) / 2)
    middle += np.clip(of_photo, (low + high) / 2 - slack, (low + high) / 2 + slack) - of_photo
    return np.column_stack([turn, middle - turn @ centre])
