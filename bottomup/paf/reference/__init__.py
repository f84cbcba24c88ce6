"""The part affinity field decoder read aloud: pure numpy, one definition a function, no numba.

Slow and plain. `PafDecoder` must give what `decode` gives here, but for its
bounds on work, which no photo reaches; hold your own port against it, too. Positions are (row, column) in cells of the
heatmaps until the last step.
"""

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.paf.best import PafDecoder
from bottomup.paf.enlarged import LARGE
from bottomup.paf.fields import PafFields
from bottomup.paf.reference.fill import fill_people
from bottomup.paf.reference.limbs import Field, find_limbs
from bottomup.paf.reference.peaks import Peak, find_peaks, look_enlarged
from bottomup.paf.reference.people import Person, assemble, joints_of, rank_people
from bottomup.poses import Poses

__all__ = ["decode", "find_limbs", "find_peaks", "read_fields"]


def decode(fields: PafFields, decoder: PafDecoder) -> Poses:
    """Return the poses of one image, best first, in input pixels: what `decoder.decode(fields)` must equal.

    Parameters
    ----------
    fields : PafFields
        One image's network outputs.
    decoder : PafDecoder
        Whose rules to follow.
    """
    if not isinstance(fields, PafFields) or not isinstance(decoder, PafDecoder):
        raise InputError(f"expected PafFields and a PafDecoder, got {type(fields).__name__} and {decoder!r}")
    skeleton = fields.skeleton
    with np.errstate(all="ignore"):  # infinite and missing values are let through, and lead nowhere
        heatmaps, pafs = read_fields(fields)
        peaks = [find_peaks(heatmaps[:, :, part], decoder) for part in range(len(skeleton.parts))]
        is_large = heatmaps.shape[0] * heatmaps.shape[1] >= LARGE
        if (is_large or look_enlarged(heatmaps, peaks)) and fields.raw is not fields:
            return decode(fields.raw, decoder)
        limbs = find_limbs(pafs, peaks, len(heatmaps), skeleton, decoder)
        people = assemble(limbs, peaks, skeleton, decoder)
        if decoder.fill:
            fill_people(people, heatmaps, pafs, peaks, skeleton, decoder)
        ranked = rank_people(people, peaks, skeleton, decoder)
        return as_poses(ranked, peaks, fields, decoder)


def read_fields(fields: PafFields) -> tuple[NDArray[np.float64], Field]:
    """Return real numbers: heatmaps (H, W, N) without background, and the field before its cells were repeated."""
    heatmaps, pafs = (
        tensor if isinstance(tensor, np.ndarray) else tensor.dequantize() for tensor in (fields.heatmaps, fields.pafs)
    )
    skeleton, every = fields.skeleton, fields.paf_repeat
    channels = skeleton.paf_channels
    vectors = pafs[::every, ::every][..., np.array(channels)].astype(np.float64)
    ratio = (vectors.shape[0] / max(heatmaps.shape[0], 1), vectors.shape[1] / max(heatmaps.shape[1], 1))
    return heatmaps[:, :, : len(skeleton.parts)].astype(np.float64), Field(vectors, ratio, fields.paf_shift)


def as_poses(
    ranked: list[tuple[float, Person]], peaks: list[list[Peak]], fields: PafFields, decoder: PafDecoder
) -> Poses:
    """Return people as poses in input pixels: the middle of cell 0 is at pixel (stride - 1) / 2."""
    skeleton, stride = fields.skeleton, fields.output_stride
    keypoints = np.full((len(ranked), len(skeleton.parts), 3), (np.nan, np.nan, 0.0), np.float32)
    filled = np.zeros(keypoints.shape[:2], np.bool_)
    shift_x, shift_y = (one + other for one, other in zip(decoder.shifts, fields.shift, strict=True))
    for pose, (_, person) in enumerate(ranked):
        for part, joint in joints_of(person, peaks).items():
            x, y = (at * stride for at in (joint.place[1] + 0.5, joint.place[0] + 0.5))
            keypoints[pose, part] = x - 0.5 + shift_x, y - 0.5 + shift_y, joint.score
            filled[pose, part] = joint.filled
    return Poses(keypoints, np.array([score for score, _ in ranked], np.float32), skeleton, None, filled)
