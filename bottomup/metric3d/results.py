"""What the 3D estimator returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError

__all__ = ["Poses3D", "Poses3DBatch"]

_NAMES = ("boxes", "poses3d", "poses2d", "problems")


@dataclass(frozen=True, eq=False)
class Poses3D:
    """M people of one image; `result["poses3d"]` is `result.poses3d`, as in MeTRAbs's dictionary.

    Attributes
    ----------
    boxes : (M, 5) or (M, 4) float64
        Left, top, width, height in image pixels, and the score where there is one.
    poses3d : (M, N, 3) float64
        Millimetres in the world's frame; (M, A, N, 3) where augmentations are not averaged. NaN without a pose.
    poses2d : (M, N, 2) or (M, A, N, 2) float64
        The same in image pixels.
    problems : tuple of M str or None
        What went wrong with each person, None if nothing did.
    """

    boxes: NDArray[np.float64]
    poses3d: NDArray[np.float64]
    poses2d: NDArray[np.float64]
    problems: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.problems)

    def __getitem__(self, name: str) -> Any:
        return _entry(self, name)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the entries, so that `dict(result)` works."""
        return _NAMES

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which of the M people have a pose, (M,) bool."""
        return np.asarray(np.isfinite(self.poses3d).any(axis=tuple(range(1, self.poses3d.ndim))))


@dataclass(frozen=True, eq=False)
class Poses3DBatch:
    """People of many images: the attributes of `Poses3D`, each a list with one entry per image."""

    boxes: list[NDArray[np.float64]]
    poses3d: list[NDArray[np.float64]]
    poses2d: list[NDArray[np.float64]]
    problems: list[tuple[str | None, ...]]

    def __len__(self) -> int:
        return len(self.problems)

    def __getitem__(self, name: str) -> Any:
        return _entry(self, name)

    def __iter__(self) -> Iterator[Poses3D]:
        """Yield each image's people."""
        for entries in zip(self.boxes, self.poses3d, self.poses2d, self.problems, strict=True):
            yield Poses3D(*entries)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the entries, so that `dict(result)` works."""
        return _NAMES


def _entry(result: Any, name: str) -> Any:
    if name not in _NAMES:
        raise InputError(f"no entry is called {name!r}: the entries are {', '.join(_NAMES)}")
    return getattr(result, name)
