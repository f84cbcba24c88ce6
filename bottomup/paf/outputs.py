"""Telling heatmaps and fields apart among a network's outputs, by shapes and names."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bottomup.errors import InputError, ModelError
from bottomup.family import Clues
from bottomup.geometry import ImageSize
from bottomup.paf.fields import is_one_picture, num_paf_channels_of
from bottomup.skeletons import BODY25, MPI15, OPENPOSE18, TRTPOSE18, Skeleton

__all__ = [
    "SKELETONS",
    "Candidate",
    "explain",
    "fitting",
    "in_image_order",
    "stride_of",
    "stride_or_none",
    "with_edges",
]

#: Skeletons that public networks have; which one, their numbers of channels tell.
SKELETONS = (OPENPOSE18, BODY25, MPI15, TRTPOSE18)
_IN_ONE = (OPENPOSE18, BODY25, MPI15)  # whose networks may give one tensor with heatmaps first
_STRIDES = (8, 4, 16, 2, 1, 32)  # the usual one first: a small grid may fit several
_PAF_NAME = re.compile(r"pafs?(?![a-z])|vectmap|affinity", re.IGNORECASE)


class Candidate(NamedTuple):
    """One way to read outputs."""

    heatmaps: str
    pafs: str
    skeleton: Skeleton
    num_heatmaps: int
    channels_first: bool
    grid: tuple[int, int]  #: H and W of the heatmaps; -1 where a side is left open
    paf_grid: tuple[int, int]


def stride_of(input_size: tuple[int, int], grid: tuple[int, int]) -> int:
    """Return the input pixels per cell of maps of an input: 8 or 4 mostly; less where maps were enlarged.

    Examples
    --------
    >>> stride_of((432, 368), (46, 54)), stride_of((224, 224), (56, 56))
    (8, 4)
    """
    stride = stride_or_none(input_size, grid)
    if stride is None:
        (width, height), (rows, columns) = input_size, grid
        raise InputError(
            f"input_size=({width}, {height}) and a grid of {rows} x {columns} cells fit no stride of 1, 2, 4, 8, 16 or "
            "32: pass (width, height) of the network's input, or build PafFields with its output_stride"
        )
    return stride


def stride_or_none(input_size: tuple[int, int], grid: tuple[int, int]) -> int | None:
    """Return the stride that brings an input to a grid, None if none of those known does."""
    (width, height), (rows, columns) = input_size, grid
    fitting = (each for each in _STRIDES if -(-width // each) == columns and -(-height // each) == rows)
    return next(fitting, None)


def fitting(
    images: Mapping[str, tuple[int, ...]], skeletons: Sequence[Skeleton], input_size: ImageSize | None
) -> Candidate | None:
    """Return the one way to read the outputs that fits them best."""
    names = sorted(images, key=_natural)
    candidates: list[Candidate] = []
    for channels_first in (False, True):
        for skeleton in skeletons:
            num_pafs, num_parts = num_paf_channels_of(skeleton), len(skeleton.parts)
            for num_heatmaps in (num_parts + 1, num_parts):
                heat, pafs = (
                    [name for name in names if in_image_order(images[name], channels_first)[2] == channels]
                    for channels in (num_heatmaps, num_pafs)
                )
                pairs = [(one, other) for one in heat for other in pafs if one != other]
                if pairs:
                    candidates.append(_candidate(*pairs[-1], skeleton, num_heatmaps, channels_first, images))
    for channels_first in (False, True):
        for skeleton in [each for each in skeletons if each in _IN_ONE or skeletons is not SKELETONS]:
            num_pafs, num_parts = num_paf_channels_of(skeleton), len(skeleton.parts)
            for num_heatmaps in (num_parts + 1, num_parts):
                both = [
                    name for name in names if in_image_order(images[name], channels_first)[2] == num_heatmaps + num_pafs
                ]
                if both:
                    candidates.append(_candidate(both[-1], both[-1], skeleton, num_heatmaps, channels_first, images))
    candidates = [each for each in candidates if _agree(each.grid, each.paf_grid) and not _is_odd(each, images)]
    if input_size is not None:
        sure = [
            each for each in candidates if -1 not in each.grid and stride_or_none(input_size, each.grid) is not None
        ]
        # A grid of about the input's aspect is refused when it is read, with what to do.
        candidates = sure or [each for each in candidates if _is_near(input_size, each.grid)]
    if input_size is None and len({each.channels_first for each in candidates}) > 1 and _is_one(candidates):
        name = candidates[0].pafs
        raise ModelError(
            f"output {name!r} {images[name]} may be channels first or last: pass the input's size, or heatmaps and "
            "PAFs as two tensors"
        )
    return candidates[0] if candidates else None


def _is_one(candidates: Sequence[Candidate]) -> bool:
    """Tell whether each candidate reads one tensor that holds both heatmaps and fields."""
    return all(each.heatmaps == each.pafs for each in candidates)


def _candidate(
    heatmaps: str,
    pafs: str,
    skeleton: Skeleton,
    num_heatmaps: int,
    channels_first: bool,
    images: Mapping[str, tuple[int, ...]],
) -> Candidate:
    """Return one way to read the two outputs of those names."""
    grid, paf_grid = (in_image_order(images[name], channels_first)[:2] for name in (heatmaps, pafs))
    return Candidate(heatmaps, pafs, skeleton, num_heatmaps, channels_first, grid, paf_grid)


def _is_odd(candidate: Candidate, images: Mapping[str, tuple[int, ...]]) -> bool:
    """Tell whether other outputs, or a name, speak against a layout."""
    shapes = [in_image_order(shape, candidate.channels_first) for shape in images.values()]
    if candidate.heatmaps != candidate.pafs:  # a PoseNet's displacements are as many as fields; it has offsets besides
        num_offsets = 2 * len(candidate.skeleton.parts)
        return num_offsets != num_paf_channels_of(candidate.skeleton) and (*candidate.grid, num_offsets) in shapes
    turned = in_image_order(images[candidate.pafs], not candidate.channels_first)[2]
    is_pafs_alone = turned in map(num_paf_channels_of, SKELETONS) and _PAF_NAME.search(candidate.pafs)
    return bool(is_pafs_alone) or not all(_agree(candidate.grid, shape[:2]) for shape in shapes)


def in_image_order(shape: tuple[int, ...], channels_first: bool) -> tuple[int, int, int]:
    """Return H, W and C of a shape of three axes."""
    return (shape[1], shape[2], shape[0]) if channels_first else (shape[0], shape[1], shape[2])


def _agree(grid: tuple[int, int], paf_grid: tuple[int, int]) -> bool:
    """Return whether two grids may belong to one picture, as far as their sides are known."""
    return -1 in (*grid, *paf_grid) or is_one_picture(grid, paf_grid)


def _is_near(input_size: ImageSize, grid: tuple[int, int]) -> bool:
    """Tell whether a grid has an input's aspect, to a fifth."""
    if min(grid) < 1:
        return -1 in grid
    ratio = input_size.width * grid[0] / (input_size.height * grid[1])
    return 0.8 < ratio < 1.25


def with_edges(skeleton: Skeleton) -> tuple[Skeleton, ...]:
    """Return the user's skeleton alone, if fields can lie along its edges."""
    return (skeleton,) if skeleton.edges else ()


def explain(images: Mapping[str, tuple[int, ...]], clues: Clues) -> None:
    """Refuse outputs that are named as part affinity fields are, but cannot be read."""
    named = [name for name in images if _PAF_NAME.search(name)]
    if not named:
        return
    name = sorted(named, key=_natural)[-1]
    shape = images[name]
    channels_first = _is_channels_first(shape, clues.input_size)
    num_pafs = in_image_order(shape, channels_first)[2]
    others = {
        other: in_image_order(images[other], channels_first)
        for other in images
        if other not in named
        and _agree(in_image_order(images[other], channels_first)[:2], in_image_order(shape, channels_first)[:2])
    }
    if not others:
        raise ModelError(f"output {name!r} {shape} holds part affinity fields, but heatmaps are missing: pass both")
    heat = sorted(others, key=_natural)[-1]
    if clues.skeleton is None:
        raise ModelError(
            f"unknown skeleton ({others[heat][2]} parts, {num_pafs} PAF channels) of outputs {heat!r} and {name!r}: "
            "pass skeleton="
        )
    wanted = len(clues.skeleton.parts)
    raise ModelError(
        f"skeleton {clues.skeleton.name!r} needs {wanted} heatmaps ({wanted + 1} with background) and "
        f"{2 * len(clues.skeleton.edges)} PAF channels, got {others[heat][2]} of {heat!r} and {num_pafs} of {name!r}: "
        "pass the network's own"
    )


def _is_channels_first(shape: tuple[int, ...], input_size: ImageSize | None) -> bool:
    """Tell where the channels of a tensor of unknown numbers are: where the rest fits the input, or is the squarer."""
    if input_size is not None:
        for channels_first in (True, False):
            height, width, _ = in_image_order(shape, channels_first)
            if stride_or_none(input_size, (height, width)) is not None:
                return channels_first
    return shape[0] < shape[2]


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what names sort by: numbers as numbers, capitals as small letters."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]
