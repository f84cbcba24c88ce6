"""Loops that the PoseNet decoders share: roots, the walk along the tree, which keypoints are near one another."""

from functools import partial

import numpy as np

from bottomup.kernels.heaps import push_std
from bottomup.kernels.jit import helper
from bottomup.kernels.peaks import find_peaks
from bottomup.kernels.sampling import clamp, find_corners, read, sample

_U = np.uint64  # unsigned indices cannot count from the end, so numba does not check for it
_ONE = np.float32(1)
inlined_helper = partial(helper, forceinline=True)  # called with all of `cells` 17 times per pose: copying them is slow
REJECTED = 25  #: patience that a root costs if it is followed and leads to nobody; one near somebody costs 1


@inlined_helper
def count_parts(num_parts):
    """Return the number of parts, N; None stands for COCO's 17, which the compiler then knows."""
    if num_parts is None:
        return 17
    return num_parts


@helper
def heap_roots(cells, num_parts, lowest, radius, workspace):
    """Find the roots, heatmap peaks that reach `lowest`, and if they fit, heap them, best first; return how many."""
    (
        heatmaps, logits, _scores, _offsets, _offset_table, _displacements, _fwd_table, _bwd_table, _unit, height,
        width, _output_stride, _shift_x, _shift_y,
    ) = cells  # fmt: skip
    (flags, words, peaks, heap_scores, _found, _found_scores, _order, _per_keypoint) = workspace
    count = find_peaks(heatmaps, height, width, count_parts(num_parts), lowest, radius, False, flags, words, peaks)
    if count <= peaks.size:
        for peak in range(count):
            push_std(heap_scores, peaks, peak, read(heatmaps, logits, _ONE, peaks[peak]), peaks[peak])
    return count


@inlined_helper
def place_root(pose, root, cells, num_parts):
    """Write row and column of the part that heatmap element `root` stands for, moved by its cell's offset."""
    (
        _heatmaps, _logits, _scores, offsets, offset_table, _displacements, _fwd_table, _bwd_table, unit, height,
        width, _output_stride, _shift_x, _shift_y,
    ) = cells  # fmt: skip
    parts = count_parts(num_parts)
    cell = np.uint32(root) // np.uint32(parts)
    part = root - np.int64(cell) * parts
    cell_row = cell // np.uint32(width)
    cell_column = np.int64(cell) - np.int64(cell_row) * width
    vector = 2 * parts * np.int64(cell) + part
    row = np.float32(cell_row) + read(offsets, offset_table, unit, vector)
    column = np.float32(cell_column) + read(offsets, offset_table, unit, vector + parts)
    pose[part, 0] = clamp(row, np.float32(height - 1))
    pose[part, 1] = clamp(column, np.float32(width - 1))


@inlined_helper
def trace(pose, walk, cells, num_parts, refinement_steps):
    """Find row and column of all parts of `pose` (N, 3), from its root along the steps of `walk` (N - 1, 5).

    Parts equally far from the root are found side by side: none waits for another, nor does the processor.
    """
    (
        _heatmaps, _logits, _scores, offsets, offset_table, displacements, fwd_table, bwd_table, unit, height, width,
        _output_stride, _shift_x, _shift_y,
    ) = cells  # fmt: skip
    parts = count_parts(num_parts)
    edges = parts - 1
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    first = 0
    while first < edges:
        end = walk[_U(first), 4]
        for step in range(first, end):
            source = _U(walk[_U(step), 0])
            part = _U(walk[_U(step), 1])
            channel = walk[_U(step), 2]
            corners = find_corners(pose[source, 0], pose[source, 1], width)
            if walk[_U(step), 3]:
                down = sample(displacements, bwd_table, unit, 4 * edges, channel, corners)
                right = sample(displacements, bwd_table, unit, 4 * edges, channel + edges, corners)
            else:
                down = sample(displacements, fwd_table, unit, 4 * edges, channel, corners)
                right = sample(displacements, fwd_table, unit, 4 * edges, channel + edges, corners)
            pose[part, 0] = clamp(pose[source, 0] + down, last_row)
            pose[part, 1] = clamp(pose[source, 1] + right, last_column)
        for _ in range(refinement_steps):
            for step in range(first, end):
                part = walk[_U(step), 1]
                row = pose[_U(part), 0]
                column = pose[_U(part), 1]
                corners = find_corners(row, column, width)
                down = sample(offsets, offset_table, unit, 2 * parts, part, corners)
                right = sample(offsets, offset_table, unit, 2 * parts, part + parts, corners)
                pose[_U(part), 0] = clamp(row + down, last_row)
                pose[_U(part), 1] = clamp(column + right, last_column)
        first = end


@helper
def is_near_any(found, num_found, part, row, column, squared_radius):
    """Tell whether (row, column) lies within the radius of the same part of any of the poses found."""
    part = _U(part)
    for pose in range(num_found):
        down = found[pose, part, 0] - row
        right = found[pose, part, 1] - column
        if down * down + right * right <= squared_radius:
            return True
    return False


@helper
def is_taken(found, order, rank, part, row, column, squared_radius):
    """Tell whether any of the first `rank` poses in `order` has the same part within the radius of (row, column)."""
    for better in range(rank):
        pose = _U(order[better])
        down = found[pose, part, 0] - row
        right = found[pose, part, 1] - column
        if down * down + right * right <= squared_radius:
            return True
    return False
