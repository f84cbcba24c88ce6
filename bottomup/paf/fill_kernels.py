"""Parts that nobody's peak gives: where field and heatmap, weak as they are, agree best.

Tuples keep what belongs together: `heat` (heatmaps, scale, zero, height, width), `field` (pafs, row step, column step,
scale, zero, height, width), `to_field` (ratio y, ratio x, offset y, offset x), `peaks` (counts, cells, owner), `planes`
(one part's scores together, whether they are there yet), `people` (members, sums, joints) and, of the person at hand,
`best` (worth, cell, score) of every part.
"""

import math

import numpy as np

from bottomup.kernels.jit import kernel
from bottomup.paf.limb_kernels import clamp, real
from bottomup.paf.peak_kernels import half_clamp
from bottomup.paf.people_kernels import (
    FILLED,
    LIMBS,
    MISSING,
    NUM_PEAKS,
    PEAKS,
    are_disjoint,
    measure,
    merge,
    place_joints,
    sort_best_first,
)


@kernel
def fill_people(
    heatmaps, heat_scale, heat_zero, heat_height, heat_width, pafs, row_step, column_step, scale, zero, height, width,
    ratio_y, ratio_x, offset_y, offset_x, edges, counts, cells, rows, columns, scores, owner, members, sums, joints,
    num_people, samples, hit_ratio, lowest, window, min_window, owned_factor, chain_factor, totals, order, best_worths,
    best_cells, best_scores, planes, is_made,
):  # fmt: skip
    """Give everybody the parts they miss, those with the strongest evidence first; merge people who prove to be one.

    A cell's worth for a part is its heatmap score times the field's mean along the edge from a known joint to it, times
    `owned_factor` beside another person's peak, times `chain_factor` from a joint that was itself filled. Workspaces:
    `totals` and `order` (M,); `best_worths`, `best_cells`, `best_scores` and `is_made` (N,); `planes` (N, H, W).
    """
    heat = (heatmaps, heat_scale, heat_zero, heat_height, heat_width)
    field = (pafs, row_step, column_step, scale, zero, height, width)
    to_field = (ratio_y, ratio_x, offset_y, offset_x)
    rules = (samples, hit_ratio, lowest, owned_factor, chain_factor)
    peaks = (counts, cells, owner)
    people = (members, sums, joints)
    best = (best_worths, best_cells, best_scores)
    for part in range(planes.shape[0]):
        is_made[part] = 0
    for person in range(num_people):
        totals[person] = sums[person, PEAKS] + sums[person, LIMBS] if sums[person, NUM_PEAKS] > 0.0 else -1.0
    sort_best_first(totals, num_people, order)
    for rank in range(num_people):
        person = order[rank]
        if 0.0 < sums[person, NUM_PEAKS] < members.shape[1]:
            while fill_person(
                heat, field, to_field, rules, peaks, (planes, is_made), edges, people, person, window, min_window, best
            ):
                place_joints(members, rows, columns, scores, num_people, joints)


@kernel
def fill_person(heat, field, to_field, rules, peaks, planes, edges, people, person, window, min_window, best):
    """Fill one person; stop and return True as soon as somebody was merged into them."""
    counts, cells, owner = peaks
    members, sums, joints = people
    best_worths, best_cells, best_scores = best
    height = heat[3]
    width = heat[4]
    num_parts = members.shape[1]
    for part in range(num_parts):
        best_worths[part] = 0.0
        if members[person, part] == FILLED:
            members[person, part] = MISSING
    extents = measure(members, joints, person, False)
    reach = max(window * max(extents[0], extents[1]), min_window)
    placed = -1  # at first, all edges are looked along, then those of the joint just placed
    while True:
        for edge in range(edges.shape[0]):
            if placed < 0 or edges[edge, 0] == placed or edges[edge, 1] == placed:
                look_along(edge, heat, field, to_field, rules, peaks, planes, edges, people, person, reach, best)
        part = -1
        for other in range(num_parts):
            is_better = part < 0 or best_worths[other] > best_worths[part]
            if members[person, other] == MISSING and best_worths[other] > 0.0 and is_better:
                part = other
        if part < 0:
            return False
        cell = best_cells[part]
        for peak in range(counts[part]):
            rival = owner[part, peak]
            is_another = rival >= 0 and rival != person and are_beside(cells[part, peak], cell, width)
            if is_another and are_disjoint(members, person, rival):
                merge(members, sums, owner, person, rival)
                return True
        row = cell // width
        column = cell - row * width
        members[person, part] = FILLED
        joints[person, part, 0] = row + top_of_parabola(heat, part, cell, row, height, width)
        joints[person, part, 1] = column + top_of_parabola(heat, part, cell, column, width, 1)
        joints[person, part, 2] = best_scores[part]
        placed = part


@kernel
def look_along(edge, heat, field, to_field, rules, peaks, planes, edges, people, person, reach, best):
    """Where a person has one end of an edge, look for the other: all cells at most `reach` from it, down and across."""
    members, _, joints = people
    parent_part = edges[edge, 0]
    child_part = edges[edge, 1]
    knows_parent = members[person, parent_part] != MISSING
    if knows_parent == (members[person, child_part] != MISSING):
        return
    known = parent_part if knows_parent else child_part
    part = child_part if knows_parent else parent_part
    samples, hit_ratio, lowest, owned_factor, chain_factor = rules
    factor = chain_factor if members[person, known] == FILLED else 1.0
    if not factor > 0.0:
        return
    all_scores, is_made = planes
    if not is_made[part]:
        make_plane(heat, part, all_scores)
        is_made[part] = 1
    height = heat[3]
    width = heat[4]
    pafs, row_step, column_step, scale, zero, field_height, field_width = field
    units = (row_step, column_step, scale, zero)
    ratio_y, ratio_x, offset_y, offset_x = to_field
    counts, cells, owner = peaks
    best_worths, best_cells, best_scores = best
    row = joints[person, known, 0]
    column = joints[person, known, 1]
    # The line runs from the known joint; an edge that ends there is read against its direction.
    top = clamp(row * ratio_y + offset_y, field_height - 1)
    left = clamp(column * ratio_x + offset_x, field_width - 1)
    sign = 1.0 if knows_parent else -1.0
    bound = bound_of(best_worths[part], factor, lowest)
    for near_row in range(max(math.ceil(row - reach), 0), min(int(row + reach), height - 1) + 1):
        if not any_at_least(all_scores, part, near_row, bound):
            continue
        for near_column in range(max(math.ceil(column - reach), 0), min(int(column + reach), width - 1) + 1):
            score = all_scores[part, near_row, near_column]
            if not score >= bound:
                continue
            bottom = clamp(near_row * ratio_y + offset_y, field_height - 1)
            right = clamp(near_column * ratio_x + offset_x, field_width - 1)
            mean = mean_along(
                pafs, units, edges[edge, 2], edges[edge, 3], sign, top, left, bottom, right, samples, hit_ratio
            )
            worth = score * factor * mean
            if not worth > best_worths[part]:
                continue
            cell = near_row * width + near_column
            for peak in range(counts[part]):
                is_owned = owner[part, peak] >= 0 and owner[part, peak] != person
                if is_owned and are_beside(cells[part, peak], cell, width):
                    worth = worth * owned_factor
                    break
            if worth > best_worths[part]:
                best_worths[part] = worth
                best_cells[part] = cell
                best_scores[part] = score * mean
                bound = bound_of(worth, factor, lowest)


@kernel
def bound_of(worth, factor, lowest):
    """Return the score below which no cell is worth more, for a field is at most 1; a little less, for rounding."""
    return np.float32(max(worth / factor * 0.999999, lowest))


@kernel
def any_at_least(scores, part, row, bound):
    """Tell whether any score of a row reaches a bound."""
    reached = 0
    for column in range(scores.shape[2]):
        reached += scores[part, row, column] >= bound
    return reached > 0


@kernel
def make_plane(heat, part, scores):
    """Write one part's scores, at most 1, to `scores` (N, H, W), where they lie together."""
    heatmaps, scale, zero, height, width = heat
    for row in range(height):
        for column in range(width):
            score = (np.float32(heatmaps[row * width + column, part]) - zero) * scale
            scores[part, row, column] = min(score, np.float32(1.0))


@kernel
def mean_along(pafs, units, x_channel, y_channel, sign, top, left, bottom, right, samples, hit_ratio):
    """Return the mean of a field's component along a line, where it is above 0, at the nearest cells.

    0 where fewer samples than `hit_ratio` of all are above 0, or the line has no length.
    """
    row_step, column_step, scale, zero = units
    down = bottom - top
    across = right - left
    length = math.sqrt(down * down + across * across)
    if not length > 0.0:
        return 0.0
    x = sign * across / length
    y = sign * down / length
    down = down / (samples - 1)
    across = across / (samples - 1)
    total = 0.0
    hits = 0
    for index in range(samples):
        row = int(top + index * down + 0.5)
        column = int(left + index * across + 0.5)
        start = row * row_step + column * column_step
        value = real(pafs, scale, zero, start + x_channel) * x + real(pafs, scale, zero, start + y_channel) * y
        is_hit = value > 0.0  # summed, not branched on: half of all samples are noise
        hits += is_hit
        total += min(value, 1.0) if is_hit else 0.0
    return total / samples if hits >= hit_ratio * samples else 0.0


@kernel
def are_beside(one, other, width):
    """Tell whether two cells are the same or touch."""
    one_row = one // width
    other_row = other // width
    return abs(one_row - other_row) <= 1 and abs((one - one_row * width) - (other - other_row * width)) <= 1


@kernel
def top_of_parabola(heat, part, cell, place, size, stride):
    """Return how far from `place`, along one axis, a parabola through its neighbours is highest; 0 at a border."""
    heatmaps, scale, zero, _, _ = heat
    if place == 0 or place == size - 1:
        return 0.0
    before = np.float64((np.float32(heatmaps[cell - stride, part]) - zero) * scale)
    centre = np.float64((np.float32(heatmaps[cell, part]) - zero) * scale)
    after = np.float64((np.float32(heatmaps[cell + stride, part]) - zero) * scale)
    curvature = before - 2.0 * centre + after
    return half_clamp(0.5 * (before - after) / curvature) if curvature < 0.0 else 0.0
