"""Which output is what, of networks of part affinity fields: OpenPose, tf-pose, lightweight-openpose and their kin."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bottomup.errors import InputError
from bottomup.paf.fields import PafFields
from bottomup.skeletons import BODY25, BODYPOSE18, MPI15, OPENPOSE18, TRTPOSE18, Skeleton
from bottomup.tensors import FieldLike, Quantized

__all__ = ["PafNames", "paf_fields", "paf_names", "paf_stride"]

#: Skeletons that public networks have; which one, their numbers of channels tell.
_SKELETONS = (OPENPOSE18, BODY25, MPI15, TRTPOSE18)
_IN_ONE = (OPENPOSE18, BODY25, MPI15)  # whose networks may give one tensor with heatmaps first
_STRIDES = (4, 8, 16)


class PafNames(NamedTuple):
    """Which of a network's outputs is what, by name."""

    heatmaps: str
    pafs: str  #: the same where one tensor holds both, heatmaps first
    skeleton: Skeleton
    grid: tuple[int, int]  #: H and W of the heatmaps, in cells
    is_bodyposenet: bool  #: whose fields are labelled at the cells' corners
    channel_axis: int  #: -1, or -3 where channels come before rows
    fits_both_layouts: bool  #: one tensor, whose shape does not tell


def paf_names(shapes: Mapping[str, tuple[int, ...]], input_size: tuple[int, int] | None = None) -> PafNames | None:
    """Tell heatmaps and PAFs apart by their numbers of channels; None where these are the outputs of another network.

    Of networks that give every stage's maps, the last is taken: the one whose
    names come last, numbers counted as numbers. One tensor that fits both
    layouts has the one whose grid fits the input size, or channels last.
    """
    images = {name: shape for name, shape in shapes.items() if len(shape) in (3, 4)}
    of_channels: dict[int, dict[int, list[str]]] = {-1: {}, -3: {}}
    for name in sorted(images, key=_natural):
        for axis, names in of_channels.items():
            names.setdefault(images[name][axis], []).append(name)
    for axis, names in of_channels.items():
        for skeleton in _SKELETONS:
            num_paf_channels = 2 * len(skeleton.edges)
            for num_heatmaps in (len(skeleton.parts) + 1, len(skeleton.parts)):
                if num_heatmaps in names and num_paf_channels in names:
                    return _named(names[num_heatmaps][-1], names[num_paf_channels][-1], skeleton, images, axis)
    in_one = [_named(both, both, skeleton, images, axis) for axis, both, skeleton in _concatenated(of_channels)]
    if len({each.channel_axis for each in in_one}) < 2:
        return in_one[0] if in_one else None
    fitting = [each for each in in_one if input_size is not None and _stride(input_size, each.grid) is not None]
    return (fitting or in_one)[0]._replace(fits_both_layouts=True)


def _concatenated(of_channels: Mapping[int, Mapping[int, list[str]]]) -> list[tuple[int, str, Skeleton]]:
    """Return axis, name and skeleton of the tensors that may hold both heatmaps and PAFs, channels last first."""
    return [
        (axis, names[num_heatmaps + 2 * len(skeleton.edges)][-1], skeleton)
        for axis, names in of_channels.items()
        for skeleton in _IN_ONE
        for num_heatmaps in (len(skeleton.parts) + 1, len(skeleton.parts))
        if num_heatmaps + 2 * len(skeleton.edges) in names
    ]


def _named(heatmaps: str, pafs: str, skeleton: Skeleton, shapes: Mapping[str, tuple[int, ...]], axis: int) -> PafNames:
    """Return names with what else the shapes tell."""
    grid, paf_grid = (shapes[name][-3:-1] if axis == -1 else shapes[name][-2:] for name in (heatmaps, pafs))
    is_taos = tuple(paf_grid) == (4 * grid[0], 4 * grid[1]) or "heatmap_out" in heatmaps
    is_bodyposenet = skeleton is OPENPOSE18 and is_taos
    skeleton = BODYPOSE18 if is_bodyposenet else skeleton
    return PafNames(heatmaps, pafs, skeleton, (grid[0], grid[1]), is_bodyposenet, axis, False)


def paf_stride(input_size: tuple[int, int], grid: tuple[int, int]) -> int:
    """Return the input pixels per cell of a network of part affinity fields: 4, 8 or 16.

    Examples
    --------
    >>> paf_stride((432, 368), (46, 54)), paf_stride((224, 224), (56, 56))
    (8, 4)
    """
    stride = _stride(input_size, grid)
    if stride is None:
        (width, height), (rows, columns) = input_size, grid
        raise InputError(
            f"input_size=({width}, {height}) and a grid of {rows} x {columns} cells fit no stride of 4, 8 or 16: "
            "pass (width, height) of the network's input, or build PafFields with its output_stride"
        )
    return stride


def _stride(input_size: tuple[int, int], grid: tuple[int, int]) -> int | None:
    """Return the stride that brings an input to a grid, None if none of those known does."""
    (width, height), (rows, columns) = input_size, grid
    strides = (each for each in _STRIDES if -(-width // each) == columns and -(-height // each) == rows)
    return next(strides, None)


def paf_fields(outputs: Mapping[str, FieldLike], names: PafNames, input_size: tuple[int, int]) -> PafFields:
    """Build the fields of a network's outputs."""
    stride = paf_stride(input_size, names.grid)
    if names.fits_both_layouts:
        heatmaps, pafs = _apart(outputs[names.pafs], names.channel_axis, 2 * len(names.skeleton.edges))
        return PafFields(heatmaps, pafs, names.skeleton, stride)
    if names.heatmaps == names.pafs:
        return PafFields.from_concatenated(outputs[names.pafs], skeleton=names.skeleton, output_stride=stride)
    shift = (stride - 1) / 2 / stride if names.is_bodyposenet else 0.0
    return PafFields(outputs[names.heatmaps], outputs[names.pafs], names.skeleton, stride, paf_shift=shift)


def _apart(maps: FieldLike, axis: int, num_paf_channels: int) -> list[FieldLike]:
    """Return heatmaps and PAFs of one tensor."""
    rest = () if axis == -1 else (slice(None), slice(None))
    places = [(..., channels, *rest) for channels in (slice(-num_paf_channels), slice(-num_paf_channels, None))]
    if isinstance(maps, Quantized):
        return [Quantized(maps.values[place], maps.scale, maps.zero_point) for place in places]
    return [np.asarray(maps)[place] for place in places]


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what names sort by: numbers as numbers."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name.casefold())]
