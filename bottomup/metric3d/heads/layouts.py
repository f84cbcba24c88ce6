"""Tell heatmaps from volumes, and bring every layout of axes to the one that the kernel takes."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.tensors import Quantized

__all__ = ["Shape", "Volumes", "axis_groups", "find_volumes"]

_AXES = "bhwdp"
_KERNEL_LAYOUTS = (["b", "h", "w", "dp"], ["b", "h", "w", "p"])


class Volumes(NamedTuple):
    """Volumes of N parts, or heatmaps with a depth of 1, as the kernel takes them."""

    values: NDArray[Any]  #: (B, H * W, C), C-contiguous float32 or uint8
    first: int  #: the first of the D * N channels, which are depth-major
    depth: int  #: D
    scale: float  #: real = (value - zero) * scale
    zero: float


class Shape(NamedTuple):
    """The expected sizes of the tensors."""

    layout: str  #: of volumes, as in `Heads.layout`
    grid: int  #: cells along each side
    depth: int  #: D
    num_parts: int  #: N


def axis_groups(layout: Any) -> list[str]:
    """Return the axes of a layout, "bhw(dp)" as ["b", "h", "w", "dp"].

    Raises
    ------
    InputError
        If it is not a layout of volumes.
    """
    groups = []
    if isinstance(layout, str) and re.fullmatch(r"(\([a-z]+\)|[a-z])+", layout):
        groups = [joined or alone for joined, alone in re.findall(r"\(([a-z]+)\)|([a-z])", layout)]
    if sorted("".join(groups)) != sorted(_AXES) or "b" not in groups:
        raise InputError(f'layout must have each of b, h, w, d, p once, b alone, such as "bhw(dp)", got {layout!r}')
    return groups


def find_volumes(outputs: Any, shape: Shape) -> tuple[Volumes | None, Volumes]:
    """Return a network's heatmaps, if there are any, and its volumes.

    Raises
    ------
    InputError
        If the outputs hold no such volumes.
    """
    if isinstance(outputs, Mapping):
        tensors = list(outputs.values())
    else:
        tensors = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    tensors = [tensor if isinstance(tensor, Quantized) else _as_real(tensor) for tensor in tensors]
    groups, flat = axis_groups(shape.layout), shape._replace(depth=1)
    planes = [group.replace("d", "") for group in groups if group != "d"]
    channels = next(place for place, group in enumerate(groups) if "p" in group)
    if sorted(groups[channels]) == ["d", "p"]:
        for tensor in tensors:
            if _fits(tensor, groups, shape, channels, shape.num_parts):
                return _volumes(tensor, planes, flat, channels, 0), _volumes(
                    tensor, groups, shape, channels, shape.num_parts
                )
    volumes = [tensor for tensor in tensors if _fits(tensor, groups, shape)]
    heatmaps = [tensor for tensor in tensors if _fits(tensor, planes, flat)]
    if shape.depth == 1 and len(planes) == len(groups):  # both are of one shape: volumes come last
        heatmaps, volumes = volumes[:-1], volumes[-1:]
    if len(volumes) != 1 or len(heatmaps) > 1:
        given = ", ".join(str(tensor.shape) for tensor in tensors) or "none"
        raise InputError(
            f"outputs must hold volumes of {shape.num_parts} parts, {shape.depth} deep, on {shape.grid} x {shape.grid} "
            f"cells in layout {shape.layout}, and may hold heatmaps, got shapes {given}: change the Heads"
        )
    places = planes.index("p") if "p" in planes else channels
    return (
        _volumes(heatmaps[0], planes, flat, places, 0) if heatmaps else None,
        _volumes(volumes[0], groups, shape, channels, 0),
    )


def _sizes(shape: Shape, count: int) -> dict[str, int]:
    return {"b": count, "h": shape.grid, "w": shape.grid, "d": shape.depth, "p": shape.num_parts}


def _fits(tensor: Any, groups: list[str], shape: Shape, channels: int = 0, more: int = 0) -> bool:
    """Return whether a tensor has that layout, with `more` channels than it needs."""
    if len(tensor.shape) != len(groups):
        return False
    sizes = _sizes(shape, tensor.shape[groups.index("b")])
    wanted = [int(np.prod([sizes[axis] for axis in group])) for group in groups]
    wanted[channels] += more
    return wanted == list(tensor.shape)


def _volumes(tensor: Any, groups: list[str], shape: Shape, channels: int, first: int) -> Volumes:
    """Return the channels of a tensor from `first` on, as the kernel takes them."""
    array, scale, zero = (
        (tensor.values, tensor.scale, tensor.zero_point) if isinstance(tensor, Quantized) else (tensor, 1.0, 0)
    )
    sizes = _sizes(shape, array.shape[groups.index("b")])
    cells, lanes = shape.grid * shape.grid, shape.depth * shape.num_parts
    if groups not in _KERNEL_LAYOUTS:
        count = int(np.prod([sizes[axis] for axis in groups[channels]]))
        array, first = array.take(range(first, first + count), channels), 0
        axes = "".join(groups)
        array = array.reshape([sizes[axis] for axis in axes])
        array = array.transpose([axes.index(axis) for axis in _AXES if axis in axes])
        array = array.reshape(sizes["b"], cells, lanes)
    array = array.reshape(sizes["b"], cells, -1) if array.size else np.empty((0, cells, first + lanes))
    if not isinstance(tensor, Quantized):
        with np.errstate(over="ignore"):  # becomes infinite, which is reported
            return Volumes(_for_kernel(array, np.float32), first, shape.depth, 1.0, 0.0)
    if array.dtype == np.int8:
        array, zero = np.ascontiguousarray(array).view(np.uint8) ^ np.uint8(128), zero + 128
    return Volumes(_for_kernel(array, np.uint8), first, shape.depth, scale, zero)


def _for_kernel(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return an array of the kind that the kernel is compiled for: writeable, though nothing is written."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "WRITEABLE"])


def _as_real(tensor: Any) -> NDArray[Any]:
    """Return a tensor of real numbers, or raise `InputError`."""
    try:
        array = np.asarray(tensor)
    except ValueError as error:
        raise InputError(f"outputs must be arrays of numbers: {error}") from error
    if array.dtype in (np.uint8, np.int8):
        raise InputError(
            f"outputs are {array.dtype}, but levels have no meaning without their scale: "
            "pass bottomup.Quantized(values, scale, zero_point)"
        )
    if array.dtype.kind not in "fiu":
        raise InputError(f"outputs must hold real numbers, got dtype {array.dtype}")
    return array
