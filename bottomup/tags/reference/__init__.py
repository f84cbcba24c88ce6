"""The tag decoders, said aloud: pure NumPy and SciPy, one definition a function, slow and obvious.

Hold your own port against this: `decode(fields, decoder)` answers as
`decoder.decode(fields)` does, to the order of ties.
"""

from typing import TypeAlias

import numpy as np

from bottomup.errors import InputError
from bottomup.poses import Poses
from bottomup.tags.best import TagDecoder
from bottomup.tags.fields import TagFields, as_tag_fields
from bottomup.tags.higherhrnet import HigherHrnetDecoder
from bottomup.tags.mmpose import MmposeTagDecoder
from bottomup.tags.omz import OmzTagDecoder
from bottomup.tags.reference.best import decode_best
from bottomup.tags.reference.higherhrnet import decode_higherhrnet
from bottomup.tags.reference.mmpose import decode_mmpose
from bottomup.tags.reference.omz import decode_omz
from bottomup.tags.reference.peaks import find_peaks as find_peaks

__all__ = ["decode", "find_peaks"]

Decoder: TypeAlias = TagDecoder | OmzTagDecoder | MmposeTagDecoder | HigherHrnetDecoder


def decode(fields: TagFields, decoder: Decoder) -> Poses:
    """Return what `decoder.decode(fields)` returns, by the definition.

    Parameters
    ----------
    fields : TagFields
        One image's network outputs.
    decoder : TagDecoder, or what its `omz`, `mmpose` and `higherhrnet` return
        Which decoder, with which parameters.

    Returns
    -------
    Poses
        In input pixels.

    Raises
    ------
    InputError
        If they are no such things.
    """
    fields = as_tag_fields(fields)
    if not isinstance(decoder, Decoder):
        raise InputError(f"decoder must be a tag decoder, as TagDecoder(), got {decoder!r}")
    with np.errstate(all="ignore"):  # whatever the tensors hold
        if isinstance(decoder, OmzTagDecoder):
            return decode_omz(fields, decoder)
        if isinstance(decoder, MmposeTagDecoder):
            return decode_mmpose(fields, decoder)
        if isinstance(decoder, HigherHrnetDecoder):
            return decode_higherhrnet(fields, decoder)
        return decode_best(fields, decoder)
