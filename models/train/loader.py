"""Endless batches of stored windows, assembled in a separate process."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from models.train.data import vary
from models.train.targets import STRIDE
from models.train.windows import SIDE, Store

#: Pixels of a window's part, and how many of them are in a batch: about as many pixels in all.
SIDES = {257: 16, 321: 10}


class Batches(IterableDataset):  # type: ignore[type-arg]
    """Batches: images (B, 3, H, W), RGB in 0 to 255, and targets by name."""

    def __init__(self, store: Store, seed: Sequence[int]) -> None:
        self._store, self._seed = store, list(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        generator = np.random.default_rng(self._seed)
        while True:
            side = int(generator.choice(list(SIDES)))
            parts = []
            for _ in range(SIDES[side]):
                row, column = (int(cell) for cell in generator.integers(0, (SIDE - side) // STRIDE + 1, 2))
                number = int(generator.integers(len(self._store)))
                parts.append(self._store.read(number, row, column, side))
            pixels = [vary(np.ascontiguousarray(part.pop("image")), generator)[..., ::-1] for part in parts]
            images = torch.from_numpy(np.stack(pixels).transpose(0, 3, 1, 2).copy())
            yield images, {name: _together([part[name] for part in parts]) for name in parts[0]}


def _together(parts: list[NDArray[Any]]) -> Tensor:
    """Return a batch, laid out as the network's outputs are: mixed layouts are slow."""
    batch = torch.from_numpy(np.stack(parts))
    return batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch


def batches(store: Store, seed: Sequence[int]) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Return batches; the same seed gives the same ones."""
    return iter(DataLoader(Batches(store, seed), batch_size=None, num_workers=1, prefetch_factor=4))
