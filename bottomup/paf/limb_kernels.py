"""Limbs: which peaks a part affinity field connects, and how well.

Two frames, both in cells with fractions. Peaks are at (row, column) on the
heatmaps' grid; fields are read on their own, where a place is
row * ratio_y + offset_y, column * ratio_x + offset_x.
"""

import math

import numpy as np

from bottomup.kernels.jit import kernel


@kernel
def find_limbs(
    pafs, row_step, column_step, scale, zero, height, width, ratio_y, ratio_x, offset_y, offset_x, edges, counts, rows,
    columns, scores, min_samples, max_samples, threshold, hit_ratio, hits_only, usual_length, min_score, touching,
    touching_score, peak_weight, limb_edges, limb_parents, limb_children, limb_scores, limb_ranks,
):  # fmt: skip
    """List the limbs that the fields support among all pairs of peaks; return how many: arrays hold as many as fit.

    `limb_scores` is what the field says; `limb_ranks` adds what the peaks say, and is what limbs are sorted by.
    """
    field = (pafs, row_step, column_step, scale, zero, height, width)
    count = 0
    for edge in range(edges.shape[0]):
        parent_part = edges[edge, 0]
        child_part = edges[edge, 1]
        x_channel = edges[edge, 2]
        y_channel = edges[edge, 3]
        for parent in range(counts[parent_part]):
            parent_row = rows[parent_part, parent]
            parent_column = columns[parent_part, parent]
            top = parent_row * ratio_y + offset_y
            left = parent_column * ratio_x + offset_x
            for child in range(counts[child_part]):
                child_row = rows[child_part, child]
                child_column = columns[child_part, child]
                down = (child_row - parent_row) * ratio_y
                right = (child_column - parent_column) * ratio_x
                apart = math.sqrt((child_row - parent_row) ** 2 + (child_column - parent_column) ** 2)
                score = 0.0
                if two_of_three_agree(field, x_channel, y_channel, top, left, down, right, threshold):
                    total, hits, samples = integrate(
                        field,
                        x_channel,
                        y_channel,
                        top,
                        left,
                        down,
                        right,
                        min_samples,
                        max_samples,
                        threshold,
                        hit_ratio,
                    )
                    if hits > 0:
                        score = total / (hits if hits_only else samples) + min(usual_length / apart - 1.0, 0.0)
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
def two_of_three_agree(field, x_channel, y_channel, top, left, down, right, threshold):
    """Tell whether the nearest cells to two of the three quarter points lie along the limb: few wrong pairs pass."""
    pafs, row_step, column_step, scale, zero, height, width = field
    least = threshold * math.sqrt(down * down + right * right)
    votes = 0
    for place in range(3):
        part_way = 0.5 if place == 0 else (0.25 if place == 1 else 0.75)
        row = int(clamp(top + part_way * down, height - 1) + 0.5)
        column = int(clamp(left + part_way * right, width - 1) + 0.5)
        start = row * row_step + column * column_step
        x = np.float64((np.float32(pafs[start + x_channel]) - zero) * scale)
        y = np.float64((np.float32(pafs[start + y_channel]) - zero) * scale)
        if x * right + y * down > least:
            votes += 1
        if votes == 2 or votes < place:
            return votes == 2
    return False


@kernel
def integrate(field, x_channel, y_channel, top, left, down, right, min_samples, max_samples, threshold, hit_ratio):
    """Sample a field along a limb; return the sum of its hits, how many hit and of how many samples.

    A sample is the field's component along the limb, at most 1, and hits where it exceeds `threshold`. Where fewer than
    `hit_ratio` of all hit, or the limb has no length, the sum and the hits are 0.
    """
    length = math.sqrt(down * down + right * right)
    samples = min(max(int(length + 0.5), min_samples), max_samples)
    if not length > 0.0:
        return 0.0, 0, samples
    x = right / length
    y = down / length
    misses_left = samples - math.ceil(hit_ratio * samples - 1e-9)
    total = 0.0
    hits = 0
    for index in range(samples):
        part_way = index / (samples - 1)
        value = sample_along(field, x_channel, y_channel, top + part_way * down, left + part_way * right, x, y)
        if value > threshold:
            total += value if value < 1.0 else 1.0
            hits += 1
        elif misses_left == 0:
            return 0.0, 0, samples
        else:
            misses_left -= 1
    return total, hits, samples


@kernel
def sample_along(field, x_channel, y_channel, row, column, x, y):
    """Return the component along (x, y) of the vector between four cells, bilinear."""
    pafs, row_step, column_step, scale, zero, height, width = field
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
