"""Batches of fields: a kernel decodes several images of one kind per call.

A thread that returned to Python after each image would wait there for the
other threads longer than the kernel takes.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from bottomup.batch import map_on_threads
from bottomup.errors import InputError
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.roots import as_posenet_fields, lowest_value, put_back, take_room
from bottomup.poses import Poses

__all__ = ["TOGETHER", "Call", "decode_batch"]

TOGETHER = 16  #: images per call
_MOST_POSES = 64  # per image; decoders that look for more decode one image at a time


class Call(NamedTuple):
    """How a kernel is called for several images of one kind."""

    kernel: Callable[..., None]  #: of `kernels.together`
    lowest: float  #: a root's lowest logit
    max_poses: int
    rules: tuple[Any, ...]


def decode_batch(
    decode: Callable[[PoseNetFields], Poses],
    call_for: Callable[[PoseNetFields], Call],
    fields: Iterable[PoseNetFields],
    threads: int,
) -> list[Poses]:
    """Return the poses of every item, in order, on that many threads; `decode` takes those left over."""

    def take(chunk: list[PoseNetFields]) -> list[Poses]:
        if len(chunk) == TOGETHER and _are_of_one_kind(chunk):
            call = call_for(chunk[0])
            together = _decode_together(chunk, call) if call.max_poses <= _MOST_POSES else None
            if together is not None:
                return together
        return [decode(item) for item in chunk]

    if not isinstance(fields, Iterable):
        raise InputError(f"a batch must be several PoseNetFields, such as a list, got {type(fields).__name__}")
    items = list(map(as_posenet_fields, fields))
    chunks = [items[start : start + TOGETHER] for start in range(0, len(items), TOGETHER)]
    return [poses for chunk in map_on_threads(take, chunks, threads) for poses in chunk]


def _are_of_one_kind(chunk: list[PoseNetFields]) -> bool:
    """Tell whether one call will do: logits on one grid, with one element type."""
    kind = chunk[0].kind
    return chunk[0].logits and all(item.kind == kind for item in chunk)


def _decode_together(chunk: list[PoseNetFields], call: Call) -> list[Poses] | None:
    """Return the poses of images of one kind, from one call; None if one of them cannot have a root."""
    kernel, lowest, most, rules = call
    lowest_values = [lowest_value(item.tensors, lowest) for item in chunk]
    if None in lowest_values:
        return None
    reached = np.array(lowest_values)
    images = tuple(item.in_cells for item in chunk)
    skeleton, num_parts = chunk[0].skeleton, len(chunk[0].skeleton.parts)
    counts = np.empty(len(chunk), np.int64)
    keypoints = np.empty((len(chunk), most, num_parts, 3), np.float32)
    scores = np.empty((len(chunk), most), np.float32)
    num_roots = 0
    while True:
        room = take_room(num_parts, chunk[0].grid[1], num_roots, most)
        kernel(images, chunk[0].tree, room.workspace, rules, most, reached, keypoints, scores, counts)
        num_roots = -int(counts.min())
        if num_roots <= 0:
            put_back(room)
            break
    found = zip(counts.tolist(), keypoints, scores, strict=True)
    return [Poses.of_decoder(places[:count], values[:count], skeleton) for count, places, values in found]
