"""Coral's rule of masks."""

from dataclasses import dataclass
from typing import ClassVar

from bottomup.parameters import check, score, whole
from bottomup.posenet.masks.rule import MaskRule
from bottomup.posenet.roots import MOST_STEPS

__all__ = ["CoralMasks"]


@dataclass(frozen=True, kw_only=True)
class CoralMasks(MaskRule):
    """Give cells to people exactly as Coral's PosenetDecoderOp does, on grids of any shape.

    The pose wins whose 17 parts are nearest, by the sum of squared distances,
    to where the long offsets lead, followed once and then again from there.
    Every cell goes to somebody, even in the background: `masks(...) &
    people(...)` are those on people. Upstream, masks are only right on square
    grids. Make it with `PoseNetMasks.coral()`.

    Attributes
    ----------
    segment_threshold : float
        Lowest person score of a pixel of `people` and `parts`; upstream, `masks` have no threshold.
    long_steps : int
        How many more times the long offsets are followed; 2 upstream.

    References
    ----------
    google-coral/libcoral, `coral/pose_estimation/posenet_decoder.cc`, commit 6589d0b.
    """

    segment_threshold: float = score(0.5)
    long_steps: int = whole(2, low=0, high=MOST_STEPS)
    _is_squared: ClassVar[bool] = True
    _is_mean: ClassVar[bool] = False
    _covers_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self)
