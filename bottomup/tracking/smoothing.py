"""Motion without jitter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bottomup.parameters import check, number

__all__ = ["Calm", "OneEuro"]


@dataclass(frozen=True)
class OneEuro:
    """The one-euro filter: steady when somebody stands still, quick when they move.

    A low-pass filter whose cut-off rises with the speed. Speed is measured in
    body sizes per second, so that near and distant people, and videos of any
    resolution, are smoothed alike.

    Attributes
    ----------
    min_cutoff : float
        Cut-off in Hz for somebody who stands still; lower is steadier.
    beta : float
        Hz added to the cut-off for each body size per second; higher lags less.
    speed_cutoff : float
        Cut-off in Hz of the speed itself.

    Raises
    ------
    InputError
        If a value is out of range.

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
    """The smoothed positions of K people's parts, their speeds, and when each was last seen."""

    def __init__(self, xy: NDArray[np.float64], time: float) -> None:
        self.xy = xy.copy()  # (K, N, 2)
        self.speed = np.zeros_like(xy)
        self.since = np.full(xy.shape[:2], time)

    def take(self, rows: NDArray[np.intp]) -> None:
        """Keep only these people."""
        self.xy, self.speed, self.since = self.xy[rows], self.speed[rows], self.since[rows]

    def add(self, other: "Calm") -> None:
        """Append more people."""
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
        """Return the (L, N, 2) smoothed positions of some people, nan where a part was not found.

        `sizes` are the (L,) sizes of these people in pixels.
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
    """Return the weight of the new value in a low-pass filter."""
    angle = 2 * np.pi * cutoff * elapsed
    share: NDArray[np.float64] = angle / (1 + angle)
    return share
