"""Loops that the PoseNet decoders share: roots, the walk along the tree, who is near whom."""

import numpy as np

from bottomup.kernels.heaps import push_std
from bottomup.kernels.jit import helper
from bottomup.kernels.peaks import find_peaks
from bottomup.kernels.sampling import clamp, find_corners, read, sample

_PARTS = 17
_EDGES = 16
_U = np.uint64  # an index that never counts from the end needs no test for that
_ONE = np.float32(1)


@helper
def heap_roots(heatmaps, logits, height, width, lowest, radius, flags, words, peaks, heap_scores):
    """Find the roots, heatmap peaks that reach `lowest`, and make them a heap, best first, if they fit; count them."""
    count = find_peaks(heatmaps, height, width, _PARTS, lowest, radius, False, flags, words, peaks)
    if count <= peaks.size:
        for peak in range(count):
            push_std(heap_scores, peaks, peak, read(heatmaps, logits, _ONE, peaks[peak]), peaks[peak])
    return count


@helper
def place_root(pose, root, offsets, offset_table, unit, height, width):
    """Write row and column of the part that heatmap element `root` stands for, moved by its cell's offset."""
    cell = np.uint32(root) // np.uint32(_PARTS)
    part = root - np.int64(cell) * _PARTS
    cell_row = cell // np.uint32(width)
    cell_column = np.int64(cell) - np.int64(cell_row) * width
    vector = 2 * _PARTS * np.int64(cell) + part
    row = np.float32(cell_row) + read(offsets, offset_table, unit, vector)
    column = np.float32(cell_column) + read(offsets, offset_table, unit, vector + _PARTS)
    pose[part, 0] = clamp(row, np.float32(height - 1))
    pose[part, 1] = clamp(column, np.float32(width - 1))


@helper
def trace(pose, walk, cells, refinement_steps):
    """Find row and column of all parts of `pose` (17, 3), from its root along the 16 steps of `walk` (16, 5).

    Parts as far from the root as one another are found side by side: none waits for the other, nor does the processor.
    """
    (
        _heatmaps, _logits, _scores, offsets, offset_table, displacements, fwd_table, bwd_table, unit, height, width,
        _output_stride, _shift_x, _shift_y,
    ) = cells  # fmt: skip
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    first = 0
    while first < _EDGES:
        end = walk[_U(first), 4]
        for step in range(first, end):
            source = _U(walk[_U(step), 0])
            part = _U(walk[_U(step), 1])
            channel = walk[_U(step), 2]
            corners = find_corners(pose[source, 0], pose[source, 1], width)
            if walk[_U(step), 3]:
                down = sample(displacements, bwd_table, unit, 4 * _EDGES, channel, corners)
                right = sample(displacements, bwd_table, unit, 4 * _EDGES, channel + _EDGES, corners)
            else:
                down = sample(displacements, fwd_table, unit, 4 * _EDGES, channel, corners)
                right = sample(displacements, fwd_table, unit, 4 * _EDGES, channel + _EDGES, corners)
            pose[part, 0] = clamp(pose[source, 0] + down, last_row)
            pose[part, 1] = clamp(pose[source, 1] + right, last_column)
        for _ in range(refinement_steps):
            for step in range(first, end):
                part = walk[_U(step), 1]
                row = pose[_U(part), 0]
                column = pose[_U(part), 1]
                corners = find_corners(row, column, width)
                down = sample(offsets, offset_table, unit, 2 * _PARTS, part, corners)
                right = sample(offsets, offset_table, unit, 2 * _PARTS, part + _PARTS, corners)
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
def sort_descending(scores, size, order):
    """Write the indices of the `size` scores to `order`, best first; equal scores keep their order."""
    for index in range(size):
        place = index
        while place > 0 and scores[order[place - 1]] < scores[index]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = index
