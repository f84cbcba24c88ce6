"""MoveNet's decoder for one person, as in the SinglePose graphs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from bottomup.batch import BatchDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.running import as_center_fields, run
from bottomup.poses import Poses

__all__ = ["MoveNetSingleDecoder"]


@dataclass(frozen=True)
class MoveNetSingleDecoder(BatchDecoder[CenterFields]):
    """Decode as the graphs of MoveNet Lightning and Thunder do, to 1e-5.

    The person is the centre whose score, divided by its distance from the middle of the image plus 1.8 cells, is
    highest. Each part is the best cell of its heatmap, with scores divided likewise by the distance from where the
    centre points. Make it with `CenterDecoder.movenet_single()`. Coral's quantised file does the same in 8 bits, up to
    0.75 pixels off.

    References
    ----------
    The graphs of MoveNet SinglePose Lightning and Thunder, version 4.
    `@tensorflow-models/pose-detection` 2.1.3 for the score of a pose.
    """

    def decode(self, fields: CenterFields) -> Poses:
        """Return the one person of an image, in input pixels.

        Parameters
        ----------
        fields : CenterFields
            One image's network outputs, float or quantised.

        Returns
        -------
        Poses
            One pose, even if nobody is there; none if the fields have no cells. A keypoint's score is its heatmap's;
            the pose's is the mean of those above 0.2, as in tfjs, or 0 if there are none.

        Raises
        ------
        InputError
            If `fields` is not a CenterFields.
        """
        return run(_kernel(), as_center_fields(fields), 1)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.centers.kernels.movenet_single import decode_movenet_single

    return decode_movenet_single
