"""The decoders of centres, spelled out: pure NumPy, one definition a function, slow and obvious.

Check your own port against this: `decode(fields, decoder)` returns what `decoder.decode(fields)` does, down to the
order of ties.
"""

from typing import TypeAlias

import numpy as np

from bottomup.centers.best import CenterDecoder
from bottomup.centers.centernet import CenterNetDecoder
from bottomup.centers.dekr import DekrDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.movenet import MoveNetDecoder
from bottomup.centers.movenet_single import MoveNetSingleDecoder
from bottomup.centers.reference.best import decode_best
from bottomup.centers.reference.centernet import decode_centernet
from bottomup.centers.reference.dekr import decode_dekr
from bottomup.centers.reference.movenet import decode_movenet
from bottomup.centers.reference.movenet_single import decode_movenet_single
from bottomup.centers.running import as_center_fields, with_boxes
from bottomup.errors import InputError
from bottomup.poses import Poses

__all__ = ["decode"]

Decoder: TypeAlias = CenterDecoder | MoveNetDecoder | MoveNetSingleDecoder | CenterNetDecoder | DekrDecoder


def decode(fields: CenterFields, decoder: Decoder) -> Poses:
    """Return what `decoder.decode(fields)` returns, by the definition.

    Parameters
    ----------
    fields : CenterFields
        One image's network outputs.
    decoder : CenterDecoder, MoveNetDecoder, MoveNetSingleDecoder, CenterNetDecoder or DekrDecoder
        The decoder to follow, with its parameters.

    Returns
    -------
    Poses
        In input pixels.
    """
    fields = as_center_fields(fields)
    if not isinstance(decoder, Decoder):
        raise InputError(f"decoder must be a decoder of centres, such as CenterDecoder(), got {decoder!r}")
    if 0 in fields.grid:
        return Poses.empty(fields.skeleton)
    with np.errstate(all="ignore"):  # whatever the tensors hold
        if isinstance(decoder, MoveNetDecoder):
            return decode_movenet(with_boxes(fields, "MoveNet's MultiPose decoder"), decoder)
        if isinstance(decoder, MoveNetSingleDecoder):
            return decode_movenet_single(fields)
        if isinstance(decoder, CenterNetDecoder):
            return decode_centernet(with_boxes(fields, "CenterNet's decoder"), decoder)
        if isinstance(decoder, DekrDecoder):
            return decode_dekr(fields, decoder)
        return decode_best(fields, decoder)
