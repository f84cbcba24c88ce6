"""Loops of masks: whose the pixels between cells are, and which part of the body they show."""

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.posenet.kernels.owners import measure_row, read_logit, read_logits

_BODY_PARTS = 24
_ZERO = np.float32(0)
_ONE = np.float32(1)
_INFINITE = np.float32(np.inf)
_UNKNOWN, _DISPUTED = -2, -3  # in place of the winner of a square of cells: none yet, several


@kernel
def paint_masks(mask_tensors, mask_rules, people, pixels, mask_space, masks):
    """Set in `masks` (M, h, w) the pixels of each of M poses; pixel (y, x) lies at cell (`rows`[y], `columns`[x]).

    A cell's long offsets lead to a place for each part; up to `long_steps` more follow the long offsets there, until
    one moves it by no more than the square root of `still` cells, and `short_steps` the short ones.
    The pose wins whose parts are nearest to the last places, or with `keeps_places` to the nearest of those before any
    long step and the last: by the weighted sum of the distances, or of their squares; a cell where all are above
    `furthest` is nobody's. Between cells, segments are bilinear. So is each pose's distance, capped at `furthest`, over
    the cells on people alone; a pixel is nobody's if the least of them is above `furthest` times the share of the
    cells that are somebody's. `rows` and `columns` ascend inside the grid. Lengths are in cells. Empty `segments`: all
    cells are on people.
    """
    (rows, _columns, _starts) = pixels
    held_even = -1
    held_odd = -1
    for y in range(rows.size):
        top = int(rows[y])
        below = rows[y] - np.float32(top)
        bottom = top + 1 if below > _ZERO else top
        for row in range(top, bottom + 1):
            if (held_odd if row % 2 else held_even) != row:
                measure_row(row, mask_tensors, mask_rules, people, mask_space)
                if row % 2:
                    held_odd = row
                else:
                    held_even = row
        paint_row(y, top, bottom, below, mask_tensors, mask_rules, pixels, mask_space, masks)


@helper
def paint_row(y, top, bottom, below, mask_tensors, mask_rules, pixels, mask_space, masks):
    """Set the pixels of row `y` of `masks` (M, h, w), which lies `below` cells below row `top` of the grid."""
    (
        _long_offsets, _long_scale, _long_zero, _offsets, _offset_scale, _offset_zero, _segments, _segment_scale,
        _segment_zero, _height, width, _output_stride, _num_parts,
    ) = mask_tensors  # fmt: skip
    (lowest_segment, _long_steps, _short_steps, _is_rounded, _keeps_places, _still, _is_squared, furthest) = mask_rules
    (_rows, columns, starts) = pixels
    (logits, winners, distances, _places, _is_moving, _squares) = mask_space
    logits, logits_below = logits[top % 2], logits[bottom % 2]
    winners, winners_below = winners[top % 2], winners[bottom % 2]
    distances, distances_below = distances[top % 2], distances[bottom % 2]
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
    """Return the pose with the least weighted sum of four cells' distances (M,); -1 if that is above `furthest`."""
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
def paint_parts(part_tensors, lowest_segment, pixels, part_space, parts):
    """Write to `parts` (h, w) the body part with the highest logit at each pixel on people; all logits are bilinear.

    Empty `heatmaps`: the part is always 0. Other pixels are left as they are. The rest is as in
    `paint_masks`.
    """
    (heatmaps, heatmap_scale, heatmap_zero, segments, segment_scale, segment_zero, width) = part_tensors
    (rows, columns, starts) = pixels
    (logits, bests, edges) = part_space
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
