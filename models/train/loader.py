"""Endless batches, assembled in a separate process."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from models.train.data import PhotoViews, SceneViews, random_window, vary
from models.train.targets import Targets


class Stage(NamedTuple):
    """The batches up to some share of the training time."""

    until: float
    side: int  #: pixels of a window
    scenes: int  #: rendered scenes in a batch of 16


#: Scenes quickly teach what a body is; larger windows come later.
CURRICULUM = (
    Stage(0.03, 161, 9),
    Stage(0.11, 177, 5),
    Stage(0.25, 193, 8),
    Stage(0.69, 225, 9),
    Stage(1.0, 257, 9),
)
#: For a network that has been trained before.
FURTHER = (Stage(1.0, 257, 10),)
BATCH = 16


class Batches(IterableDataset):  # type: ignore[type-arg]
    """Batches of one stage: images (B, 3, H, W), RGB in [-1, 1], and targets by name."""

    def __init__(self, scenes: SceneViews, photos: PhotoViews | None, stage: Stage, seed: Sequence[int]) -> None:
        self._scenes, self._photos, self._stage, self._seed = scenes, photos, stage, list(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        generator = np.random.default_rng(self._seed)
        while True:
            samples = []
            for place in range(BATCH):
                views = self._scenes if place < self._stage.scenes or self._photos is None else self._photos
                window = random_window(self._stage.side, generator)
                image, targets = views.sample(int(generator.integers(len(views))), window)
                samples.append((vary(image, generator), targets))
            pixels = np.stack([image[..., ::-1].transpose(2, 0, 1) for image, _ in samples])
            columns = (np.stack(column) for column in zip(*(targets for _, targets in samples), strict=True))
            yield (
                torch.from_numpy(pixels),
                {
                    name: torch.from_numpy(np.asarray(column, np.float32))
                    for name, column in zip(Targets._fields, columns, strict=True)
                },
            )


def batches(
    scenes: SceneViews, photos: PhotoViews | None, stage: Stage, seed: Sequence[int]
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Return batches of a stage; the same seed gives the same ones."""
    loader = DataLoader(Batches(scenes, photos, stage, seed), batch_size=None, num_workers=1, prefetch_factor=4)
    return iter(loader)
