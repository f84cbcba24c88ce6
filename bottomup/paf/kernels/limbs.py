"""Limbs: which peaks a part affinity field connects, and how well.

Two frames, both in cells with fractions. Peaks are at (row, column) on the
heatmaps' grid; fields are read on their own, where a place is
row * ratio_y + offset_y, column * ratio_x + offset_x.

Arrays are arguments of their own: to take one out of a tuple counts a
reference, and that costs as much as a sample.
"""

import math

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.paf.kernels.peaks import COLUMN, FIELD_COLUMN, FIELD_ROW, ROW, SCORE, find_peaks, real

# Rows of `lines`.
DOWN = 0  # to the child, in cells of the fields
RIGHT = 1
LEAST = 2  # above which product with a vector a point votes

# Rows of `points`.
HALF = 0  # where the cells nearest to two points of the line begin
QUARTER = 1
CHILD = 2  # of those with a vote, or that may touch
VOTES = 3

_U = np.uint64  # an index that never counts from the end needs no test for that
_ZERO = np.int64(0)  # a plain 0 is a type of its own, and types are looked for until none changes


@kernel
def find_limbs(heat, vectors, floor, floors, most, peaks, peak_space, limbs, limb_space, limb_rules):
    """Find the peaks, and list the limbs that the fields support among all pairs of them; return how many.

    For peaks and what they are found with, see `find_peaks`. `ends` (L, 3) are edge, parent's and child's peak: as
    many as fit. `limb_scores` (L,) is what the field says; `limb_ranks` adds what the peaks say,
    and is what limbs are sorted by. `usual_length` is in heights of the picture, 0 for no limit. Workspaces, of the
    children of one parent: `lines` (3, K) and `points` (4, K).
    """
    (_heatmaps, _heat_table, _logs, _channels, heat_height, _heat_width, _num_parts) = heat
    (
        pafs, table, row_step, column_step, height, width, ratio_y, ratio_x, offset_y, offset_x, edges,
    ) = vectors  # fmt: skip
    (counts, _cells, places) = peaks
    (ends, limb_scores, limb_ranks) = limbs
    (lines, points) = limb_space
    (
        min_samples, max_samples, threshold, hit_ratio, hits_only, usual_length, min_score, touching, touching_score,
        peak_weight,
    ) = limb_rules  # fmt: skip
    find_peaks(heat, floor, floors, most, peaks, peak_space)
    longest = usual_length * heat_height if usual_length > 0.0 else np.inf
    units = (row_step, column_step, height, width)
    sampling = (min_samples, max_samples, threshold, hit_ratio, hits_only)
    for part in range(counts.size):
        for peak in range(counts[part]):
            places[FIELD_ROW, part, peak] = clamp(places[ROW, part, peak] * ratio_y + offset_y, height - 1)
            places[FIELD_COLUMN, part, peak] = clamp(places[COLUMN, part, peak] * ratio_x + offset_x, width - 1)
    is_touching = np.int64(touching > 0.0)
    count = _ZERO
    for edge in range(edges.shape[0]):
        parent_part = _U(edges[edge, 0])
        child_part = _U(edges[edge, 1])
        x_channel = edges[edge, 2]
        y_channel = edges[edge, 3]
        size = _U(counts[child_part])
        for parent in range(_U(counts[parent_part])):
            parent_row = places[ROW, parent_part, parent]
            parent_column = places[COLUMN, parent_part, parent]
            # The line between the peaks lies inside the field; its direction is not bent by the field's border.
            top = places[FIELD_ROW, parent_part, parent]
            left = places[FIELD_COLUMN, parent_part, parent]
            # What needs no field is reckoned first, in loops so short that many children are side by side in them.
            for child in range(size):
                lines[DOWN, child] = (places[ROW, child_part, child] - parent_row) * ratio_y
                lines[RIGHT, child] = (places[COLUMN, child_part, child] - parent_column) * ratio_x
            for child in range(size):
                lines[LEAST, child] = threshold * math.sqrt(
                    lines[DOWN, child] * lines[DOWN, child] + lines[RIGHT, child] * lines[RIGHT, child]
                )
            for child in range(size):
                down = places[FIELD_ROW, child_part, child] - top
                right = places[FIELD_COLUMN, child_part, child] - left
                points[HALF, child] = nearest(units, top + 0.5 * down, left + 0.5 * right)
                points[QUARTER, child] = nearest(units, top + 0.25 * down, left + 0.25 * right)
            # Few wrong pairs have two quarter points whose nearest cells agree; most have neither of the first two.
            num_candidates = _ZERO
            for child in range(size):
                least = lines[LEAST, child]
                value = dot(
                    pafs, table, points[HALF, child], x_channel, y_channel, lines[DOWN, child], lines[RIGHT, child]
                )
                at_half = np.int64(value > least)
                value = dot(
                    pafs, table, points[QUARTER, child], x_channel, y_channel, lines[DOWN, child], lines[RIGHT, child]
                )
                at_quarter = np.int64(value > least)
                points[CHILD, _U(num_candidates)] = child
                points[VOTES, _U(num_candidates)] = at_half + at_quarter
                num_candidates += at_half | at_quarter | is_touching
            for candidate in range(_U(num_candidates)):
                child = _U(points[CHILD, candidate])
                down = places[FIELD_ROW, child_part, child] - top
                right = places[FIELD_COLUMN, child_part, child] - left
                apart_down = places[ROW, child_part, child] - parent_row
                apart_right = places[COLUMN, child_part, child] - parent_column
                along_down = lines[DOWN, child]
                along_right = lines[RIGHT, child]
                length = math.sqrt(along_down * along_down + along_right * along_right)
                hits = points[VOTES, candidate]
                if hits == 1:
                    start = nearest(units, top + 0.75 * down, left + 0.75 * right)
                    value = dot(pafs, table, start, x_channel, y_channel, along_down, along_right)
                    hits += np.int64(value > threshold * length)
                score = 0.0
                apart = math.sqrt(apart_down * apart_down + apart_right * apart_right)
                if hits == 2:
                    line = (top, left, down, right, along_down, along_right, length)
                    score = mean_of_hits(pafs, table, units, x_channel, y_channel, line, sampling)
                    if score > 0.0:
                        score += min(longest / apart - 1.0, 0.0)
                if not score > min_score:
                    if not apart < touching:
                        continue
                    score = touching_score
                if count < limb_scores.size:
                    ends[count, 0] = edge
                    ends[count, 1] = parent
                    ends[count, 2] = child
                    limb_scores[count] = score
                    limb_ranks[count] = score + peak_weight * (
                        places[SCORE, parent_part, parent] + places[SCORE, child_part, child]
                    )
                count += 1
    return count


@helper
def nearest(units, row, column):
    """Return where, in the flat field, the cell nearest to a place inside the grid begins."""
    row_step, column_step, _, _ = units
    return int(row + 0.5) * row_step + int(column + 0.5) * column_step


@helper
def dot(pafs, table, start, x_channel, y_channel, along_down, along_right):
    """Return the product of a direction and the vector of the cell that begins at `start`."""
    return real(pafs, table, start + x_channel) * along_right + real(pafs, table, start + y_channel) * along_down


@helper
def mean_of_hits(pafs, table, units, x_channel, y_channel, line, sampling):
    """Sample a field along a limb, bilinear; return the sum of its hits by the number of samples, or of hits.

    A sample is the field's component along the limb, at most 1, and hits where it exceeds `threshold`. Where fewer than
    `hit_ratio` of all hit, or the limb has no length, the mean is 0.
    """
    min_samples, max_samples, threshold, hit_ratio, hits_only = sampling
    top, left, down, right, along_down, along_right, length = line
    if not length > 0.0:
        return 0.0
    samples = min(max(int(length + 0.5), min_samples), max_samples)
    x = along_right / length
    y = along_down / length
    misses_left = samples - math.ceil(hit_ratio * samples - 1e-9)
    total = 0.0
    hits = 0
    for index in range(samples):
        part_way = index / (samples - 1)
        value = sample_along(
            pafs, table, units, x_channel, y_channel, top + part_way * down, left + part_way * right, x, y
        )
        if value > threshold:
            total += value if value < 1.0 else 1.0
            hits += 1
        elif misses_left == 0:
            return 0.0
        else:
            misses_left -= 1
    if hits == 0:
        return 0.0
    return total / (hits if hits_only else samples)


@helper
def sample_along(pafs, table, units, x_channel, y_channel, row, column, x, y):
    """Return the component along (x, y) of the vector between four cells, bilinear."""
    row_step, column_step, height, width = units
    row = clamp(row, height - 1)
    column = clamp(column, width - 1)
    first_row = int(row)
    first_column = int(column)
    below = row - first_row
    beside = column - first_column
    top_left = first_row * row_step + first_column * column_step
    bottom_left = top_left + (row_step if below > 0.0 else 0)
    next_column = column_step if beside > 0.0 else 0
    across = between(pafs, table, top_left + x_channel, bottom_left + x_channel, next_column, below, beside)
    down = between(pafs, table, top_left + y_channel, bottom_left + y_channel, next_column, below, beside)
    return across * x + down * y


@helper
def between(pafs, table, top_left, bottom_left, next_column, below, beside):
    """Return the real number between four elements."""
    top = (1.0 - beside) * real(pafs, table, top_left) + beside * real(pafs, table, top_left + next_column)
    bottom = (1.0 - beside) * real(pafs, table, bottom_left) + beside * real(pafs, table, bottom_left + next_column)
    return (1.0 - below) * top + below * bottom


@helper
def clamp(value, high):
    """Return `value` inside [0, high]."""
    if not value > 0.0:
        return 0.0
    return value if value < high else np.float64(high)
