"""Limbs: which peaks a part affinity field connects, and how well.

Two frames, both in cells with fractions. Peaks are at (row, column) on the
heatmaps' grid; fields are read on their own, where a place is
row * ratio_y + offset_y, column * ratio_x + offset_x.

Arrays are arguments of their own: to take one out of a tuple counts a
reference, and that costs as much as a sample.
"""

import math

import numpy as np

from bottomup.kernels.jit import kernel


@kernel
def find_limbs(
    pafs, row_step, column_step, scale, zero, height, width, ratio_y, ratio_x, offset_y, offset_x, edges, counts, rows,
    columns, scores, field_rows, field_columns, min_samples, max_samples, threshold, hit_ratio, hits_only, usual_length,
    min_score, touching, touching_score, peak_weight, limb_edges, limb_parents, limb_children, limb_scores, limb_ranks,
):  # fmt: skip
    """List the limbs that the fields support among all pairs of peaks; return how many: arrays hold as many as fit.

    `limb_scores` is what the field says; `limb_ranks` adds what the peaks say, and is what limbs are sorted by.
    Workspaces: `field_rows` and `field_columns` (N, K).
    """
    units = (row_step, column_step, scale, zero, height, width)
    rules = (min_samples, max_samples, threshold, hit_ratio, hits_only)
    for part in range(rows.shape[0]):
        for peak in range(counts[part]):
            field_rows[part, peak] = clamp(rows[part, peak] * ratio_y + offset_y, height - 1)
            field_columns[part, peak] = clamp(columns[part, peak] * ratio_x + offset_x, width - 1)
    count = 0
    for edge in range(edges.shape[0]):
        parent_part = edges[edge, 0]
        child_part = edges[edge, 1]
        x_channel = edges[edge, 2]
        y_channel = edges[edge, 3]
        for parent in range(counts[parent_part]):
            parent_row = rows[parent_part, parent]
            parent_column = columns[parent_part, parent]
            top = field_rows[parent_part, parent]
            left = field_columns[parent_part, parent]
            for child in range(counts[child_part]):
                # The line between the peaks lies inside the field; its direction is not bent by the field's border.
                down = field_rows[child_part, child] - top
                right = field_columns[child_part, child] - left
                along_down = (rows[child_part, child] - parent_row) * ratio_y
                along_right = (columns[child_part, child] - parent_column) * ratio_x
                least = threshold * math.sqrt(along_down * along_down + along_right * along_right)
                # Few wrong pairs have two quarter points whose nearest cells agree; most have neither of the first two.
                at_half = (
                    dot(
                        pafs, units, x_channel, y_channel, top + 0.5 * down, left + 0.5 * right, along_down, along_right
                    )
                    > least
                )
                at_quarter = (
                    dot(
                        pafs,
                        units,
                        x_channel,
                        y_channel,
                        top + 0.25 * down,
                        left + 0.25 * right,
                        along_down,
                        along_right,
                    )
                    > least
                )
                if not (at_half | at_quarter) and touching == 0.0:
                    continue
                votes = int(at_half) + int(at_quarter)
                if votes == 1:
                    row = top + 0.75 * down
                    column = left + 0.75 * right
                    votes += dot(pafs, units, x_channel, y_channel, row, column, along_down, along_right) > least
                score = 0.0
                apart = math.sqrt(
                    (rows[child_part, child] - parent_row) ** 2 + (columns[child_part, child] - parent_column) ** 2
                )
                if votes == 2:
                    line = (top, left, down, right, along_down, along_right)
                    score = mean_of_hits(pafs, units, x_channel, y_channel, line, rules)
                    if score > 0.0:
                        score += min(usual_length / apart - 1.0, 0.0)
                if not score > min_score:
                    if not apart < touching:
                        continue
                    score = touching_score
                if count < limb_edges.size:
                    limb_edges[count] = edge
                    limb_parents[count] = parent
                    limb_children[count] = child
                    limb_scores[count] = score
                    limb_ranks[count] = score + peak_weight * (scores[parent_part, parent] + scores[child_part, child])
                count += 1
    return count


@kernel
def dot(pafs, units, x_channel, y_channel, row, column, along_down, along_right):
    """Return the product of a direction and the vector in the cell nearest to a place."""
    row_step, column_step, scale, zero, _, _ = units
    start = int(row + 0.5) * row_step + int(column + 0.5) * column_step
    return (
        real(pafs, scale, zero, start + x_channel) * along_right
        + real(pafs, scale, zero, start + y_channel) * along_down
    )


@kernel
def mean_of_hits(pafs, units, x_channel, y_channel, line, rules):
    """Sample a field along a limb, bilinear; return the sum of its hits by the number of samples, or of hits.

    A sample is the field's component along the limb, at most 1, and hits where it exceeds `threshold`. Where fewer than
    `hit_ratio` of all hit, or the limb has no length, the mean is 0.
    """
    min_samples, max_samples, threshold, hit_ratio, hits_only = rules
    top, left, down, right, along_down, along_right = line
    length = math.sqrt(along_down * along_down + along_right * along_right)
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
        value = sample_along(pafs, units, x_channel, y_channel, top + part_way * down, left + part_way * right, x, y)
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


@kernel
def sample_along(pafs, units, x_channel, y_channel, row, column, x, y):
    """Return the component along (x, y) of the vector between four cells, bilinear."""
    row_step, column_step, scale, zero, height, width = units
    row = clamp(row, height - 1)
    column = clamp(column, width - 1)
    first_row = int(row)
    first_column = int(column)
    below = row - first_row
    beside = column - first_column
    top_left = first_row * row_step + first_column * column_step
    bottom_left = top_left + (row_step if below > 0.0 else 0)
    next_column = column_step if beside > 0.0 else 0
    across = (
        (1.0 - below)
        * ((1.0 - beside) * real(pafs, scale, zero, top_left + x_channel)
           + beside * real(pafs, scale, zero, top_left + next_column + x_channel))
        + below
        * ((1.0 - beside) * real(pafs, scale, zero, bottom_left + x_channel)
           + beside * real(pafs, scale, zero, bottom_left + next_column + x_channel))
    )  # fmt: skip
    down = (
        (1.0 - below)
        * ((1.0 - beside) * real(pafs, scale, zero, top_left + y_channel)
           + beside * real(pafs, scale, zero, top_left + next_column + y_channel))
        + below
        * ((1.0 - beside) * real(pafs, scale, zero, bottom_left + y_channel)
           + beside * real(pafs, scale, zero, bottom_left + next_column + y_channel))
    )  # fmt: skip
    return across * x + down * y


@kernel
def real(values, scale, zero, index):
    """Return one element's real number."""
    return np.float64((np.float32(values[index]) - zero) * scale)


@kernel
def clamp(value, high):
    """Return `value` inside [0, high]."""
    if not value > 0.0:
        return 0.0
    return value if value < high else np.float64(high)
