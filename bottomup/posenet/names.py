"""Tell the outputs of a PoseNet apart, by shape and name."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from bottomup.errors import InputError, ModelError
from bottomup.posenet.fields import BODY_PARTS, NUM_EDGES, NUM_PARTS

__all__ = ["PoseNetNames", "Shapes", "channel_axis", "listed", "output_stride", "posenet_names"]

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class PoseNetNames(NamedTuple):
    """The name of each of a PoseNet's outputs."""

    heatmaps: str
    offsets: str
    mid_offsets: str | None  #: both displacements in one tensor, or
    displacements_fwd: str | None  #: each in its own
    displacements_bwd: str | None
    long_offsets: str | None
    segments: str | None
    part_heatmaps: str | None
    grid: tuple[int, int]  #: H and W, in cells


def output_stride(input_size: tuple[int, int], grid: tuple[int, int]) -> int:
    """Return the input pixels per cell of a network: 8, 16 or 32, or another power of two.

    Sizes of whole strides plus 1 fill the grid exactly; for others, networks
    round the number of cells up, or round it down and add 1.

    Examples
    --------
    >>> output_stride((481, 353), (23, 31)), output_stride((257, 257), (9, 9)), output_stride((512, 512), (33, 33))
    (16, 32, 16)
    """
    (width, height), (rows, columns) = input_size, grid
    for stride in (8, 16, 32, 4, 2, 1, 64):
        if all(cells in (-(-size // stride), size // stride + 1) for size, cells in ((height, rows), (width, columns))):
            return stride
    raise InputError(
        f"input_size=({width}, {height}) and a grid of {rows} x {columns} cells fit no stride of 8, 16 or 32: "
        "pass (width, height) of the network's input, or its output_stride"
    )


def posenet_names(shapes: Shapes, num_parts: int = NUM_PARTS, num_edges: int = NUM_EDGES) -> PoseNetNames:
    """Tell a PoseNet's outputs apart, by number of channels and then by name.

    Raises
    ------
    ModelError
        If two tensors could be the same thing; the message says what to do.
    """
    axis = channel_axis(shapes, num_parts, num_edges)
    if axis is None:
        raise ModelError(f"not a PoseNet-family model: outputs {listed(shapes)}")
    of_channels: dict[int, list[str]] = {}
    for name, shape in shapes.items():
        if len(shape) in (3, 4):
            of_channels.setdefault(shape[axis], []).append(name)
    heatmaps = _only("heatmaps", _preferring(of_channels[num_parts], "heatmap", without="part"), shapes)
    short, long = _short_and_long(of_channels[2 * num_parts], shapes)
    mids = of_channels.get(4 * num_edges)
    mid = _only("mid_offsets", _preferring(mids, "mid"), shapes) if mids else None
    fwd, bwd = (None, None) if mid else _fwd_and_bwd(of_channels[2 * num_edges], shapes)
    segments = _preferring(of_channels.get(1, []), "segment")
    rows, columns = shapes[heatmaps][-3:-1] if axis == -1 else shapes[heatmaps][-2:]
    body_parts = _preferring(of_channels.get(len(BODY_PARTS), []), "part")
    segment, body_part = (
        names[0] if len(names) == 1 and names[0] not in (heatmaps, short) else None for names in (segments, body_parts)
    )
    return PoseNetNames(heatmaps, short, mid, fwd, bwd, long, segment, body_part, (rows, columns))


def channel_axis(shapes: Shapes, num_parts: int = NUM_PARTS, num_edges: int = NUM_EDGES) -> int | None:
    """Return which axis holds a PoseNet's channels, last or first; None if the outputs are another network's."""
    for axis in (-1, -3):
        channels = [shape[axis] for shape in shapes.values() if len(shape) in (3, 4)]
        displaced = 4 * num_edges in channels or channels.count(2 * num_edges) >= 2
        if num_parts in channels and 2 * num_parts in channels and displaced:
            return axis
    return None


def _preferring(names: list[str], word: str, without: str | None = None) -> list[str]:
    """Return the names that contain `word`, if possible not `without`; all names if none contains it."""
    found = [name for name in names if word in name.lower()] or names
    return [name for name in found if without is None or without not in name.lower()] or found


def _only(what: str, names: list[str], shapes: Shapes) -> str:
    """Return the only name; refuse several."""
    if len(names) > 1:
        raise ModelError(f"which of {listed(shapes)} is {what}? Leave out the other, or name it {what!r}")
    return names[0]


def _short_and_long(names: list[str], shapes: Shapes) -> tuple[str, str | None]:
    """Tell short from long offsets, which have the same number of channels."""
    long = [name for name in names if "long" in name.lower()]
    short = [name for name in names if name not in long]
    if not long and len(names) == 2:
        short = _preferring(names, "short")
        long = [name for name in names if name not in short]
    if len(short) != 1 or len(long) > 1:
        raise ModelError(
            f"which of {listed(shapes)} are the short offsets, which the long ones? "
            "Name them 'short_offsets' and 'long_offsets' in the dict, or use PoseNetFields.from_mid_offsets"
        )
    return short[0], long[0] if long else None


def _fwd_and_bwd(names: list[str], shapes: Shapes) -> tuple[str, str]:
    """Tell forward from backward displacements, which differ only in name."""
    fwd = [name for name in names if "fwd" in name.lower() or "forward" in name.lower()]
    bwd = [name for name in names if "bwd" in name.lower() or "backward" in name.lower()]
    if len(names) == 2 and len(fwd) + len(bwd) == 1:  # the name of one settles both
        fwd = fwd or [name for name in names if name not in bwd]
        bwd = bwd or [name for name in names if name not in fwd]
    if len(fwd) != 1 or len(bwd) != 1 or fwd == bwd:
        raise ModelError(
            f"which of {listed(shapes)} leads forward, which backward? Name them "
            "'displacement_fwd' and 'displacement_bwd' in the dict, or use PoseNetFields.from_displacements"
        )
    return fwd[0], bwd[0]


def listed(shapes: Shapes) -> str:
    """Return names and shapes, for messages."""
    return ", ".join(f"{name!r} {tuple(shape)}" for name, shape in shapes.items()) or "none"
