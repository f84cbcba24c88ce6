"""People, and the parts that none of their peaks gives: where field and heatmap, weak as they are, agree best.

Of the person at hand, `best` (N, 3) holds the WORTH, CELL and SCORE to fill each part with; `planes` (N, H, W) are one
part's scores together, and `is_made` says whether they are there yet.
"""

import math

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.paf.kernels.faces import NEAR, NOSE, apart, has, size_of_face, take_back_faces
from bottomup.paf.kernels.limbs import clamp, far_away
from bottomup.paf.kernels.people import (
    FILLED,
    LIMBS,
    MISSING,
    NUM_PEAKS,
    PEAKS,
    are_disjoint,
    assemble,
    measure,
    merge,
    place_joints,
    rank_people,
    write_people,
)
from bottomup.paf.kernels.refining import real, top_of_parabola
from bottomup.paf.kernels.sorting import sort_best_first

_U = np.uint64  # an index that never counts from the end needs no test for that
_ZERO, _ONE, _NONE = np.int64(0), np.int64(1), np.int64(-1)  # plain ones are types, each compiled for again

# Filling ends after so many lines through a field, and one more for so many elements of the heatmaps. In the time of a
# line, so many cells are copied to a plane, or looked at in a window.
_WORK = np.int64(330_000)
_ELEMENTS_A_LINE = 64
_CELLS_COPIED_A_LINE = 8
_CELLS_SEEN_A_LINE = 16

# Columns of `best`.
WORTH = 0
CELL = 1
SCORE = 2


@kernel
def find_people(
    heat, vectors, part_tables, placing, peaks, limbs, num_limbs, people_space, fill_space, found, people_rules,
    fill_rules,
):  # fmt: skip
    """Join limbs to people, with `fill` give them the parts they miss, rank them and write them; return how many.

    Those with the strongest evidence are filled first, and merge with whom they prove to be. A cell's worth for a part
    is its heatmap score times the field's mean along the edge from a known joint to it, times `owned_factor` beside
    another person's peak, times `chain_factor` from a joint that was itself filled. Workspaces: `best` (N, 3), `planes`
    (N, H, W), `is_made` (N,), and see `assemble`, `rank_people` and `write_people`.
    """
    (heatmaps, _heat_table, _logs, _channels, _heat_height, _heat_width, num_parts) = heat
    (
        pafs, _table, _row_step, _column_step, _height, _width, _ratio_y, _ratio_x, _offset_y, _offset_x, edges,
    ) = vectors  # fmt: skip
    (falloffs, counts_as_part, _is_face, _landmarks) = part_tables
    (_counts, _cells, places) = peaks
    (order, keys, _owner, _used, members, sums, joints, totals, _kept, _boxes) = people_space
    (_best, _planes, is_made, work) = fill_space
    (exclusive, _min_parts, _min_mean, _ranking, _half_size, _half_score, max_overlap) = people_rules
    (
        fill, _samples, _hit_ratio, _lowest, _window, _min_window, _owned_factor, _chain_factor,
    ) = fill_rules  # fmt: skip
    num_people = assemble(edges, peaks, limbs, num_limbs, exclusive, people_space)
    for person in range(num_people):
        place_joints(members, places, person, joints)
        totals[person] = sums[person, PEAKS] + sums[person, LIMBS] if sums[person, NUM_PEAKS] > 0.0 else -1.0
    if fill:
        work[0] = (_WORK + heatmaps.size // _ELEMENTS_A_LINE) // far_away(pafs)
        for part in range(num_parts):
            is_made[part] = 0
        sort_best_first(totals, num_people, order, keys)
        for rank in range(num_people):
            if work[0] < 0:
                break
            person = order[0, rank]
            while 0.0 < sums[person, NUM_PEAKS] < num_parts and fill_person(
                heat, vectors, part_tables, peaks, people_space, fill_space, fill_rules, person
            ):
                place_joints(members, places, person, joints)
            take_back_faces(members, joints, person, part_tables)
    rank_people(num_people, edges.shape[0], counts_as_part, people_rules, people_space)
    return write_people(num_people, falloffs, max_overlap, placing, people_space, found)


@helper
def fill_person(heat, vectors, part_tables, peaks, people_space, fill_space, fill_rules, person):
    """Fill one person; stop and return True as soon as somebody was merged into them."""
    (heatmaps, heat_table, _logs, channels, heat_height, heat_width, _num_parts) = heat
    (
        _pafs, _table, _row_step, _column_step, _height, _width, _ratio_y, _ratio_x, _offset_y, _offset_x, edges,
    ) = vectors  # fmt: skip
    (counts, cells, _places) = peaks
    (_order, _keys, owner, _used, members, sums, joints, _totals, _kept, _boxes) = people_space
    (best, _planes, _is_made, _work) = fill_space
    (
        _fill, _samples, _hit_ratio, _lowest, window, min_window, _owned_factor, _chain_factor,
    ) = fill_rules  # fmt: skip
    height = heat_height
    width = heat_width
    num_parts = members.shape[1]
    for part in range(num_parts):
        best[part, WORTH] = 0.0
        if members[person, part] == FILLED:
            members[person, part] = MISSING
    top, left, bottom, right = measure(members, joints, person, _ZERO)
    reach = max(window * max(bottom - top, right - left), min_window)
    placed = _NONE  # at first, all edges are looked along, then those of the joint just placed
    while True:
        for edge in range(edges.shape[0]):
            if placed < 0 or edges[edge, 0] == placed or edges[edge, 1] == placed:
                look_along(edge, heat, vectors, part_tables, peaks, people_space, fill_space, fill_rules, person, reach)
        part = _NONE
        for other in range(num_parts):
            is_better = part < 0 or best[other, WORTH] > best[part, WORTH]
            if members[person, other] == MISSING and best[other, WORTH] > 0.0 and is_better:
                part = other
        if part < 0:
            return False
        cell = int(best[part, CELL])
        for peak in range(counts[part]):
            rival = owner[part, peak]
            is_another = rival >= 0 and rival != person and are_beside(cells[part, peak], cell, width)
            if is_another and are_disjoint(members, person, rival):
                merge(members, sums, owner, person, rival)
                return True
        row = cell // width
        column = cell - row * width
        members[person, part] = FILLED
        joints[person, part, 0] = row + refine_filled(heatmaps, heat_table, channels, part, cell, row, height, width)
        joints[person, part, 1] = column + refine_filled(
            heatmaps, heat_table, channels, part, cell, column, width, _ONE
        )
        joints[person, part, 2] = best[part, SCORE]
        placed = part


@helper
def look_along(edge, heat, vectors, part_tables, peaks, people_space, fill_space, fill_rules, person, reach):
    """Where a person has one end of an edge, look for the other: all cells at most `reach` from it, down and across.

    Twice: each row's highest cell tells first how much the best is worth at least, so that few cells are left. Eyes and
    ears are not looked for far from the nose, nor beside a peak that another person has.
    """
    (_falloffs, _counts_as_part, is_face, landmarks) = part_tables
    (_heatmaps, _heat_table, _logs, _channels, heat_height, heat_width, _num_parts) = heat
    (
        pafs, table, row_step, column_step, height, width, ratio_y, ratio_x, offset_y, offset_x, edges,
    ) = vectors  # fmt: skip
    (counts, cells, _places) = peaks
    (_order, _keys, owner, _used, members, _sums, joints, _totals, _kept, _boxes) = people_space
    (best, planes, is_made, work) = fill_space
    (
        _fill, samples, hit_ratio, lowest, _window, _min_window, owned_factor, chain_factor,
    ) = fill_rules  # fmt: skip
    parent_part = edges[edge, 0]
    child_part = edges[edge, 1]
    knows_parent = members[person, parent_part] != MISSING
    if knows_parent == (members[person, child_part] != MISSING) or work[0] < 0:
        return
    known = parent_part if knows_parent else child_part
    part = child_part if knows_parent else parent_part
    factor = chain_factor if members[person, known] == FILLED else 1.0
    if not factor > 0.0:
        return
    if not is_made[part]:
        make_plane(heat, part, planes)
        is_made[part] = 1
        work[0] -= heat_height * heat_width // _CELLS_COPIED_A_LINE
    row = joints[person, known, 0]
    column = joints[person, known, 1]
    first_row = max(math.ceil(row - reach), 0)
    last_row = min(int(row + reach), heat_height - 1)
    first_column = max(math.ceil(column - reach), 0)
    last_column = min(int(column + reach), heat_width - 1)
    # The line runs from the known joint; an edge that ends there is read against its direction.
    top = clamp(row * ratio_y + offset_y, height - 1)
    left = clamp(column * ratio_x + offset_x, width - 1)
    sign = 1.0 if knows_parent else -1.0
    limit = np.inf
    nose_row = 0.0
    nose_column = 0.0
    if is_face[part] and has(members, person, landmarks[NOSE]):
        limit = NEAR * size_of_face(members, joints, person, landmarks)
        nose_row = joints[person, landmarks[NOSE], 0]
        nose_column = joints[person, landmarks[NOSE], 1]
    least = best[part, WORTH]
    bound = bound_of(least, factor, lowest)
    window_cells = max(last_row - first_row + 1, 0) * max(last_column - first_column + 1, 0)
    work[0] -= 1 + window_cells // _CELLS_SEEN_A_LINE
    for is_second in range(2):
        for near_row in range(first_row, last_row + 1):
            if not any_at_least(planes, part, near_row, first_column, last_column, bound):
                continue
            from_column = first_column
            to_column = last_column
            if not is_second:
                from_column = to_column = highest(planes, part, near_row, first_column, last_column)
            for near_column in range(from_column, to_column + 1):
                score = planes[_U(part), _U(near_row), _U(near_column)]
                if not score >= bound:
                    continue
                if limit < np.inf and apart(near_row, near_column, nose_row, nose_column) > limit:
                    continue
                bottom = clamp(near_row * ratio_y + offset_y, height - 1)
                right = clamp(near_column * ratio_x + offset_x, width - 1)
                line = (sign, top, left, bottom - top, right - left)
                work[0] -= 1
                mean = mean_along(
                    pafs, table, row_step, column_step, edges[edge, 2], edges[edge, 3], line, samples, hit_ratio
                )
                worth = score * factor * mean
                if not worth > (best[part, WORTH] if is_second else least):
                    continue
                cell = near_row * heat_width + near_column
                for peak in range(counts[part]):
                    rival = owner[part, peak]
                    if rival >= 0 and rival != person and are_beside(cells[part, peak], cell, heat_width):
                        worth = 0.0 if is_face[part] else worth * owned_factor
                        break
                if worth > least:
                    least = worth
                    bound = bound_of(worth, factor, lowest)
                if is_second and worth > best[part, WORTH]:
                    best[part, WORTH] = worth
                    best[part, CELL] = cell
                    best[part, SCORE] = score * mean


@helper
def bound_of(worth, factor, lowest):
    """Return the score below which no cell is worth more, for a field is at most 1; a little less, for rounding."""
    return np.float32(max(worth / factor * 0.999999, lowest))


@helper
def any_at_least(scores, part, row, first, last, bound):
    """Tell whether any score of a row, from column `first` to `last`, reaches a bound."""
    reached = np.int32(0)
    for column in range(_U(first), _U(last + 1)):
        reached += np.int32(scores[_U(part), _U(row), column] >= bound)
    return reached > 0


@helper
def highest(scores, part, row, first, last):
    """Return the column of the highest score of a row, from column `first` to `last`."""
    best = first
    for column in range(first, last + 1):
        if scores[_U(part), _U(row), _U(column)] > scores[_U(part), _U(row), _U(best)]:
            best = column
    return best


@helper
def make_plane(heat, part, scores):
    """Write one part's scores, at most 1, to `scores` (N, H, W), where they lie together."""
    (heatmaps, heat_table, _logs, channels, heat_height, heat_width, _num_parts) = heat
    for row in range(_U(heat_height)):
        first = row * _U(heat_width * channels) + _U(part)
        for column in range(_U(heat_width)):
            score = np.float32(real(heatmaps, heat_table, first + column * _U(channels)))
            scores[_U(part), row, column] = min(score, np.float32(1.0))


@helper
def mean_along(pafs, table, row_step, column_step, x_channel, y_channel, line, samples, hit_ratio):
    """Return the mean of a field's component along a line, where it is above 0, at the nearest cells.

    0 where fewer samples than `hit_ratio` of all are above 0, or the line has no length.
    """
    sign, top, left, down, across = line
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
        value = real(pafs, table, start + x_channel) * x + real(pafs, table, start + y_channel) * y
        is_hit = value > 0.0  # summed, not branched on: half of all samples are noise
        hits += is_hit
        total += min(value, 1.0) if is_hit else 0.0
    return total / samples if hits >= hit_ratio * samples else 0.0


@helper
def are_beside(one, other, width):
    """Tell whether two cells are the same or touch."""
    if abs(one - other) > width + 1:
        return False
    one_row = one // width
    other_row = other // width
    return abs(one_row - other_row) <= 1 and abs((one - one_row * width) - (other - other_row * width)) <= 1


@helper
def refine_filled(heatmaps, heat_table, channels, part, cell, place, size, stride):
    """Return how far from `place`, along one axis, a parabola through its neighbours is highest; 0 at a border."""
    if place == 0 or place == size - 1:
        return 0.0
    return top_of_parabola(
        real(heatmaps, heat_table, (cell - stride) * channels + part),
        real(heatmaps, heat_table, cell * channels + part),
        real(heatmaps, heat_table, (cell + stride) * channels + part),
        1.0,
    )
