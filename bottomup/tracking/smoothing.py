"""Movements without jitter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bottomup.parameters import check, number

__all__ = ["Calm", "OneEuro"]


@dataclass(frozen=True)
class OneEuro:
    """The one-euro filter: calm where somebody stands, quick where they move.

    A low-pass filter whose cut-off rises with the speed. Speed is measured in
    sizes of the person a second, so that the near and the far, and videos of
    any resolution, are smoothed alike.

    Attributes
    ----------
    min_cutoff : float
        Cut-off in Hz of who stands still; lower is calmer.
    beta : float
        What a person's size a second adds to the cut-off, in Hz; higher lags less.
    speed_cutoff : float
        Cut-off in Hz of the speed itself.

    Raises
    ------
    InputError
        If one of them is out of range.

    References
    ----------
    Casiez, Roussel, Vogel, "1 € Filter", CHI 2012.
    """

    min_cutoff: float = number(1.0, low=0, above=True)
    beta: float = number(10.0, low=0)
    speed_cutoff: float = number(1.0, low=0, above=True)

    def __post_init__(self) -> None:
        check(self)


class Calm:
    """The smoothed places of K people's parts, how fast they move, and when each was seen last."""

    def __init__(self, xy: NDArray[np.float64], time: float) -> None:
        self.xy = xy.copy()  # (K, N, 2)
        self.speed = np.zeros_like(xy)
        self.since = np.full(xy.shape[:2], time)

    def take(self, rows: NDArray[np.intp]) -> None:
        """Keep these people alone."""
        self.xy, self.speed, self.since = self.xy[rows], self.speed[rows], self.since[rows]

    def add(self, other: "Calm") -> None:
        """Append other people."""
        self.xy = np.concatenate([self.xy, other.xy])
        self.speed = np.concatenate([self.speed, other.speed])
        self.since = np.concatenate([self.since, other.since])

    def smooth(
        self,
        rows: NDArray[np.intp],
        xy: NDArray[np.float64],
        time: float,
        sizes: NDArray[np.float64],
        settings: OneEuro,
    ) -> NDArray[np.float64]:
        """Return the (L, N, 2) places of some people without jitter, nan where a part was not found.

        `sizes` (L,) are those of the people, in pixels.
        """
        before, speed_before = self.xy[rows], self.speed[rows]
        elapsed = (time - self.since[rows])[..., None]
        steady = np.where(np.isfinite(before), before, xy)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = np.where(elapsed > 0, (xy - steady) / elapsed, 0)
        calm_speed = speed_before + _share(settings.speed_cutoff, elapsed) * (speed - speed_before)
        relative = np.linalg.norm(calm_speed, axis=2, keepdims=True) / sizes[:, None, None]
        calm = steady + _share(settings.min_cutoff + settings.beta * relative, elapsed) * (xy - steady)
        is_seen = np.isfinite(xy)
        self.xy[rows] = np.where(is_seen, calm, before)
        self.speed[rows] = np.where(is_seen, calm_speed, speed_before)
        self.since[rows] = np.where(is_seen[..., 0], time, self.since[rows])
        return np.where(is_seen, calm, np.nan)


def _share(cutoff: NDArray[np.float64] | float, elapsed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share that a low-pass filter takes of the new value."""
    angle = 2 * np.pi * cutoff * elapsed
    share: NDArray[np.float64] = angle / (1 + angle)
    return share
