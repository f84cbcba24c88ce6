"""Loops of masks: how far each cell is from each pose.

Two rows of the grid are held at a time, each in the line of its parity: row r in line r % 2 of the workspaces.
"""

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import clamp
from bottomup.posenet.kernels.tree import count_parts

_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_CERTAIN = np.float32(88)  # larger logits are cut to it: their score is 1, and infinity times 0 would be NaN
_INFINITE = np.float32(np.inf)
_NEVER = np.float32(-1)  # a squared distance that no step falls short of


@kernel
def weigh(
    keypoints, scores, keypoint_threshold, pose_threshold, by_score, is_mean, output_stride, part_rows, part_columns,
    weights,
):  # fmt: skip
    """Write where the parts of each pose lie, row and column in cells, and what each counts: (N, M) from (M, N, 3).

    A part counts 1, or `by_score` its score, if that is above `keypoint_threshold` and the pose's not below
    `pose_threshold`; for a mean, its share of the total. By score, distances are in sizes of the person: square roots
    of the area of the box around these parts, no side below a cell. A pose without such parts is infinitely far from
    everything.
    """
    for pose in range(scores.size):
        total = _ZERO
        top = left = _INFINITE
        bottom = right = -_INFINITE
        for part in range(keypoints.shape[1]):
            row = keypoints[pose, part, 1] / output_stride
            column = keypoints[pose, part, 0] / output_stride
            score = keypoints[pose, part, 2]
            is_there = abs(row) < _INFINITE and abs(column) < _INFINITE and scores[pose] >= pose_threshold
            counts = is_there and score > keypoint_threshold and score < _INFINITE
            weight = _ZERO
            if counts:
                weight = score if by_score else _ONE
                top = min(top, row)
                bottom = max(bottom, row)
                left = min(left, column)
                right = max(right, column)
            total += weight
            part_rows[part, pose] = row if counts else _ZERO
            part_columns[part, pose] = column if counts else _ZERO
            weights[part, pose] = weight
        if not total > _ZERO:
            part_rows[0, pose] = _INFINITE
            weights[0, pose] = _ONE
            continue
        share = total if is_mean else _ONE
        if by_score:
            share *= np.sqrt(max(bottom - top, _ONE) * max(right - left, _ONE))
        for part in range(keypoints.shape[1]):
            weights[part, pose] /= share


@helper
def measure_row(row, mask_tensors, mask_rules, people, mask_space):
    """Fill the line of a row of cells in `logits`, `winners` (-1 for nobody) and `distances`."""
    (
        long_offsets, long_scale, long_zero, offsets, offset_scale, offset_zero, segments, segment_scale, segment_zero,
        height, width, _output_stride, num_parts,
    ) = mask_tensors  # fmt: skip
    (lowest_segment, long_steps, short_steps, is_rounded, keeps_places, still, is_squared, furthest) = mask_rules
    (part_rows, part_columns, weights) = people
    (logits, winners, distances, places, is_moving, squares) = mask_space
    parts = count_parts(num_parts)
    logits, winners, distances = logits[row % 2], winners[row % 2], distances[row % 2]
    read_logits(row, segments, segment_scale, segment_zero, width, logits)
    for column in range(width):
        winners[column] = -1
        if not logits[column] >= lowest_segment:
            continue
        cell = row * width + column
        for part in range(parts):
            vector = 2 * parts * cell + part
            down = (np.float32(long_offsets[vector]) - long_zero) * long_scale
            right = (np.float32(long_offsets[vector + parts]) - long_zero) * long_scale
            places[part, 0] = np.float32(row) + down
            places[part, 1] = np.float32(column) + right
        squares[:] = _INFINITE
        if is_rounded:
            follow_rounded(places, mask_tensors, long_steps)
        else:
            for part in range(parts):
                places[part, 0] = clamp(places[part, 0], np.float32(height - 1))
                places[part, 1] = clamp(places[part, 1], np.float32(width - 1))
            is_moving[:] = True
            for _ in range(long_steps):
                if keeps_places:
                    approach(places, part_rows, part_columns, squares)
                if not follow(places, is_moving, still, long_offsets, long_scale, long_zero, height, width, num_parts):
                    break
            is_moving[:] = True
            for _ in range(short_steps):
                follow(places, is_moving, _NEVER, offsets, offset_scale, offset_zero, height, width, num_parts)
        approach(places, part_rows, part_columns, squares)
        add_up(squares, weights, is_squared, distances[column])
        nearest = _INFINITE
        for pose in range(weights.shape[1]):
            if distances[column, pose] < nearest:
                nearest = distances[column, pose]
                winners[column] = pose
        if not nearest <= furthest:
            winners[column] = -1
        for pose in range(weights.shape[1]):
            distances[column, pose] = min(distances[column, pose], furthest)


@helper
def read_logits(row, segments, segment_scale, segment_zero, width, logits):
    """Write the person logits of a row of cells to `logits` (width,); 0 for all where `segments` is empty."""
    for column in range(width):
        logit = _ZERO
        if segments.size > 0:
            logit = read_logit(segments, segment_scale, segment_zero, row * width + column)
        logits[column] = logit


@helper
def read_logit(logits, scale, zero, element):
    """Return a logit of a tensor, cut to the range that float32 scores tell apart; NaN is the lowest."""
    logit = (np.float32(logits[element]) - zero) * scale
    return min(logit, _CERTAIN) if logit > -_CERTAIN else -_CERTAIN


@helper
def follow(places, is_moving, still, offsets, offset_scale, offset_zero, height, width, num_parts):
    """Move the places of parts, (N, 2) inside the grid, to where the parts' offsets lead, inside it too.

    Only those marked in `is_moving` (N,) move; one whose squared step is no longer than `still` is unmarked. Return
    whether any is still moving.
    """
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    is_any_moving = False
    for part in range(count_parts(num_parts)):
        if is_moving[part]:
            row = places[part, 0]
            column = places[part, 1]
            down, right = sample_vector(offsets, offset_scale, offset_zero, part, row, column, width, num_parts)
            places[part, 0] = clamp(row + down, last_row)
            places[part, 1] = clamp(column + right, last_column)
            down = places[part, 0] - row
            right = places[part, 1] - column
            is_moving[part] = down * down + right * right > still
            is_any_moving |= is_moving[part]
    return is_any_moving


@helper
def follow_rounded(places, mask_tensors, steps):
    """Move the places of all parts, as tfjs does: offsets are read at whole pixels of the grid, places are free."""
    (
        long_offsets, long_scale, long_zero, _offsets, _offset_scale, _offset_zero, _segments, _segment_scale,
        _segment_zero, height, width, output_stride, num_parts,
    ) = mask_tensors  # fmt: skip
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    for _ in range(steps):
        for part in range(count_parts(num_parts)):
            row = clamp(np.floor(places[part, 0] * output_stride + _HALF) / output_stride, last_row)
            column = clamp(np.floor(places[part, 1] * output_stride + _HALF) / output_stride, last_column)
            down, right = sample_vector(long_offsets, long_scale, long_zero, part, row, column, width, num_parts)
            places[part, 0] += down
            places[part, 1] += right


@helper
def sample_vector(offsets, offset_scale, offset_zero, part, row, column, width, num_parts):
    """Return a part's offset at a place inside the grid, down and right: what two calls of `sample` would give.

    Unsigned indices, whose sign need not be checked, and corners that both share save a quarter of the time.
    """
    parts = count_parts(num_parts)
    top = np.int32(row)
    left = np.int32(column)
    below = row - np.float32(top)
    beside = column - np.float32(left)
    below_step = np.uint64(2 * parts * width) if below > _ZERO else np.uint64(0)
    beside_step = np.uint64(2 * parts) if beside > _ZERO else np.uint64(0)
    first = np.uint64(2 * parts) * (np.uint64(top) * np.uint64(width) + np.uint64(left)) + np.uint64(part)
    second = first + np.uint64(parts)
    down = lerp(offsets, offset_scale, offset_zero, first, below_step, beside_step, below, beside)
    right = lerp(offsets, offset_scale, offset_zero, second, below_step, beside_step, below, beside)
    return down, right


@helper
def lerp(values, scale, zero, first, below_step, beside_step, below, beside):
    """Return the real number between four elements, bilinear."""
    a = (np.float32(values[first]) - zero) * scale
    b = (np.float32(values[first + beside_step]) - zero) * scale
    c = (np.float32(values[first + below_step]) - zero) * scale
    d = (np.float32(values[first + below_step + beside_step]) - zero) * scale
    upper = (_ONE - beside) * a + beside * b
    lower = (_ONE - beside) * c + beside * d
    return (_ONE - below) * upper + below * lower


@helper
def approach(places, part_rows, part_columns, squares):
    """Lower `squares` (N, M) to the squared distances of the places (N, 2) from each pose's parts, (N, M).

    Poses run innermost, so that several are computed at a time.
    """
    for part in range(squares.shape[0]):
        row = places[part, 0]
        column = places[part, 1]
        for pose in range(squares.shape[1]):
            down = row - part_rows[part, pose]
            right = column - part_columns[part, pose]
            squares[part, pose] = min(squares[part, pose], down * down + right * right)


@helper
def add_up(squares, weights, is_squared, distances):
    """Write to `distances` (M,) the weighted sums of the distances, or of their squares, (N, M)."""
    for pose in range(distances.size):
        distances[pose] = _ZERO
    for part in range(squares.shape[0]):
        if is_squared:
            for pose in range(distances.size):
                weight = weights[part, pose]
                distances[pose] += weight * squares[part, pose] if weight > _ZERO else _ZERO
        else:
            for pose in range(distances.size):
                weight = weights[part, pose]
                distances[pose] += weight * np.sqrt(squares[part, pose]) if weight > _ZERO else _ZERO
    for pose in range(distances.size):
        if not distances[pose] < _INFINITE:  # NaN is no distance
            distances[pose] = _INFINITE
