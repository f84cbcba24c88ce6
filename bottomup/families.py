"""The families of networks, and what any of them makes of a network's outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bottomup.boxes.family import BOXES
from bottomup.centers.family import CENTERS
from bottomup.errors import InputError, ModelError
from bottomup.family import Clues, Family, Layout
from bottomup.geometry import ImageSize, as_size
from bottomup.paf.family import PAF
from bottomup.posenet.family import POSENET
from bottomup.skeletons import Skeleton, as_skeleton
from bottomup.tags.family import TAGS
from bottomup.tensors import FieldLike, Quantized, TensorInfo, as_number

__all__ = ["FAMILIES", "clues_of", "family_of", "get", "read_outputs", "recognise"]

#: All of them, in the order in which they look at a network's outputs.
FAMILIES: tuple[Family, ...] = (POSENET, PAF, CENTERS, BOXES, TAGS)


def get(name: str) -> Family:
    """Return the family of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    for family in FAMILIES:
        if family.name == name:
            return family
    raise InputError(f"family must be one of {', '.join(family.name for family in FAMILIES)}, got {name!r}")


def family_of(fields: Any) -> Family:
    """Return the family that canonical fields belong to.

    Raises
    ------
    InputError
        If they are not the fields of any family.
    """
    for family in FAMILIES:
        if isinstance(fields, family.fields):
            return family
    expected = ", ".join(family.fields.__name__ for family in FAMILIES)
    raise InputError(f"fields must be one of {expected}, got {type(fields).__name__}")


def recognise(clues: Clues, families: Sequence[Family] = FAMILIES) -> tuple[Family, Layout]:
    """Return the family of a network, and what its outputs are.

    Parameters
    ----------
    clues : Clues
        What is known of the network before it runs.
    families : sequence of Family
        Which may be considered.

    Raises
    ------
    ModelError
        If it is of none of these families, or a question stays open; the message says the way out.
    """
    for family in families:
        layout = family.recognise(clues)
        if layout is not None:
            return family, layout
    listed = ", ".join(f"{info.name!r} {info.shape}" for info in clues.outputs) or "none"
    known = ", ".join(family.title for family in families)
    raise ModelError(
        f"outputs {listed} are of no network that Bottomup knows ({known}): say what they are with "
        "outputs={'name': 'heatmaps', ...}, or build the fields yourself"
    )


def read_outputs(
    outputs: Mapping[str, FieldLike],
    input_size: tuple[int, int] | None = None,
    *,
    logits: bool | None = None,
    family: str | None = None,
    skeleton: Skeleton | None = None,
    output_stride: float | None = None,
) -> Any:
    """Turn the outputs of any known network into fields, or into poses where it decoded them itself.

    Tensors are told apart by their shapes, and by their names where shapes do not decide; their order does not
    matter. Each family's README lists the tensors that it recognises.

    Parameters
    ----------
    outputs : dict of str to array or Quantized
        One image's outputs, by tensor name.
    input_size : (int, int), optional
        Width and height of the network's input, in pixels. Needed unless `output_stride` is given.
    logits : bool, optional
        Whether heatmaps are logits. Default: the family decides from the values.
    family : str, optional
        Which family to read if the outputs fit several: "posenet", "paf", "centers", "tags" or "boxes". Default: the
        first that fits.
    skeleton : Skeleton, optional
        The skeleton of a network trained on other parts.
    output_stride : float, optional
        Input pixels per cell. Default: from `input_size` and the size of the grid.

    Returns
    -------
    PoseNetFields, PafFields, CenterFields, TagFields, BoxFields or Poses
        In pixels of the network's input.

    Raises
    ------
    ModelError
        If these are not the outputs of a known network, or names are needed to tell two tensors apart.
    InputError
        If an argument or a tensor is invalid.

    Examples
    --------
    >>> maps = {name: np.zeros((31, 41, channels)) for name, channels in [("short", 34), ("mid", 64), ("heat", 17)]}
    >>> read_outputs(maps, input_size=(641, 481)).output_stride
    16.0
    """
    if input_size is None and output_stride is None:
        raise InputError("input_size must be (width, height) of the network's input, got None: or pass output_stride")
    size = None if input_size is None else as_size(input_size)
    clues = clues_of(outputs, size, output_stride, skeleton=skeleton, logits=logits)
    _, layout = recognise(clues, FAMILIES if family is None else (get(family),))
    return layout.read(clues.values or {}, size)


def clues_of(
    outputs: Mapping[str, FieldLike],
    input_size: ImageSize | None = None,
    output_stride: float | None = None,
    *,
    skeleton: Skeleton | None = None,
    logits: bool | None = None,
) -> Clues:
    """Return what raw tensors tell of the network that gave them; arguments as in `read_outputs`.

    Raises
    ------
    InputError
        If `outputs` is not a dict of tensors by name, or an argument is invalid.
    """
    if not isinstance(outputs, Mapping):
        raise InputError(f"outputs must be a dict of tensor names to arrays, got {type(outputs).__name__}")
    if not all(isinstance(name, str) for name in outputs):
        raise InputError(f"outputs must go by the tensors' names, got {list(outputs)}")
    tensors: dict[str, Any] = {
        name: values if isinstance(values, Quantized) else np.asarray(values) for name, values in outputs.items()
    }
    return Clues(
        tuple(_info(name, tensor) for name, tensor in tensors.items()),
        input_size,
        None if output_stride is None else as_number(output_stride, "output_stride"),
        None if skeleton is None else as_skeleton(skeleton),
        logits,
        values=tensors,
    )


def _info(name: str, tensor: Any) -> TensorInfo:
    """Return what a tensor at hand would be as a network's output."""
    if isinstance(tensor, Quantized):
        return TensorInfo(name, tensor.shape, tensor.values.dtype, tensor.scale, tensor.zero_point)
    return TensorInfo(name, tensor.shape, tensor.dtype)
