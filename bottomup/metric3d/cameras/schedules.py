"""Test-time augmentation: how each crop of a person is turned, scaled, mirrored and brightened."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_float64

__all__ = ["Schedule"]


@dataclass(frozen=True, eq=False)
class Schedule:
    """The A crops of each person, one entry per crop.

    Attributes
    ----------
    gammas : (A,) float64
        Exponent of the crop's colours, above 0: below 1 is brighter.
    angles : (A,) float64
        How far the crop camera is rolled, radians.
    scales : (A,) float64
        Size of the person relative to the box that fits, above 0.
    flips : (A,) bool
        Whether the crop is mirrored.

    Raises
    ------
    InputError
        If the four differ in length or are empty, or a number is out of range.

    Examples
    --------
    >>> Schedule.default(5).flips
    array([False,  True, False,  True, False])
    >>> Schedule.default(1).scales, Schedule.metrabs(1).scales
    (array([1.]), array([1.05]))
    """

    gammas: NDArray[np.float64]
    angles: NDArray[np.float64]
    scales: NDArray[np.float64]
    flips: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name in ("gammas", "angles", "scales"):
            object.__setattr__(self, name, as_float64(getattr(self, name), name))
        object.__setattr__(self, "flips", np.asarray(self.flips, dtype=np.bool_))
        shapes = {getattr(self, name).shape for name in ("gammas", "angles", "scales", "flips")}
        if len(shapes) != 1 or len(self.gammas.shape) != 1 or not self.gammas.size:
            raise InputError(f"gammas, angles, scales and flips must have one entry per crop, got shapes {shapes}")
        if not ((self.gammas > 0) & (self.scales > 0) & np.isfinite(self.gammas + self.scales + self.angles)).all():
            raise InputError("gammas and scales must be finite and above 0, angles finite")

    def __len__(self) -> int:
        return len(self.gammas)

    @classmethod
    def default(cls, num_aug: int) -> "Schedule":
        """Return MeTRAbs's schedule, or the plain crop if there is only one."""
        if _checked_count(num_aug) == 1:
            return cls(np.ones(1), np.zeros(1), np.ones(1), np.zeros(1, np.bool_))
        return cls.metrabs(num_aug)

    @classmethod
    def metrabs(cls, num_aug: int, *, max_degrees: float = 25) -> "Schedule":
        """Return MeTRAbs's schedule, whose single crop is brightened and 5 % larger.

        Gammas run from 0.6 to 1, angles from -`max_degrees` to `max_degrees`.
        The first half of the crops shows the person smaller, from 0.8 on; the
        rest larger, up to 1.1. Every other crop is mirrored. With 180 degrees,
        angles spread over the whole circle and none occurs twice, for models
        that were trained that way.

        Parameters
        ----------
        num_aug : int
            Crops of each person.
        max_degrees : float
            How far the first and the last crop are rolled.

        Raises
        ------
        InputError
            If `num_aug` is not a whole number, at least 1.
        """
        count, half = _checked_count(num_aug), num_aug // 2
        largest = np.radians(max_degrees if max_degrees < 180 else 180 * (1 - 1 / count))
        return cls(
            _spread(0.6, 1.0, count),
            _spread(-largest, largest, count),
            np.concatenate([np.linspace(0.8, 1.0, half, endpoint=False), _spread(1.0, 1.1, count - half)]),
            (np.arange(count) - half) % 2 == 1,
        )


def _spread(first: float, last: float, count: int) -> NDArray[np.float64]:
    """Return evenly spaced numbers including both ends, or the middle if there is only one."""
    return np.linspace(first, last, count) if count > 1 else np.array([(first + last) / 2])


def _checked_count(num_aug: int) -> int:
    if isinstance(num_aug, bool) or not isinstance(num_aug, (int, np.integer)) or num_aug < 1:
        raise InputError(f"num_aug must be a whole number, at least 1, got {num_aug!r}")
    return int(num_aug)
