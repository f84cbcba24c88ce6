"""What an estimate in 3D may be asked for."""

from dataclasses import dataclass

from bottomup.errors import InputError
from bottomup.parameters import check, switch, whole

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How people are looked at, and what is returned of them.

    Attributes
    ----------
    num_aug : int
        Crops of each person: turned, scaled, mirrored, brightened. 1 is the plain crop.
    average_aug : bool
        Return the mean over a person's crops, of those that gave a pose, or every one.
    skeleton : str
        Which parts to return: "" for all, or a name of the estimator's `skeletons`.
    internal_batch_size : int
        At most so many crops go to the network at once; 0 for no limit.
    antialias_factor : int
        Render crops this many times larger, and average.
    suppress_implausible_poses : bool
        Leave out poses that `bottomup.metric3d.plausibility` does not
        believe. People without a pose stay, with what went wrong.

    Raises
    ------
    InputError
        If one of them is not what it must be.
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
            raise InputError(f"skeleton must be the name of one, got {self.skeleton!r}")
