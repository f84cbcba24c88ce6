"""Which output is what, of networks of part affinity fields: OpenPose, tf-pose, lightweight-openpose and their kin."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from bottomup.checks import FieldLike
from bottomup.errors import InputError
from bottomup.paf.fields import PafFields
from bottomup.skeletons import BODY25, BODYPOSE18, MPI15, OPENPOSE18, TRTPOSE18, Skeleton

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


def paf_names(shapes: Mapping[str, tuple[int, ...]]) -> PafNames | None:
    """Tell heatmaps and PAFs apart by their numbers of channels; None where these are the outputs of another network.

    Of networks that give every stage's maps, the last is taken: the one whose
    names come last, numbers counted as numbers.
    """
    images = {name: shape for name, shape in shapes.items() if len(shape) in (3, 4)}
    for axis in (-1, -3):
        of_channels: dict[int, list[str]] = {}
        for name in sorted(images, key=_natural):
            of_channels.setdefault(images[name][axis], []).append(name)
        for skeleton in _SKELETONS:
            num_parts, num_paf_channels = len(skeleton.parts), 2 * len(skeleton.edges)
            for num_heatmaps in (num_parts + 1, num_parts):
                heatmaps, pafs = of_channels.get(num_heatmaps), of_channels.get(num_paf_channels)
                both = of_channels.get(num_heatmaps + num_paf_channels) if skeleton in _IN_ONE else None
                if heatmaps and pafs:
                    return _named(heatmaps[-1], pafs[-1], skeleton, images, axis)
                if both:
                    return _named(both[-1], both[-1], skeleton, images, axis)
    return None


def _named(heatmaps: str, pafs: str, skeleton: Skeleton, shapes: Mapping[str, tuple[int, ...]], axis: int) -> PafNames:
    """Return names with what else the shapes tell."""
    grid, paf_grid = (shapes[name][-3:-1] if axis == -1 else shapes[name][-2:] for name in (heatmaps, pafs))
    is_bodyposenet = skeleton is OPENPOSE18 and (grid != paf_grid or "heatmap_out" in heatmaps)
    return PafNames(heatmaps, pafs, BODYPOSE18 if is_bodyposenet else skeleton, (grid[0], grid[1]), is_bodyposenet)


def paf_stride(input_size: tuple[int, int], grid: tuple[int, int]) -> int:
    """Return the input pixels per cell of a network of part affinity fields: 4, 8 or 16.

    Examples
    --------
    >>> paf_stride((432, 368), (46, 54)), paf_stride((224, 224), (56, 56))
    (8, 4)
    """
    (width, height), (rows, columns) = input_size, grid
    for stride in _STRIDES:
        if -(-width // stride) == columns and -(-height // stride) == rows:
            return stride
    raise InputError(
        f"input_size=({width}, {height}) and a grid of {rows} x {columns} cells fit no stride of 4, 8 or 16: "
        "pass (width, height) of the network's input, or build PafFields with its output_stride"
    )


def paf_fields(outputs: Mapping[str, FieldLike], names: PafNames, input_size: tuple[int, int]) -> PafFields:
    """Build the fields of a network's outputs."""
    stride = paf_stride(input_size, names.grid)
    if names.heatmaps == names.pafs:
        return PafFields.from_concatenated(outputs[names.pafs], skeleton=names.skeleton, output_stride=stride)
    shift = (stride - 1) / 2 / stride if names.is_bodyposenet else 0.0
    return PafFields(outputs[names.heatmaps], outputs[names.pafs], names.skeleton, stride, paf_shift=shift)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what names sort by: numbers as numbers."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name)]
