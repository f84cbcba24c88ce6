"""Loops of masks: to whom each cell belongs, and to whom the pixels between cells.

Two rows of the grid are held at a time, each in the line of its parity: row r in line r % 2 of the workspaces.
"""

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import clamp

_PARTS = 17
_BODY_PARTS = 24
_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_CERTAIN = np.float32(88)  # logits beyond it are cut: their score is 1, and infinity times 0 would be NaN
_INFINITE = np.float32(np.inf)
_NEVER = np.float32(-1)  # a squared distance that no step falls short of
_UNKNOWN, _DISPUTED = -2, -3  # winners of a square of cells that are none: of no cell yet, of several


@kernel
def weigh(
    keypoints, scores, keypoint_threshold, pose_threshold, by_score, is_mean, output_stride, part_rows, part_columns,
    weights,
):  # fmt: skip
    """Write where the parts of each pose lie, row and column in cells, and what each counts: (17, M) from (M, 17, 3).

    Parts count 1, or their score, if that is above `keypoint_threshold` and the pose's not below `pose_threshold`; a
    mean counts their share of it. By score, distances are in sizes of the person: square roots of the area of the box
    around these parts, no side below a cell. A pose of no such part is infinitely far from everything.
    """
    for pose in range(scores.size):
        total = _ZERO
        top = left = _INFINITE
        bottom = right = -_INFINITE
        for part in range(_PARTS):
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
        for part in range(_PARTS):
            weights[part, pose] /= share


@kernel
def paint_masks(
    long_offsets, long_scale, long_zero, offsets, offset_scale, offset_zero, segments, segment_scale, segment_zero,
    height, width, output_stride, lowest_segment, long_steps, short_steps, is_rounded, keeps_places, still, part_rows,
    part_columns, weights, is_squared, furthest, rows, columns, starts, logits, winners, distances, places,
    is_moving, squares, masks,
):  # fmt: skip
    """Set in `masks` (M, h, w) the pixels of each of M poses; pixel (y, x) lies at cell (`rows`[y], `columns`[x]).

    A cell's long offsets lead to a place for each part; up to `long_steps` more follow the long offsets there, until
    one moves it by no more than the square root of `still` cells, and `short_steps` the short ones.
    The pose wins whose parts are nearest to the last places, or with `keeps_places` to the nearest of those before any
    long step and the last: by the weighted sum of the 17 distances, or of their squares; a cell where all are above
    `furthest` is nobody's. Between cells, segments are bilinear. So is each pose's distance, cut at `furthest`, over
    the cells on people alone; a pixel is nobody's where the least of them is above `furthest` times the share of the
    cells that are somebody's. Poses are `part_rows`, `part_columns` and `weights`, (17, M), where M may be rounded up
    with poses infinitely far away. Both of `rows` and `columns` ascend inside the grid; `starts` (width + 1,) is where
    the columns of each cell begin. Workspaces of two rows: `logits` and `winners` (2, width), `distances`
    (2, width, M); of a cell: `places` (17, 2), `is_moving` (17,), `squares` (17, M). Lengths are in cells. Empty
    `segments`: all cells are on people.
    """
    held_even = -1
    held_odd = -1
    for y in range(rows.size):
        top = int(rows[y])
        below = rows[y] - np.float32(top)
        bottom = top + 1 if below > _ZERO else top
        for row in range(top, bottom + 1):
            if (held_odd if row % 2 else held_even) != row:
                measure_row(
                    row, long_offsets, long_scale, long_zero, offsets, offset_scale, offset_zero, segments,
                    segment_scale, segment_zero, height, width, output_stride, lowest_segment, long_steps, short_steps,
                    is_rounded, keeps_places, still, part_rows, part_columns, weights, is_squared, furthest,
                    logits[row % 2], winners[row % 2], distances[row % 2], places, is_moving, squares,
                )  # fmt: skip
                if row % 2:
                    held_odd = row
                else:
                    held_even = row
        paint_row(
            y, below, width, lowest_segment, furthest, columns, starts, logits[top % 2], logits[bottom % 2],
            winners[top % 2], winners[bottom % 2], distances[top % 2], distances[bottom % 2], masks,
        )  # fmt: skip


@helper
def measure_row(
    row, long_offsets, long_scale, long_zero, offsets, offset_scale, offset_zero, segments, segment_scale, segment_zero,
    height, width, output_stride, lowest_segment, long_steps, short_steps, is_rounded, keeps_places, still, part_rows,
    part_columns, weights, is_squared, furthest, logits, winners, distances, places, is_moving,
    squares,
):  # fmt: skip
    """Fill `logits` and `winners` (width,) and `distances` (width, M) of a row of cells; nobody is -1."""
    read_logits(row, segments, segment_scale, segment_zero, width, logits)
    for column in range(width):
        winners[column] = -1
        if not logits[column] >= lowest_segment:
            continue
        cell = row * width + column
        for part in range(_PARTS):
            vector = 2 * _PARTS * cell + part
            down = (np.float32(long_offsets[vector]) - long_zero) * long_scale
            right = (np.float32(long_offsets[vector + _PARTS]) - long_zero) * long_scale
            places[part, 0] = np.float32(row) + down
            places[part, 1] = np.float32(column) + right
        squares[:] = _INFINITE
        if is_rounded:
            follow_rounded(places, long_offsets, long_scale, long_zero, height, width, output_stride, long_steps)
        else:
            for part in range(_PARTS):
                places[part, 0] = clamp(places[part, 0], np.float32(height - 1))
                places[part, 1] = clamp(places[part, 1], np.float32(width - 1))
            is_moving[:] = True
            for _ in range(long_steps):
                if keeps_places:
                    approach(places, part_rows, part_columns, squares)
                if not follow(places, is_moving, still, long_offsets, long_scale, long_zero, height, width):
                    break
            is_moving[:] = True
            for _ in range(short_steps):
                follow(places, is_moving, _NEVER, offsets, offset_scale, offset_zero, height, width)
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
    """Return a logit of a tensor, cut to what float32 scores tell apart; NaN is the lowest."""
    logit = (np.float32(logits[element]) - zero) * scale
    return min(logit, _CERTAIN) if logit > -_CERTAIN else -_CERTAIN


@helper
def follow(places, is_moving, still, offsets, offset_scale, offset_zero, height, width):
    """Move the places of parts, (17, 2) inside the grid, to where the parts' offsets lead, inside it too.

    Those alone that are moving, (17,). One that moves by a squared distance of no more than `still` is no longer, from
    the next time on. Tell whether any still is.
    """
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    is_any_moving = False
    for part in range(_PARTS):
        if is_moving[part]:
            row = places[part, 0]
            column = places[part, 1]
            down, right = sample_vector(offsets, offset_scale, offset_zero, part, row, column, width)
            places[part, 0] = clamp(row + down, last_row)
            places[part, 1] = clamp(column + right, last_column)
            down = places[part, 0] - row
            right = places[part, 1] - column
            is_moving[part] = down * down + right * right > still
            is_any_moving |= is_moving[part]
    return is_any_moving


@helper
def follow_rounded(places, offsets, offset_scale, offset_zero, height, width, output_stride, steps):
    """Move the places of all parts, as tfjs does: offsets are read at whole pixels of the grid, places are free."""
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    for _ in range(steps):
        for part in range(_PARTS):
            row = clamp(np.floor(places[part, 0] * output_stride + _HALF) / output_stride, last_row)
            column = clamp(np.floor(places[part, 1] * output_stride + _HALF) / output_stride, last_column)
            down, right = sample_vector(offsets, offset_scale, offset_zero, part, row, column, width)
            places[part, 0] += down
            places[part, 1] += right


@helper
def sample_vector(offsets, offset_scale, offset_zero, part, row, column, width):
    """Return a part's offset at a place inside the grid, down and right: what two calls of `sample` would give.

    Unsigned indices, which need no look at their sign, and corners that both share take a quarter of the time off.
    """
    top = np.int32(row)
    left = np.int32(column)
    below = row - np.float32(top)
    beside = column - np.float32(left)
    below_step = np.uint64(2 * _PARTS * width) if below > _ZERO else np.uint64(0)
    beside_step = np.uint64(2 * _PARTS) if beside > _ZERO else np.uint64(0)
    first = np.uint64(2 * _PARTS) * (np.uint64(top) * np.uint64(width) + np.uint64(left)) + np.uint64(part)
    second = first + np.uint64(_PARTS)
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
    """Lower `squares` (17, M) to the squared distances of the places (17, 2) from each pose's parts, (17, M).

    Poses run innermost, so that several are reckoned at a time.
    """
    for part in range(_PARTS):
        row = places[part, 0]
        column = places[part, 1]
        for pose in range(squares.shape[1]):
            down = row - part_rows[part, pose]
            right = column - part_columns[part, pose]
            squares[part, pose] = min(squares[part, pose], down * down + right * right)


@helper
def add_up(squares, weights, is_squared, distances):
    """Write to `distances` (M,) the weighted sums of the distances, or of their squares, (17, M)."""
    for pose in range(distances.size):
        distances[pose] = _ZERO
    for part in range(_PARTS):
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


@helper
def paint_row(
    y, below, width, lowest_segment, furthest, columns, starts, logits, logits_below, winners, winners_below, distances,
    distances_below, masks,
):  # fmt: skip
    """Set the pixels of row `y` of `masks` (M, h, w), which lies `below` cells below the first of two rows of cells."""
    for column in range(width):
        first = starts[column]
        end = starts[column + 1]
        if first == end:
            continue
        beside = min(column + 1, width - 1)
        is_in = logits[column] >= lowest_segment
        is_in_beside = logits[beside] >= lowest_segment
        is_in_below = logits_below[column] >= lowest_segment
        is_in_across = logits_below[beside] >= lowest_segment
        if not (is_in or is_in_beside or is_in_below or is_in_across):
            continue
        winner = winners[column] if is_in else _UNKNOWN
        for is_there, other in (
            (is_in_beside, winners[beside]),
            (is_in_below, winners_below[column]),
            (is_in_across, winners_below[beside]),
        ):
            if is_there and other != winner:
                winner = other if winner == _UNKNOWN else _DISPUTED
        if winner == -1:
            continue
        if winner >= 0 and is_in and is_in_beside and is_in_below and is_in_across:
            for x in range(first, end):
                masks[winner, y, x] = True
            continue
        left = (_ONE - below) * logits[column] + below * logits_below[column]
        right = (_ONE - below) * logits[beside] + below * logits_below[beside]
        for x in range(first, end):
            along = columns[x] - np.float32(column)
            if not (_ONE - along) * left + along * right >= lowest_segment:
                continue
            pose = winner
            if winner < 0:
                share = (_ONE - below) * (_ONE - along) if is_in else _ZERO
                share_beside = (_ONE - below) * along if is_in_beside else _ZERO
                share_below = below * (_ONE - along) if is_in_below else _ZERO
                share_across = below * along if is_in_across else _ZERO
                owned = share if winners[column] >= 0 else _ZERO
                owned += share_beside if winners[beside] >= 0 else _ZERO
                owned += share_below if winners_below[column] >= 0 else _ZERO
                owned += share_across if winners_below[beside] >= 0 else _ZERO
                pose = nearest_pose(
                    share, share_beside, share_below, share_across, distances[column], distances[beside],
                    distances_below[column], distances_below[beside], furthest * owned,
                )  # fmt: skip
            if pose >= 0:
                masks[pose, y, x] = True


@helper
def nearest_pose(share, share_beside, share_below, share_across, here, beside, below, across, furthest):
    """Return the pose of the least weighted sum of four cells' distances (M,); -1 where that is above `furthest`."""
    nearest = _INFINITE
    winner = -1
    for pose in range(here.size):
        total = _ZERO
        if share > _ZERO:
            total += share * here[pose]
        if share_beside > _ZERO:
            total += share_beside * beside[pose]
        if share_below > _ZERO:
            total += share_below * below[pose]
        if share_across > _ZERO:
            total += share_across * across[pose]
        if total < nearest:
            nearest = total
            winner = pose
    return winner if nearest <= furthest else -1


@kernel
def paint_parts(
    heatmaps, heatmap_scale, heatmap_zero, segments, segment_scale, segment_zero, width, lowest_segment, rows, columns,
    starts, logits, bests, edges, parts,
):  # fmt: skip
    """Write to `parts` (h, w) the body part of the highest logit of each pixel on people; all logits are bilinear.

    Empty `heatmaps`: the part is 0, that of everybody. Other pixels are left as they are. The rest is as in
    `paint_masks`. Workspaces: `logits` and `bests` (2, width), `edges` (2, 24).
    """
    held_even = -1
    held_odd = -1
    for y in range(rows.size):
        top = int(rows[y])
        below = rows[y] - np.float32(top)
        bottom = top + 1 if below > _ZERO else top
        for row in range(top, bottom + 1):
            if (held_odd if row % 2 else held_even) != row:
                read_logits(row, segments, segment_scale, segment_zero, width, logits[row % 2])
                find_best_parts(row, heatmaps, heatmap_scale, heatmap_zero, width, bests[row % 2])
                if row % 2:
                    held_odd = row
                else:
                    held_even = row
        above = logits[top % 2]
        under = logits[bottom % 2]
        for column in range(width):
            first = starts[column]
            end = starts[column + 1]
            beside = min(column + 1, width - 1)
            highest = max(max(above[column], above[beside]), max(under[column], under[beside]))
            if first == end or highest < lowest_segment:
                continue
            left = (_ONE - below) * above[column] + below * under[column]
            right = (_ONE - below) * above[beside] + below * under[beside]
            part = bests[top % 2, column]
            is_one = (
                part == bests[top % 2, beside]
                and part == bests[bottom % 2, column]
                and part == bests[bottom % 2, beside]
            )
            if not is_one:
                for side, near in enumerate((column, beside)):
                    upper = _BODY_PARTS * (top * width + near)
                    lower = _BODY_PARTS * (bottom * width + near)
                    for channel in range(_BODY_PARTS):
                        a = read_logit(heatmaps, heatmap_scale, heatmap_zero, upper + channel)
                        b = read_logit(heatmaps, heatmap_scale, heatmap_zero, lower + channel)
                        edges[side, channel] = (_ONE - below) * a + below * b
            for x in range(first, end):
                along = columns[x] - np.float32(column)
                if (_ONE - along) * left + along * right >= lowest_segment:
                    parts[y, x] = part if is_one else best_part(edges, along)


@helper
def find_best_parts(row, heatmaps, heatmap_scale, heatmap_zero, width, bests):
    """Write the channel of the highest of 24 logits of each cell of a row; the first of equal ones."""
    for column in range(width):
        bests[column] = 0
        highest = -_INFINITE
        for channel in range(_BODY_PARTS if heatmaps.size > 0 else 0):
            element = _BODY_PARTS * (row * width + column) + channel
            logit = read_logit(heatmaps, heatmap_scale, heatmap_zero, element)
            if logit > highest:
                highest = logit
                bests[column] = channel


@helper
def best_part(edges, along):
    """Return the channel of the highest logit between two edges (2, 24); the first of equal ones."""
    highest = -_INFINITE
    best = 0
    for channel in range(_BODY_PARTS):
        logit = (_ONE - along) * edges[0, channel] + along * edges[1, channel]
        if logit > highest:
            highest = logit
            best = channel
    return best
