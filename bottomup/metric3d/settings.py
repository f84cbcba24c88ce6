"""The options of a 3D estimate."""

from dataclasses import dataclass

from bottomup.errors import InputError
from bottomup.parameters import check, switch, whole

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How crops of people are taken, and what is returned.

    Attributes
    ----------
    num_aug : int
        Crops of each person: turned, scaled, mirrored, brightened. 1 is the plain crop.
    average_aug : bool
        Return the mean over those crops of a person that gave a pose; if False, the pose of each crop.
    skeleton : str
        Which parts to return: "" for all, or a name from the estimator's `skeletons`.
    internal_batch_size : int
        The network gets at most this many crops at once; 0 for no limit.
    antialias_factor : int
        Render crops this many times larger, then average.
    suppress_implausible_poses : bool
        Leave out poses that fail the tests of `bottomup.metric3d.plausibility`.
        People without a pose stay, with what went wrong.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    num_aug: int = whole(5, high=1024)
    average_aug: bool = switch(True)
    skeleton: str = ""
    internal_batch_size: int = whole(64, low=0)
    antialias_factor: int = whole(1, high=16)
    suppress_implausible_poses: bool = switch(False)

    def __post_init__(self) -> None:
        check(self)
        if not isinstance(self.skeleton, str):
            raise InputError(f"skeleton must be a name, got {self.skeleton!r}")
