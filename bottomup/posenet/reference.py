"""The PoseNet decoders, said aloud: pure NumPy, one definition a function, slow and obvious.

Hold your own port against this: `decode(fields, decoder)` answers as
`decoder.decode(fields)` does, to the order of ties. Positions are (row,
column) in cells for libcoral's and our own decoder, (y, x) in input pixels
for tfjs's, as upstream. Single precision where upstream has it.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.checks import Field, Quantized
from bottomup.geometry import cell_to_input
from bottomup.posenet.decoder import PoseNetDecoder
from bottomup.posenet.fields import EDGES, NUM_EDGES, NUM_PARTS, PoseNetFields
from bottomup.posenet.flavours import CoralDecoder, TfjsDecoder
from bottomup.poses import Poses
from bottomup.skeletons import COCO17

Array: TypeAlias = NDArray[Any]
f32 = np.float32


def decode(fields: PoseNetFields, decoder: PoseNetDecoder | CoralDecoder | TfjsDecoder) -> Poses:
    """Return what `decoder.decode(fields)` returns, by the definition.

    Parameters
    ----------
    fields : PoseNetFields
        One image's network outputs.
    decoder : PoseNetDecoder, CoralDecoder or TfjsDecoder
        Which decoder, with which parameters.

    Returns
    -------
    Poses
        In input pixels.
    """
    with np.errstate(all="ignore"):  # whatever the tensors hold
        if isinstance(decoder, CoralDecoder):
            return _decode_coral(fields, decoder)
        if isinstance(decoder, TfjsDecoder):
            return _decode_tfjs_single(fields) if decoder.max_poses == 1 else _decode_tfjs(fields, decoder)
        return _decode_best(fields, decoder)


# --- What the decoders share ---


def find_roots(heatmaps: Array, threshold: Any, radius: int) -> list[tuple[int, int, int]]:
    """List (row, column, part) of the cells that reach `threshold` and that no cell of their window exceeds."""
    roots = []
    for row, column, part in np.argwhere(heatmaps >= threshold).tolist():
        window = heatmaps[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1, part]
        if not (window > heatmaps[row, column, part]).any():
            roots.append((row, column, part))
    return roots


def walk_tree(root: int) -> Iterator[tuple[int, int, int, bool]]:
    """Yield (source, target, edge, whether it is walked from child to parent) from a root part outward."""
    reached = [root]
    for source in reached:
        for edge, (parent, child) in enumerate(EDGES):
            for near, far, is_bwd in ((parent, child, False), (child, parent, True)):
                if source == near and far not in reached:
                    yield source, far, edge, is_bwd
                    reached.append(far)


def is_near(one: Array, other: Array, radius: Any) -> bool:
    """Tell whether two positions lie within `radius` of each other."""
    down, right = one[0] - other[0], one[1] - other[1]
    return bool(down * down + right * right <= radius * radius)


def _taken_parts(pose: Array, better: list[Array], radius: Any) -> list[int]:
    """List the parts that a better pose has within `radius`."""
    return [part for part in range(NUM_PARTS) if any(is_near(pose[part], other[part], radius) for other in better)]


def sigmoid(logit: float) -> Any:
    """Return the single-precision score of a logit."""
    return f32(1) / (f32(1) + f32(math.exp(min(-logit, 88.0))))


def best_first(scores: list[Any]) -> list[int]:
    """Return the order of descending scores; equal ones keep their order."""
    return sorted(range(len(scores)), key=lambda index: -scores[index])


# --- libcoral, and what our own decoder takes from it ---


def _decode_coral(fields: PoseNetFields, decoder: CoralDecoder) -> Poses:
    heatmaps, offsets, displacements, stride = _in_cells(fields)
    radius, threshold = f32(decoder.nms_radius) / stride, f32(decoder.score_threshold)
    lowest = f32(-math.log(1 / (decoder.score_threshold + 1e-6) - 1)) if decoder.score_threshold < 1 else np.inf
    poses: list[Array] = []
    heap = CoralHeap()
    for row, column, part in find_roots(heatmaps, lowest, decoder.local_maximum_radius):
        heap.push(heatmaps[row, column, part], (row, column, part))
    while heap and len(poses) < decoder.max_poses:
        row, column, part = heap.pop()
        position = _follow(np.array([row, column], f32), offsets[row, column, part], offsets)
        if any(is_near(pose[part, :2], position, radius) for pose in poses):
            continue
        pose = _trace(part, position, offsets, displacements, decoder.refinement_steps)
        pose[:, 2] = [sigmoid(_sample(heatmaps[..., part], pose[part])) for part in range(NUM_PARTS)]
        if _mean_score(pose, []) >= threshold:
            poses.append(pose)
    scores: list[Any] = [_mean_score(pose, []) for pose in poses]
    order = best_first(scores)
    for rank, index in enumerate(order):  # soft NMS
        better = [poses[other] for other in order[:rank]]
        taken = [
            part for part in range(NUM_PARTS) if any(is_near(poses[index][part], pose[part], radius) for pose in better)
        ]
        scores[index] = _mean_score(poses[index], taken)
    order = [index for index in best_first(scores) if scores[index] >= threshold]
    return _as_poses([poses[index] for index in order], [scores[index] for index in order], stride)


def _in_cells(fields: PoseNetFields) -> tuple[Array, Array, Array, Any]:
    """Return logits (H, W, 17), offsets (H, W, 17, 2), displacements (H, W, 2, 16, 2) in cells, and the stride."""
    fields = fields.as_logits
    stride = f32(fields.output_stride)
    height, width = fields.grid
    offsets = _scaled(fields.offsets, f32(1) / stride).reshape(height, width, 2, NUM_PARTS)
    both = [_scaled(field, f32(1) / stride) for field in (fields.displacements_fwd, fields.displacements_bwd)]
    displacements = np.stack(both, axis=2).reshape(height, width, 2, 2, NUM_EDGES)
    return _scaled(fields.heatmaps, f32(1)), np.moveaxis(offsets, 2, 3), np.moveaxis(displacements, 3, 4), stride


def _scaled(field: Field, factor: np.float32) -> Array:
    """Return real numbers times `factor`, rounded as libcoral rounds them."""
    if isinstance(field, Quantized):
        return (field.values.astype(f32) - f32(field.zero_point)) * (f32(field.scale) * factor)
    return field * factor


def _trace(root: int, position: Array, offsets: Array, displacements: Array, refinement_steps: int) -> Array:
    """Return a pose (17, 3) of row, column, 0: displacements lead from part to part, offsets refine each."""
    pose = np.zeros((NUM_PARTS, 3), f32)
    pose[root, :2] = position
    for source, target, edge, is_bwd in walk_tree(root):
        vectors = displacements[:, :, int(is_bwd), edge]
        position = _follow(pose[source, :2], _sample(vectors, pose[source]), vectors)
        for _ in range(refinement_steps):
            vector = _sample(offsets[:, :, target], position)
            position = _follow(position, vector, offsets)
        pose[target, :2] = position
    return pose


def _follow(position: Array, vector: Array, grid: Array) -> Array:
    """Return `position` moved by `vector`, kept inside the grid; NaN is 0."""
    moved = position + vector
    last = np.array(grid.shape[:2], f32) - f32(1)
    moved = np.where(moved > 0, moved, f32(0))
    inside: Array = np.where(moved < last, moved, last)
    return inside


def _sample(values: Array, position: Array) -> Any:
    """Return the bilinear value of an (H, W, ...) map at (row, column)."""
    top, left = int(position[0]), int(position[1])
    down, right = position[0] - f32(top), position[1] - f32(left)
    bottom, far = top + int(down > 0), left + int(right > 0)
    upper = (f32(1) - right) * values[top, left] + right * values[top, far]
    lower = (f32(1) - right) * values[bottom, left] + right * values[bottom, far]
    return (f32(1) - down) * upper + down * lower


def _mean_score(pose: Array, taken: list[int]) -> Any:
    """Return the sum of the keypoint scores that are not taken, best first as upstream adds them, over 17."""
    total = f32(0)
    for score in sorted((pose[part, 2] for part in range(NUM_PARTS) if part not in taken), reverse=True):
        total += score
    return total / f32(NUM_PARTS)


def _as_poses(poses: list[Array], scores: list[Any], output_stride: float) -> Poses:
    """Return poses of (row, column, score) as Poses."""
    if not poses:
        return Poses.empty(COCO17)
    keypoints = np.array(poses, np.float64)
    keypoints[..., :2] = cell_to_input(keypoints[..., :2], output_stride)
    keypoints[..., 2] = np.where(keypoints[..., 2] > 0, keypoints[..., 2], 0)
    pixels = keypoints.astype(f32)
    pixels[~np.isfinite(pixels).all(axis=2)] = (np.nan, np.nan, 0)
    return Poses(pixels, np.array(scores, f32), COCO17)


class CoralHeap:
    """A priority queue whose ties come out in libstdc++'s order."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []

    def __len__(self) -> int:
        return len(self.pairs)

    def push(self, score: Any, item: Any) -> None:
        """Add an item (`std::push_heap`)."""
        self.pairs.append((score, item))
        self._sift_up(len(self.pairs) - 1, (score, item))

    def pop(self) -> Any:
        """Remove and return an item of the highest score (`std::pop_heap`)."""
        best, last = self.pairs[0], self.pairs.pop()
        size, hole, child = len(self.pairs), 0, 0
        if size == 0:
            return best[1]
        while child < (size - 1) // 2:
            child = 2 * child + 2
            if self.pairs[child][0] < self.pairs[child - 1][0]:
                child -= 1
            self.pairs[hole], hole = self.pairs[child], child
        if size % 2 == 0 and child == (size - 2) // 2:
            child = 2 * child + 1
            self.pairs[hole], hole = self.pairs[child], child
        self._sift_up(hole, last)
        return best[1]

    def _sift_up(self, hole: int, pair: tuple[Any, Any]) -> None:
        while hole > 0 and self.pairs[(hole - 1) // 2][0] < pair[0]:
            self.pairs[hole], hole = self.pairs[(hole - 1) // 2], (hole - 1) // 2
        self.pairs[hole] = pair


# --- Our own ---


def _decode_best(fields: PoseNetFields, decoder: PoseNetDecoder) -> Poses:
    heatmaps, offsets, displacements, stride = _in_cells(fields)
    radius = f32(decoder.nms_radius) / stride
    poses: list[Array] = []
    densities: list[Array] = []
    heap = CoralHeap()
    for row, column, part in find_roots(heatmaps, _logit(decoder.score_threshold), decoder.local_maximum_radius):
        heap.push(heatmaps[row, column, part], (row, column, part))
    while heap and len(poses) < decoder.max_poses:
        row, column, part = heap.pop()
        position = _follow(np.array([row, column], f32), offsets[row, column, part], offsets)
        if any(is_near(pose[part, :2], position, radius) for pose in poses):
            continue
        pose = _trace(part, position, offsets, displacements, decoder.refinement_steps)
        density = np.zeros(NUM_PARTS, f32)
        for part in range(NUM_PARTS):
            for _ in range(decoder.vote_passes):
                pose[part, :2], density[part] = vote(pose[part, :2], heatmaps[..., part], offsets[:, :, part], decoder)
            pose[part, 2] = sigmoid(_sample(heatmaps[..., part], pose[part]))
        if sum(pose[:, 2], f32(0)) > f32(decoder.min_pose_score) * f32(NUM_PARTS):
            poses.append(pose)
            densities.append(density)
    order = best_first([sum(pose[:, 2], f32(0)) for pose in poses])
    scores: list[Any] = [0.0] * len(poses)
    for rank, index in enumerate(order):
        better = [poses[other] for other in order[:rank]]
        scores[index] = expected_similarity(poses[index], densities[index], better, radius, decoder, stride)
    order = [index for index in best_first(scores) if scores[index] > 0]
    half = f32(3)
    told = [scores[index] / (scores[index] + half) for index in order]
    return _as_poses([poses[index] for index in order], told, stride)


def vote(position: Array, logits: Array, offsets: Array, decoder: PoseNetDecoder) -> tuple[Array, Any]:
    """Return the weighted mean of the places that the 5 x 5 cells around `position` point to, and their density.

    A cell of score p pointing to v weighs p * max(0, 1 - |v - position|^2 / b^2)^2, b being the vote radius.
    """
    squared_reach = f32(decoder.vote_radius) * f32(decoder.vote_radius)
    centre_row, centre_column = int(position[0] + f32(0.5)), int(position[1] + f32(0.5))
    total, weighted = f32(0), np.zeros(2, f32)
    for row in range(max(centre_row - 2, 0), min(centre_row + 3, logits.shape[0])):
        for column in range(max(centre_column - 2, 0), min(centre_column + 3, logits.shape[1])):
            if logits[row, column] >= f32(_logit(decoder.min_vote_score)):
                voted = np.array([row, column], f32) + offsets[row, column]
                down, right = voted - position
                closeness = f32(1) - (down * down + right * right) / squared_reach
                if closeness > 0:
                    weight = sigmoid(logits[row, column]) * closeness * closeness
                    total += weight
                    weighted += weight * voted
    density = total / (f32(np.pi / 3) * squared_reach)
    return (_follow(weighted / total, np.zeros(2, f32), logits) if total > 0 else position), density


def expected_similarity(
    pose: Array, density: Array, better: list[Array], radius: Any, decoder: PoseNetDecoder, stride: Any
) -> Any:
    """Return the mean over free parts of score * density^2 * A k^2 / (A k^2 + e^2); see the kernel of that name."""
    height, width = np.ptp(pose[:, :2], axis=0)
    area = f32(0.64) * height * width
    error = f32(decoder.position_error) / stride
    taken = _taken_parts(pose, better, radius)
    total = f32(0)
    for part, sigma in enumerate(COCO17.sigmas or ()):
        if part not in taken:
            spread = area * f32(4 * sigma**2)
            total += pose[part, 2] * density[part] * density[part] * spread / (spread + error * error)
    return total / f32(NUM_PARTS)


def _logit(score: float) -> float:
    if score <= 0:
        return -np.inf
    return math.log(score / (1 - score)) if score < 1 else np.inf


# --- tfjs ---


def _decode_tfjs(fields: PoseNetFields, decoder: TfjsDecoder) -> Poses:
    scores, offsets, displacements, stride = _in_pixels(fields)
    nearest = _nearest_cell(scores, stride)
    poses: list[Array] = []
    pose_scores: list[float] = []
    heap = TfjsHeap()
    for row, column, part in find_roots(scores, decoder.score_threshold, decoder.local_maximum_radius):
        heap.push(scores[row, column, part], (row, column, part))
    while heap and len(poses) < decoder.max_poses:
        row, column, root = heap.pop()
        pose = np.zeros((NUM_PARTS, 3))
        pose[root] = *(np.array([row, column]) * stride + offsets[row, column, root]), scores[row, column, root]
        if any(is_near(pose[root], other[root], decoder.nms_radius) for other in poses):
            continue
        for source, target, edge, is_bwd in walk_tree(root):
            position = pose[source, :2] + displacements[(*nearest(pose[source]), int(is_bwd), edge)]
            for _ in range(decoder.refinement_steps):
                cell = nearest(position)
                position = np.array(cell) * stride + offsets[(*cell, target)]
            pose[target] = *position, scores[(*nearest(position), target)]
        taken = _taken_parts(pose, poses, decoder.nms_radius)
        valid = np.isfinite(pose.astype(f32)).all(axis=1) & (pose[:, 2] > 0)
        pose_scores.append(sum(pose[part, 2] for part in np.flatnonzero(valid) if part not in taken) / NUM_PARTS)
        poses.append(pose)
    return _as_poses(poses, pose_scores, 1.0)


def _decode_tfjs_single(fields: PoseNetFields) -> Poses:
    scores, offsets, _, stride = _in_pixels(fields)
    if scores.size == 0:
        return Poses.empty(COCO17)
    raw = _scaled(fields.heatmaps, f32(1))
    pose = np.zeros((NUM_PARTS, 3))
    for part in range(NUM_PARTS):
        known = np.where(np.isnan(raw[..., part]), -np.inf, raw[..., part])
        row, column = np.unravel_index(np.argmax(known), known.shape)
        pose[part] = *(np.array([row, column]) * stride + offsets[row, column, part]), scores[row, column, part]
    poses = _as_poses([pose], [0.0], 1.0)
    return Poses(poses.keypoints, poses.keypoint_scores.mean(axis=1), COCO17)


def _in_pixels(fields: PoseNetFields) -> tuple[Array, Array, Array, float]:
    """Return scores (H, W, 17), offsets (H, W, 17, 2), displacements (H, W, 2, 16, 2) in pixels, and the stride."""
    height, width = fields.grid
    heatmaps = _scaled(fields.heatmaps, f32(1))
    scores = f32(1) / (f32(1) + np.exp(-heatmaps)) if fields.logits else heatmaps
    offsets = _scaled(fields.offsets, f32(1)).astype(np.float64).reshape(height, width, 2, NUM_PARTS)
    both = [_scaled(field, f32(1)) for field in (fields.displacements_fwd, fields.displacements_bwd)]
    displacements = np.stack(both, axis=2).astype(np.float64).reshape(height, width, 2, 2, NUM_EDGES)
    return scores, np.moveaxis(offsets, 2, 3), np.moveaxis(displacements, 3, 4), fields.output_stride


def _nearest_cell(grid: Array, stride: float) -> Callable[[Array], tuple[int, int]]:
    """Return the function from a position (y, x) to the cell nearest to it: halves up, inside the grid, NaN is 0."""

    def nearest(position: Array) -> tuple[int, int]:
        cell = np.floor(position[:2] / stride + 0.5)
        row, column = np.minimum(np.where(cell > 0, cell, 0), np.array(grid.shape[:2]) - 1)
        return int(row), int(column)

    return nearest


class TfjsHeap:
    """A priority queue whose ties come out in tfjs's order: the parent of place k is k >> 1."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []

    def __len__(self) -> int:
        return len(self.pairs)

    def push(self, score: Any, item: Any) -> None:
        """Add an item."""
        self.pairs.append((score, item))
        place = len(self.pairs) - 1
        while place > 0 and self._is_less(place >> 1, place):
            self._swap(place >> 1, place)
            place >>= 1

    def pop(self) -> Any:
        """Remove and return an item of the highest score."""
        self._swap(0, len(self.pairs) - 1)
        best = self.pairs.pop()
        place, last = 0, len(self.pairs) - 1
        while 2 * place <= last:
            child = 2 * place
            if child < last and self._is_less(child, child + 1):
                child += 1
            if not self._is_less(place, child):
                break
            self._swap(place, child)
            place = child
        return best[1]

    def _is_less(self, one: int, other: int) -> bool:
        return bool(self.pairs[one][0] < self.pairs[other][0])

    def _swap(self, one: int, other: int) -> None:
        self.pairs[one], self.pairs[other] = self.pairs[other], self.pairs[one]
