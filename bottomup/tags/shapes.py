"""Heatmaps and tags told apart in whatever axes they come, and grids made finer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.tensors import Field, FieldLike, Quantized, as_planes, look_alike

__all__ = ["enlarged", "fine_heatmaps", "told_apart"]


def told_apart(
    heatmaps: FieldLike, tags: FieldLike | None, num_parts: int, name: str = "heatmaps"
) -> tuple[Field, Field]:
    """Return (N, H, W) heatmaps and (L * N, H, W) tags, checked.

    Without `tags`, the first tensor holds both. Channels last is tried first, as everywhere.
    """
    heat = _elements(heatmaps, name)
    if tags is None:
        return _cut(heatmaps, heat, num_parts, name)
    tag = _elements(tags, "tags")
    for axis in (2, 0):
        planes = _planes(_image(heat), axis)
        if planes is not None and len(planes) == num_parts:
            numbers = _tag_planes(tag, planes.shape, axis)
            if numbers is not None:
                return _checked(heatmaps, planes, "heatmaps"), _checked(tags, numbers, "tags")
    raise InputError(
        f"heatmaps must have {num_parts} channels and tags {num_parts} or a multiple, of one grid, both channels last "
        f"or both first, got {heat.shape} and {tag.shape}{_hint(heat.shape, tag.shape)}"
    )


def fine_heatmaps(fine: FieldLike, num_parts: int) -> Field:
    """Return (N, H, W) heatmaps that come without tags, checked."""
    elements = _elements(fine, "fine")
    for axis in (2, 0):
        planes = _planes(_image(elements), axis)
        if planes is not None and len(planes) == num_parts:
            return _checked(fine, planes, "fine")
    raise InputError(f"fine must have {num_parts} channels, the finer heatmaps, got {elements.shape}")


def _cut(maps: FieldLike, elements: NDArray[Any], num_parts: int, name: str) -> tuple[Field, Field]:
    """Return heatmaps and tags of one tensor."""
    for axis in (2, 0):
        planes = _planes(_image(elements), axis)
        if planes is not None and len(planes) >= 2 * num_parts and len(planes) % num_parts == 0:
            heatmaps, tags = planes[:num_parts], planes[num_parts:]
            return _checked(maps, heatmaps, name), _checked(maps, tags, name)
    raise InputError(
        f"{name} must have {2 * num_parts} channels, {num_parts} heatmaps and {num_parts} tags, or a larger multiple "
        f"of {num_parts}, got {elements.shape}{_hint(elements.shape)}"
    )


def _checked(given: FieldLike, planes: NDArray[Any], name: str) -> Field:
    """Return planes of a tensor as kernels take them."""
    if isinstance(given, Quantized):
        return as_planes(Quantized(planes, given.scale, given.zero_point), name)
    return as_planes(planes, name)


def _elements(tensor: FieldLike, name: str) -> NDArray[Any]:
    """Return a tensor's elements, of whatever type."""
    if isinstance(tensor, Quantized):
        return tensor.values
    try:
        return np.asarray(tensor)
    except ValueError as error:  # rows of different length
        raise InputError(f"{name} must be a numeric array of shape (H, W, C): {error}") from error


def _image(elements: NDArray[Any]) -> NDArray[Any]:
    """Return a tensor without the axis of a batch of one."""
    return elements[0] if elements.ndim == 4 and elements.shape[0] == 1 else elements


def _planes(elements: NDArray[Any], axis: int) -> NDArray[Any] | None:
    """Return a tensor with its channels first, a view; None of other ranks."""
    return np.moveaxis(elements, axis, 0) if elements.ndim == 3 else None


def _tag_planes(tags: NDArray[Any], shape: tuple[int, ...], axis: int) -> NDArray[Any] | None:
    """Return tags as (L * N, H, W), all parts of the first number first; None where they do not fit the heatmaps."""
    if tags.ndim == 5 and tags.shape[0] == 1:
        tags = tags[0]
    if tags.ndim == 4:
        num_parts, height, width = shape
        if axis == 2 and tags.shape[:3] == (height, width, num_parts):
            return tags.transpose(3, 2, 0, 1).reshape(tags.shape[3] * num_parts, height, width)
        if axis == 0 and tags.shape[:3] == shape:
            return np.moveaxis(tags, 3, 0).reshape(tags.shape[3] * num_parts, height, width)
        if axis == 0 and tags.shape[1:] == shape:
            return tags.reshape(len(tags) * num_parts, height, width)
    planes = _planes(_image(tags), axis)
    if planes is None or planes.shape[1:] != shape[1:] or len(planes) == 0 or len(planes) % shape[0]:
        return None
    return planes


def _hint(*shapes: tuple[int, ...]) -> str:
    """Return what else such shapes look like, as the end of a message."""
    for shape in shapes:
        if found := look_alike(shape, "TagFields"):
            return found
    channels = {shape[axis] for shape in shapes if len(shape) > 2 for axis in (-1, -3)}
    if {1, 2} & channels:
        return "; it looks like MoveNet's or CenterNet's heads, which CenterFields takes"
    if {32, 64} & channels:
        return "; it looks like vectors along edges, which PoseNetFields takes"
    return ""


def enlarged(field: NDArray[np.float32], grid: Sequence[int]) -> NDArray[np.float32]:
    """Return (C, H, W) planes on a finer grid of the same picture, bilinear, borders repeated."""
    for axis, size in enumerate(grid, start=1):
        places = np.clip((np.arange(size) + 0.5) * (field.shape[axis] / size) - 0.5, 0, field.shape[axis] - 1)
        first = np.floor(places).astype(np.intp)
        second = np.minimum(first + 1, field.shape[axis] - 1)
        weight = (places - first).astype(np.float32).reshape(-1, *(1,) * (2 - axis))
        field = np.take(field, first, axis) * (1 - weight) + np.take(field, second, axis) * weight
    return np.ascontiguousarray(field, np.float32)
