"""The training data: views of photos and rendered scenes, cropped and varied at random, with targets."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from tqdm import tqdm

from bottomup.posenet.fields import EDGES
from bottomup.skeletons import COCO17
from models.train.photos import CELLS, SIDE, Photo
from models.train.scenes import MOST_PEOPLE, render_scene
from models.train.targets import (
    PAF_STRIDE,
    STRIDE,
    Targets,
    long_targets,
    openpose_targets,
    posenet_targets,
)

_MIRROR = np.array(COCO17.mirror)
_MIRROR_EDGES = np.array([EDGES.index((int(_MIRROR[parent]), int(_MIRROR[child]))) for parent, child in EDGES])
_MIRROR_ALL_EDGES = np.concatenate([_MIRROR_EDGES, _MIRROR_EDGES + len(EDGES)])
_TRUST = 0.5  # weight of a teacher's scores where there are labels too
_TEACHER_KNOWS = 0.15  # lowest score at which a teacher's vectors are used


class Window(NamedTuple):
    """The part of a view that is used."""

    row: int  #: first cell
    column: int
    side: int  #: pixels, whole strides plus 1
    is_mirrored: bool

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Rows and columns of the view."""
        return tuple(slice(first * STRIDE, first * STRIDE + self.side) for first in (self.row, self.column))  # type: ignore[return-value]

    def cells(self, stride: int) -> tuple[slice, slice]:
        """Rows and columns of a grid."""
        count, ratio = self.side // stride + 1, STRIDE // stride
        return tuple(slice(first * ratio, first * ratio + count) for first in (self.row, self.column))  # type: ignore[return-value]

    def place(self, keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move keypoints from the view into the window; those outside are no longer labelled."""
        placed = keypoints.copy()
        placed[..., :2] -= (self.column * STRIDE, self.row * STRIDE)
        outside = ((placed[..., :2] < 0) | (placed[..., :2] > self.side - 1)).any(axis=-1)
        placed[outside] = 0
        if self.is_mirrored:
            placed = placed[:, _MIRROR]
            placed[..., 0] = self.side - 1 - placed[..., 0]
        return placed


def random_window(side: int, generator: np.random.Generator) -> Window:
    """Choose a window, aligned to cells."""
    last = CELLS - (side // STRIDE + 1)
    row, column = generator.integers(0, last + 1, 2)
    return Window(int(row), int(column), side, bool(generator.uniform() < 0.5))


def render_views(folder: Path, count: int) -> None:
    """Render the scenes of the seeds 0 ... count - 1 into a folder, unless they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "count.json"
    first = json.loads(path.read_text()) if path.exists() else 0
    arrays = SceneViews.arrays(folder, "r+" if path.exists() else "w+", count)
    for seed in tqdm(range(first, count), "scenes", initial=first, total=count):
        scene = render_scene(seed, (SIDE, SIDE))
        owners = np.full((CELLS, CELLS), -1, np.int8)
        for person, mask in enumerate(scene.masks):
            owners[mask[::STRIDE, ::STRIDE]] = person
        covered = scene.masks.any(axis=0).astype(np.float32) * 255
        arrays["images"][seed] = scene.image
        arrays["owners"][seed] = owners
        arrays["segments"][seed] = cv2.blur(covered, (9, 9))[::STRIDE, ::STRIDE]
        arrays["keypoints"][seed] = 0
        arrays["keypoints"][seed, : len(scene.keypoints)] = scene.keypoints
        if seed % 200 == 199 or seed == count - 1:
            path.write_text(json.dumps(seed + 1))


class SceneViews:
    """Rendered scenes of a folder that `render_views` made, or is making."""

    def __init__(self, folder: Path) -> None:
        self._count = folder / "count.json"
        self._arrays = self.arrays(folder, "r", None)

    @staticmethod
    def arrays(folder: Path, mode: str, count: int | None) -> dict[str, NDArray[np.generic]]:
        """Open the files."""
        kinds = {
            "images": (np.uint8, (SIDE, SIDE, 3)),
            "owners": (np.int8, (CELLS, CELLS)),
            "segments": (np.uint8, (CELLS, CELLS)),
            "keypoints": (np.float32, (MOST_PEOPLE, 17, 3)),
        }
        return {
            name: open_memmap(folder / f"{name}.npy", mode, kind, None if count is None else (count, *shape))
            for name, (kind, shape) in kinds.items()
        }

    def __len__(self) -> int:
        return int(json.loads(self._count.read_text()))

    def sample(self, view: int, window: Window) -> tuple[NDArray[np.uint8], Targets]:
        """Return pixels and targets of a window."""
        image, owners, segments, people = (
            self._arrays[name][view] for name in ("images", "owners", "segments", "keypoints")
        )
        rows, columns = window.cells(STRIDE)
        owners, segments = owners[rows, columns], segments[rows, columns]
        image = image[window.pixels]
        if window.is_mirrored:
            owners, segments, image = owners[:, ::-1], segments[:, ::-1], image[:, ::-1]
        keypoints = window.place(people)
        heat, offsets, offset_weights, displacements, displacement_weights = posenet_targets(keypoints, window.side)
        vectors, known = long_targets(keypoints, owners.astype(np.int64))
        maps = openpose_targets(keypoints[(keypoints[..., 2] > 0).any(axis=1)], window.side)
        everywhere = np.ones((1, *heat.shape[1:]), np.float32)
        targets = Targets(
            heat,
            everywhere,
            offsets,
            offset_weights,
            displacements,
            displacement_weights,
            segments[None] / np.float32(255),
            everywhere,
            vectors,
            known,
            maps,
            np.ones((1, *maps.shape[1:]), np.float32),
        )
        return np.ascontiguousarray(image), targets


class PhotoViews:
    """Views of photos of a folder that `photos.build_views` made, or is making."""

    def __init__(self, folder: Path, photos: list[Photo]) -> None:
        self._folder, self._photos = folder, photos
        self._images, self._teacher = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "teacher"))
        state = json.loads((folder / "views.json").read_text())
        self._transforms, self._units = state["transforms"], state["units"]

    def __len__(self) -> int:
        return len(self._transforms)

    def sample(self, view: int, window: Window) -> tuple[NDArray[np.uint8], Targets]:
        """Return pixels and targets of a window: labels and, if there was a teacher, its outputs."""
        photo, transform = self._photos[self._transforms[view][0]], np.array(self._transforms[view][1:]).reshape(2, 3)
        keypoints = photo.keypoints.copy()
        keypoints[..., :2] = keypoints[..., :2] @ transform[:, :2].T + transform[:, 2]
        is_labelled = (keypoints[..., 2] > 0).any(axis=1)
        unknown = np.ones((SIDE, SIDE), np.uint8)
        for left, top, width, height in photo.boxes[~is_labelled | photo.crowds]:
            corners = np.array([(left, top), (left + width, top), (left + width, top + height), (left, top + height)])
            cv2.fillConvexPoly(unknown, np.round(corners @ transform[:, :2].T + transform[:, 2]).astype(np.int32), 0)
        image, known = self._images[view][window.pixels], unknown[window.pixels]
        if window.is_mirrored:
            image, known = image[:, ::-1], known[:, ::-1]
        known = known.astype(np.float32)
        labelled = window.place(keypoints[is_labelled & ~photo.crowds])
        posenet = posenet_targets(labelled, window.side)
        maps = openpose_targets(labelled[(labelled[..., 2] > 0).any(axis=1)], window.side)
        fine = known[::PAF_STRIDE, ::PAF_STRIDE]
        targets = self._merged(posenet, known[::STRIDE, ::STRIDE], view, window)
        return np.ascontiguousarray(image), Targets(*targets, maps, fine[None])

    def _merged(
        self, labels: tuple[NDArray[np.float32], ...], known: NDArray[np.float32], view: int, window: Window
    ) -> tuple[NDArray[np.float32], ...]:
        """Return PoseNet's targets: scores of labels and teacher mixed, labelled vectors before the teacher's."""
        heat, offsets, offset_weights, displacements, displacement_weights = labels
        if not self._units:
            nothing = np.zeros((17, 2, *known.shape), np.float32)
            zero = nothing[:1, 0]
            return (
                heat,
                known[None],
                offsets,
                offset_weights,
                displacements,
                displacement_weights,
                zero,
                zero,
                nothing,
                nothing[:, 0],
            )
        taught, short, mid, segments, long = self._taught(view, window)
        share = _TRUST + (1 - _TRUST) * (1 - known)
        trust = taught * (taught > _TEACHER_KNOWS)
        from_source = np.concatenate([trust[[parent for parent, _ in EDGES]], trust[[child for _, child in EDGES]]])
        has_label, has_limb = offset_weights > 0, displacement_weights > 0
        inside = segments * (segments > 0.5)
        return (
            heat * (1 - share) + taught * share,
            np.ones((1, *known.shape), np.float32),
            np.where(has_label[:, None], offsets, short),
            np.where(has_label, 1, trust).astype(np.float32),
            np.where(has_limb[:, None], displacements, mid),
            np.where(has_limb, 1, from_source).astype(np.float32),
            segments,
            np.ones((1, *known.shape), np.float32),
            long,
            np.repeat(inside, 17, axis=0),
        )

    def _taught(self, view: int, window: Window) -> tuple[NDArray[np.float32], ...]:
        """Return the teacher's scores, offsets, displacements, person scores and long offsets of a window."""
        rows, columns = window.cells(STRIDE)
        levels = np.moveaxis(self._teacher[view, rows, columns], 2, 0).astype(np.float32)
        first, tensors = 0, []
        for scale, zero, channels in self._units:
            tensors.append((levels[first : first + channels] - np.float32(zero)) * np.float32(scale))
            first += channels
        heat, short, forward, backward, segments, long = tensors
        grid = levels.shape[1:]
        vectors = [
            short.reshape(2, 17, *grid).swapaxes(0, 1),
            np.concatenate([way.reshape(2, 16, *grid).swapaxes(0, 1) for way in (forward, backward)]),
            long.reshape(2, 17, *grid).swapaxes(0, 1),
        ]
        scores = [1 / (1 + np.exp(-np.clip(values, -30, 30))) for values in (heat, segments)]
        if window.is_mirrored:
            scores = [scores[0][_MIRROR][..., ::-1], scores[1][..., ::-1]]
            orders = (_MIRROR, _MIRROR_ALL_EDGES, _MIRROR)
            away = np.array([1, -1], np.float32)[:, None, None]
            vectors = [values[order][..., ::-1] * away for values, order in zip(vectors, orders, strict=True)]
        return scores[0], vectors[0], vectors[1], scores[1], vectors[2]


def vary(image: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image with other light and colours, perhaps blurred, noisy, grey or partly covered."""
    grey = np.arange(256, dtype=np.float32) / 255
    gains, shifts = generator.normal(1, 0.08, 3) * generator.uniform(0.65, 1.35), generator.normal(0, 0.05, 3)
    gamma = np.exp(generator.normal(0, 0.25))
    curves = np.clip((grey[:, None] ** gamma - 0.5) * gains + 0.5 + shifts + generator.normal(0, 0.08), 0, 1)
    varied = cv2.LUT(image, np.round(curves * 255).astype(np.uint8)[None])
    chance = generator.uniform(size=5)
    if chance[4] < 0.4:  # views of small photos are enlarged and soft; users' photos are not
        soft = cv2.GaussianBlur(varied, (0, 0), generator.uniform(0.8, 1.6))
        amount = generator.uniform(0.4, 2)
        varied = cv2.addWeighted(varied, 1 + amount, soft, -amount, 0)
    if chance[0] < 0.12:
        varied = cv2.cvtColor(cv2.cvtColor(varied, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if chance[1] < 0.15:
        varied = cv2.GaussianBlur(varied, (0, 0), generator.uniform(0.5, 1.8))
    if chance[2] < 0.15:
        noise = generator.normal(0, generator.uniform(3, 14), image.shape[:2]).astype(np.float32)
        varied = np.clip(varied + noise[..., None], 0, 255).astype(np.uint8)
    if chance[3] < 0.25:
        side = image.shape[0]
        low, extent = generator.uniform(0, 1, 2) * side, generator.uniform(0.08, 0.3, 2) * side
        box = tuple(slice(int(start), int(start + length)) for start, length in zip(low, extent, strict=True))
        varied[box] = generator.integers(0, 256, 3)
    return np.asarray(varied, np.uint8)
