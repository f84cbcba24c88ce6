"""Endless batches, assembled in a separate process."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from models.train.data import SceneViews, random_window, vary
from models.train.lessons import Lesson
from models.train.mixing import mixed
from models.train.targets import Targets


class Stage(NamedTuple):
    """The batches up to some share of the training time."""

    until: float
    sides: tuple[int, ...]  #: pixels of a window: a batch has one of them
    scenes: float  #: share of rendered scenes


#: Scenes quickly teach what a body is; larger windows come later.
CURRICULUM = (
    Stage(0.03, (161,), 0.56),
    Stage(0.11, (177,), 0.31),
    Stage(0.25, (193,), 0.5),
    Stage(0.69, (225,), 0.56),
    Stage(1.0, (257,), 0.56),
)
#: For a network that has been trained before.
FURTHER = (Stage(1.0, (193, 257, 257, 353, 353), 0.3),)
#: Windows of `SIDE` pixels in a batch; of smaller ones there are more, of larger ones fewer, as many pixels in all.
BATCH, SIDE = 16, 257
#: Windows of each side that are kept to be shown again in other colours, and how often that is done.
KEPT, AGAIN = 300, 0.5


def batch_size(side: int) -> int:
    """Return how many windows of a side are in a batch."""
    return max(round(BATCH * min(SIDE / side, 2) ** 2), 1) if side > 100 else BATCH


class Batches(IterableDataset):  # type: ignore[type-arg]
    """Batches of one stage: images (B, 3, H, W), RGB in 0 to 255, and targets by name.

    Photos are several lists of lessons, each with its share of the windows that are no scenes.
    """

    def __init__(
        self,
        scenes: SceneViews,
        photos: Sequence[tuple[float, Sequence[Lesson]]],
        stage: Stage,
        seed: Sequence[int],
    ) -> None:
        self._scenes, self._photos, self._stage, self._seed = scenes, photos, stage, list(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        generator = np.random.default_rng(self._seed)
        kept: dict[int, list[tuple[NDArray[np.uint8], Targets]]] = {side: [] for side in self._stage.sides}
        while True:
            side = int(generator.choice(self._stage.sides))
            samples = [self._sample(side, kept[side], generator) for _ in range(batch_size(side))]
            pixels = np.stack([vary(image, generator)[..., ::-1].transpose(2, 0, 1) for image, _ in samples])
            columns = (np.stack(column) for column in zip(*(targets for _, targets in samples), strict=True))
            yield (
                torch.from_numpy(pixels),
                {
                    name: torch.from_numpy(np.asarray(column, np.float32))
                    for name, column in zip(Targets._fields, columns, strict=True)
                },
            )

    def _sample(
        self, side: int, kept: list[tuple[NDArray[np.uint8], Targets]], generator: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Targets]:
        """Return a new window, or one that was made before: making one takes longer than seeing it twice is worth."""
        if len(kept) == KEPT and generator.uniform() < AGAIN:
            return kept[generator.integers(KEPT)]
        if not self._photos or generator.uniform() < self._stage.scenes:
            window = random_window(side, generator)
            sample = self._scenes.sample(int(generator.integers(len(self._scenes))), window)
        else:
            shares = np.array([share for share, _ in self._photos])
            sample = mixed(self._photos[generator.choice(len(shares), p=shares / shares.sum())][1], side, generator)
        if len(kept) < KEPT:
            kept.append(sample)
        else:
            kept[generator.integers(KEPT)] = sample
        return sample


def batches(
    scenes: SceneViews, photos: Sequence[tuple[float, Sequence[Lesson]]], stage: Stage, seed: Sequence[int]
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Return batches of a stage; the same seed gives the same ones."""
    loader = DataLoader(Batches(scenes, photos, stage, seed), batch_size=None, num_workers=1, prefetch_factor=4)
    return iter(loader)
