"""Rendered scenes as training data: kept in a folder, cropped and varied at random, with targets."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from tqdm import tqdm

from bottomup.skeletons import COCO17
from models.train.scenes import MOST_PEOPLE, render_scene
from models.train.targets import (
    STRIDE,
    Targets,
    long_targets,
    openpose_targets,
    posenet_targets,
)

SIDE = 385  #: pixels of a view, whole strides plus 1
CELLS = 25
_MIRROR = np.array(COCO17.mirror)


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
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(seed + 1))
            partial.replace(path)


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
            np.ones_like(heat),
            offsets,
            offset_weights,
            displacements,
            displacement_weights,
            segments[None] / np.float32(255),
            everywhere,
            vectors,
            known,
            maps,
            np.ones_like(maps),
        )
        return np.ascontiguousarray(image), targets


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
