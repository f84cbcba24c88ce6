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
from bottomup.paf.kernels.peaks import (
    COLUMN,
    FIELD_COLUMN,
    FIELD_ROW,
    ROW,
    SCORE,
    find_peaks,
    keep_strongest,
    looks_enlarged,
)
from bottomup.paf.kernels.refining import real

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
_A_LITTLE_FEWER = 0.8
_CACHED = 1 << 20  # elements
_WORK_OF_A_PAIR = np.int64(4)  # nanoseconds, about
_WORK_OF_A_CANDIDATE = np.int64(40)
_WORK_OF_A_SAMPLE = np.int64(8)
_WORK_OF_A_LIMB = np.int64(60)  # to be sorted and joined
_NO_LIMIT = np.int64(1) << np.int64(62)
_ZERO = np.int64(0)  # a plain 0 is a type of its own, and types are looked for until none changes


@kernel
def find_limbs(
    heat, vectors, floor, floors, most, peaks, peak_space, limbs, limb_space, limb_rules, may_be_enlarged, most_work
):  # fmt: skip
    """Find the peaks, and list the limbs that the fields support among all pairs of them; return how many.

    For peaks and what they are found with, see `find_peaks`; for limbs, `list_limbs`. Where that would be more than
    `most_work`, in about nanoseconds, the weaker peaks of each part are left out, as many as it takes. Returns -1 if
    maps that `may_be_enlarged` look so.
    """
    (_heatmaps, _heat_table, _logs, _channels, heat_height, _heat_width, num_parts) = heat
    (
        pafs, _table, _row_step, _column_step, height, width, ratio_y, ratio_x, offset_y, offset_x, edges,
    ) = vectors  # fmt: skip
    (counts, _cells, places) = peaks
    find_peaks(heat, floor, floors, most, peaks, peak_space)
    if may_be_enlarged and looks_enlarged(heat, peaks):
        return np.int64(-1)
    for part in range(num_parts):
        for peak in range(counts[part]):
            places[FIELD_ROW, part, peak] = clamp(places[ROW, part, peak] * ratio_y + offset_y, height - 1)
            places[FIELD_COLUMN, part, peak] = clamp(places[COLUMN, part, peak] * ratio_x + offset_x, width - 1)
    # In maps that no cache holds, everything takes longer.
    most_work = most_work // far_away(pafs)
    while True:
        pairs = count_pairs(counts, edges)
        most_pairs = most_work // (2 * _WORK_OF_A_PAIR)
        # A crowd's limbs are short: of too many pairs, those are looked at that are near each other, down or up.
        reach = np.inf if pairs <= most_pairs else 0.5 * heat_height * most_pairs / pairs
        count = list_limbs(vectors, heat_height, reach, peaks, limbs, limb_space, limb_rules, most_work)
        if count >= 0:
            return count
        fewer = fewer_peaks(counts, edges, -count, pairs)
        if fewer == 1:
            most_work = _NO_LIMIT
        for part in range(num_parts):
            if counts[part] > fewer:
                keep_strongest(heat, fewer, part, peaks, peak_space)


@helper
def far_away(pafs):
    """Return how many times as long as in a small map it takes to read here and there in this one."""
    return np.int64(1) + min(max(pafs.size - _CACHED, 0) >> 19, 15)


@helper
def count_pairs(counts, edges):
    """Return how many pairs of peaks edges may join."""
    pairs = _ZERO
    for edge in range(edges.shape[0]):
        pairs += counts[edges[edge, 0]] * counts[edges[edge, 1]]
    return pairs


@helper
def fewer_peaks(counts, edges, pairs_done, pairs):
    """Return how many peaks of each part leave about as many pairs as were done, a little fewer."""
    most = _ZERO
    for edge in range(edges.shape[0]):
        most = max(most, max(counts[edges[edge, 0]], counts[edges[edge, 1]]))
    return max(int(_A_LITTLE_FEWER * most * math.sqrt(min(pairs_done / pairs, 1.0))), 1)


@helper
def list_limbs(vectors, heat_height, reach, peaks, limbs, limb_space, limb_rules, most_work):
    """List the limbs that the fields support among all pairs of peaks; return how many, as many as fit are listed.

    `ends` (L, 3) are edge, parent's and child's peak. `limb_scores` (L,) is what the field says; `limb_ranks` adds what
    the peaks say, and is what limbs are sorted by. `usual_length` is in heights of the picture, 0 for no limit. Pairs
    more than `reach` rows apart are passed over, mostly. As soon as it is to be more than `most_work`, it ends and
    returns minus the number of pairs that would not be. Workspaces, of the children of one parent: `lines` (3, K) and
    `points` (4, K).
    """
    (
        pafs, table, row_step, column_step, height, width, ratio_y, ratio_x, _offset_y, _offset_x, edges,
    ) = vectors  # fmt: skip
    (counts, _cells, places) = peaks
    (ends, limb_scores, limb_ranks) = limbs
    (lines, points) = limb_space
    (
        min_samples, max_samples, threshold, hit_ratio, hits_only, usual_length, min_score, touching, touching_score,
        peak_weight,
    ) = limb_rules  # fmt: skip
    longest = usual_length * heat_height if usual_length > 0.0 else np.inf
    units = (row_step, column_step, height, width)
    sampling = (threshold, hit_ratio, hits_only)
    is_touching = touching > 0.0
    pairs = count_pairs(counts, edges)
    probe = most_work >> 3
    count = _ZERO
    pairs_done = _ZERO
    work = _ZERO
    for edge in range(edges.shape[0]):
        parent_part = _U(edges[edge, 0])
        child_part = _U(edges[edge, 1])
        x_channel = edges[edge, 2]
        y_channel = edges[edge, 3]
        size = counts[child_part]
        first = _ZERO
        last = _ZERO
        for parent in range(_U(counts[parent_part])):
            parent_row = places[ROW, parent_part, parent]
            parent_column = places[COLUMN, parent_part, parent]
            # The line between the peaks lies inside the field; its direction is not bent by the field's border.
            top = places[FIELD_ROW, parent_part, parent]
            left = places[FIELD_COLUMN, parent_part, parent]
            while first < size and places[ROW, child_part, first] < parent_row - reach:
                first += 1
            while last < size and places[ROW, child_part, last] <= parent_row + reach:
                last += 1
            is_too_much = work > most_work or (work > probe and work * (pairs / pairs_done) > most_work)
            if is_too_much and pairs_done > 0:
                return -max(int(pairs_done * (most_work / work)), 1)
            pairs_done += size
            work += _WORK_OF_A_PAIR * max(last - first, 0)
            # What needs no field is reckoned first, in loops so short that many children are side by side in them.
            for child in range(_U(first), _U(max(first, last))):
                lines[DOWN, child] = (places[ROW, child_part, child] - parent_row) * ratio_y
                lines[RIGHT, child] = (places[COLUMN, child_part, child] - parent_column) * ratio_x
            for child in range(_U(first), _U(max(first, last))):
                lines[LEAST, child] = threshold * math.sqrt(
                    lines[DOWN, child] * lines[DOWN, child] + lines[RIGHT, child] * lines[RIGHT, child]
                )
            for child in range(_U(first), _U(max(first, last))):
                down = places[FIELD_ROW, child_part, child] - top
                right = places[FIELD_COLUMN, child_part, child] - left
                points[HALF, child] = nearest(units, top + 0.5 * down, left + 0.5 * right)
                points[QUARTER, child] = nearest(units, top + 0.25 * down, left + 0.25 * right)
            # Few wrong pairs have two quarter points whose nearest cells agree; most have neither of the first two.
            num_candidates = _ZERO
            for child in range(_U(first), _U(max(first, last))):
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
                num_candidates += at_half | at_quarter
                if is_touching and at_half + at_quarter == 0:
                    apart_down = places[ROW, child_part, child] - parent_row
                    apart_right = places[COLUMN, child_part, child] - parent_column
                    apart = math.sqrt(apart_down * apart_down + apart_right * apart_right)
                    num_candidates += np.int64(apart < touching)
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
                if hits == 2 and length > 0.0:
                    samples = min(max(int(length + 0.5), min_samples), max_samples)
                    work += _WORK_OF_A_CANDIDATE + _WORK_OF_A_SAMPLE * samples
                    line = (top, left, down, right, along_down / length, along_right / length, samples)
                    score = mean_of_hits(pafs, table, units, x_channel, y_channel, line, sampling)
                    if score > 0.0:
                        score += min(longest / apart - 1.0, 0.0)
                if not score > min_score:
                    if not apart < touching:
                        continue
                    score = touching_score
                work += _WORK_OF_A_LIMB
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
    `hit_ratio` of all hit, the mean is 0.
    """
    threshold, hit_ratio, hits_only = sampling
    top, left, down, right, y, x, samples = line
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
