"""The families of networks, and what any of them makes of a network's outputs."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from bottomup.errors import InputError, ModelError
from bottomup.geometry import as_size
from bottomup.paf.fields import PafFields
from bottomup.paf.layout import paf_fields, paf_names
from bottomup.posenet.fields import NUM_EDGES, NUM_PARTS, PoseNetFields
from bottomup.posenet.layout import Shapes, channel_axis, decoded_names, decoded_poses, listed, posenet_fields
from bottomup.poses import Poses
from bottomup.tensors import FieldLike, Quantized

__all__ = ["family_of", "read_outputs"]

Family: TypeAlias = Literal["poses", "posenet", "paf"]


def read_outputs(
    outputs: Mapping[str, FieldLike],
    input_size: tuple[int, int],
    *,
    logits: bool | None = None,
    family: Literal["posenet", "paf"] | None = None,
) -> PoseNetFields | PafFields | Poses:
    """Turn the outputs of any known network into fields, or into poses where it decoded them itself.

    Tensors are told apart by their number of channels, and by their names
    where that does not decide; their order does not matter.

    Parameters
    ----------
    outputs : dict of str to array or Quantized
        One image's outputs, by tensor name. PoseNet: heatmaps (17 channels),
        short offsets (34), mid offsets (64) or forward and backward
        displacements (32 each), perhaps long offsets (34), segments (1) and part heatmaps (24).
        Part affinity fields: heatmaps (19, or 18 without background) and PAFs
        (38) of OpenPose's 18 parts, 18 and 42 of trt_pose, 26 and 52 of
        BODY25, 16 and 28 of MPI15; or both in one tensor (57, 78, 44).
        Decoded: poses (1, M, 17, 2), y first, keypoint scores (1, M, 17),
        pose scores (1, M) and their count, as `PosenetDecoderOp` gives them.
    input_size : (int, int)
        Width and height of the network's input, in pixels.
    logits : bool, optional
        Whether heatmaps are logits. Default: unless they stay within [0, 1].
    family : {"posenet", "paf"}, optional
        What to read of a network that gives both. Default: PoseNet's.

    Returns
    -------
    PoseNetFields, PafFields or Poses
        In pixels of the network's input.

    Raises
    ------
    ModelError
        If these are not the outputs of a known network, or a name is needed
        that tells two tensors apart.
    InputError
        If a tensor holds 8-bit levels without their units.

    Examples
    --------
    >>> maps = {name: np.zeros((31, 41, channels)) for name, channels in [("short", 34), ("mid", 64), ("heat", 17)]}
    >>> read_outputs(maps, input_size=(641, 481)).output_stride
    16.0
    """
    if not isinstance(outputs, Mapping):
        raise InputError(f"outputs must be a dict of tensor names to arrays, got {type(outputs).__name__}")
    if not all(isinstance(name, str) for name in outputs):
        raise InputError(f"outputs must go by the tensors' names, got {list(outputs)}")
    if family not in (None, "posenet", "paf"):
        raise InputError(f'family must be "posenet" or "paf", got {family!r}')
    arrays = {name: values if isinstance(values, Quantized) else np.asarray(values) for name, values in outputs.items()}
    shapes = {name: values.shape for name, values in arrays.items()}
    own = family_of(shapes)
    if own == "poses":
        return decoded_poses(arrays)
    size = as_size(input_size)
    of_paf = paf_names(shapes, size) if "paf" in (own, family) else None
    if of_paf is not None:
        return paf_fields(arrays, of_paf, size)
    return posenet_fields(arrays, shapes, size, logits)


def family_of(shapes: Shapes) -> Family:
    """Return which family of networks has outputs of these shapes."""
    if decoded_names(shapes) is not None:
        return "poses"
    if channel_axis(shapes) is not None:
        return "posenet"
    if paf_names(shapes) is not None:
        return "paf"
    raise ModelError(
        f"not a PoseNet-family model: outputs {listed(shapes)}; expected heatmaps of {NUM_PARTS} channels, "
        f"short offsets of {2 * NUM_PARTS} and mid offsets of {4 * NUM_EDGES} (or {2 * NUM_EDGES} + {2 * NUM_EDGES}); "
        "or heatmaps and part affinity fields of 19 and 38 channels, 18 and 42, 26 and 52, or 16 and 28"
    )
