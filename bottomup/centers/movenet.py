"""MoveNet's decoder for several people, as in the MultiPose graph."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from bottomup.batch import BatchDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.running import as_center_fields, run, with_boxes
from bottomup.parameters import check, whole
from bottomup.poses import Poses

__all__ = ["MoveNetDecoder"]


@dataclass(frozen=True)
class MoveNetDecoder(BatchDecoder[CenterFields]):
    """Decode as the graph of MoveNet MultiPose does, to 1e-5.

    People are the best peaks of the centre map, each the highest of 5 x 5 cells. A part is the best cell in the
    person's box, weighted by a Gaussian around where the centre points. Its score is the highest weighted score that
    any of the people has for that cell. Make it with `CenterDecoder.movenet()`.

    Attributes
    ----------
    max_poses : int
        Maximum number of people; 6 in the graph, at most 100.

    References
    ----------
    The graph of movenet_multipose_lightning_float16_1.tflite.
    """

    max_poses: int = whole(6, high=100)

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: CenterFields) -> Poses:
        """Return the people of one image, in input pixels, in the graph's order: best centre first.

        Parameters
        ----------
        fields : CenterFields
            One image's network outputs with boxes, float or quantised.

        Returns
        -------
        Poses
            At most `max_poses`, with boxes. Parts are never missing, but may score low. A pose's score is its centre's
            times the mean of its parts' scores above 0.127. The rows with which the graph fills up its answer are left
            out.

        Raises
        ------
        InputError
            If `fields` is not a CenterFields, or has no boxes.
        """
        fields = with_boxes(as_center_fields(fields), "MoveNet's MultiPose decoder")
        most = min(self.max_poses, fields.grid[0] * fields.grid[1])
        return run(_kernel(), fields, most, fields.boxes, most, has_boxes=True)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.centers.kernels.movenet import decode_movenet

    return decode_movenet
