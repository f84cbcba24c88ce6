"""The PoseNet decoders, spelled out: pure NumPy, one definition per function, slow and obvious.

Check your own port against this: `decode(fields, decoder)` answers as
`decoder.decode(fields)` does, to the order of ties; `find_masks` and
`find_parts` answer as a mask rule does.
"""

from typing import TypeAlias

import numpy as np

from bottomup.errors import InputError
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.coral import CoralDecoder
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.personlab import PersonLabDecoder
from bottomup.posenet.reference.best import decode_best
from bottomup.posenet.reference.coral import decode_coral
from bottomup.posenet.reference.masks import find_masks as find_masks
from bottomup.posenet.reference.masks import find_parts as find_parts
from bottomup.posenet.reference.personlab import decode_personlab
from bottomup.posenet.reference.tfjs import decode_tfjs, decode_tfjs_single
from bottomup.posenet.roots import as_posenet_fields
from bottomup.posenet.tfjs import TfjsDecoder
from bottomup.poses import Poses

Decoder: TypeAlias = PoseNetDecoder | CoralDecoder | TfjsDecoder | PersonLabDecoder


def decode(fields: PoseNetFields, decoder: Decoder) -> Poses:
    """Return what `decoder.decode(fields)` returns, by the definition.

    Parameters
    ----------
    fields : PoseNetFields
        One image's network outputs.
    decoder : PoseNetDecoder, CoralDecoder, TfjsDecoder or PersonLabDecoder
        The decoder and its parameters.

    Returns
    -------
    Poses
        In input pixels.
    """
    fields = as_posenet_fields(fields)
    if not isinstance(decoder, Decoder):
        raise InputError(f"decoder must be a PoseNet decoder, such as PoseNetDecoder(), got {decoder!r}")
    with np.errstate(all="ignore"):  # whatever the tensors hold
        if isinstance(decoder, CoralDecoder):
            return decode_coral(fields, decoder)
        if isinstance(decoder, TfjsDecoder):
            return decode_tfjs_single(fields) if decoder.max_poses == 1 else decode_tfjs(fields, decoder)
        if isinstance(decoder, PersonLabDecoder):
            return decode_personlab(fields, decoder)
        return decode_best(fields, decoder)
