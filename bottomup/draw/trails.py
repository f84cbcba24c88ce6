"""The paths that people took, drawn behind them."""

import itertools
from collections import deque
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bottomup.draw import colours
from bottomup.draw.canvas import copy_of, like, order_of
from bottomup.draw.strokes import Stroke, paint
from bottomup.errors import InputError
from bottomup.poses import Poses, as_poses
from bottomup.tensors import as_number

__all__ = ["Trails"]

_SURE = 0.2  # lowest score of a keypoint that counts
_AROUND = 4  # frames before and after; averaging a path over them removes jitter


class Trails:
    """The recent paths of people, from poses with ids.

    Parameters
    ----------
    seconds : float
        How far back paths go.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from bottomup.synthetic import random_poses
    >>> trails, poses = Trails(), replace(random_poses(1), ids=[1])
    >>> for number in range(5):
    ...     trails.add(replace(poses, keypoints=poses.keypoints + (9 * number, 0, 0)), time=number / 25)
    >>> bool(trails.draw(np.zeros((481, 641, 3), np.uint8)).any())
    True
    """

    def __init__(self, seconds: float = 2.0) -> None:
        self.seconds = as_number(seconds, "seconds")
        if not 0 < self.seconds < np.inf:
            raise InputError(f"seconds must be a finite number above 0, got {seconds}")
        self._paths: dict[int, deque[tuple[float, float, float]]] = {}

    def add(self, poses: Poses, time: float) -> None:
        """Add a frame: each person is where the median of their reliable keypoints is.

        Raises
        ------
        InputError
            If the poses have no ids.
        """
        ids = as_poses(poses).ids
        if ids is None:
            raise InputError("trails need poses with ids from a Tracker")
        are_found = np.isfinite(poses.xy).all(axis=2) & (poses.keypoint_scores >= _SURE)
        for number, xy, found in zip(ids.tolist(), poses.xy, are_found, strict=True):
            if found.any():
                x, y = np.median(xy[found], axis=0).tolist()
                self._paths.setdefault(number, deque(maxlen=1000)).append((time, x, y))
        for number, path in list(self._paths.items()):
            while path and time - path[0][0] > self.seconds:
                path.popleft()
            if not path:
                del self._paths[number]

    def draw(self, image: Any, *, channel_order: Literal["bgr", "rgb"] = "bgr") -> Any:
        """Return a copy of the image with the paths on it, in the colours of `draw_poses(colour="id")`."""
        canvas: NDArray[np.uint8] = copy_of(image)
        order = order_of(image, channel_order)
        width = max(1, round(0.003 * np.sqrt(canvas.shape[0] * canvas.shape[1])))
        for number, path in self._paths.items():
            (colour,) = colours.in_order(np.array([colours.of_person(number - 1)]), order).tolist()
            places = _calm(path)
            lines = [
                Stroke(start, end, tuple(colour), max(1, round(width * (1 + rank) / len(places))))
                for rank, (start, end) in enumerate(itertools.pairwise(places))
                if start != end
            ]
            paint(canvas, lines, 1, 0.5)
        return like(image, canvas)


def _calm(path: deque[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """Return the places of a path without jitter; the last one stays where the person is."""
    places = np.array([(x, y) for _, x, y in path])
    rows = np.arange(len(places))
    first, last = np.maximum(rows - _AROUND, 0), np.minimum(rows + _AROUND + 1, len(places))
    sums = np.concatenate([np.zeros((1, 2)), places.cumsum(axis=0)])
    calm = (sums[last] - sums[first]) / (last - first)[:, None]
    calm[-1] = places[-1]
    return [(x, y) for x, y in calm.tolist()]
