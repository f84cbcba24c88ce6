"""Maps that were enlarged: how smooth they are, where their cells change, and the middles of their blocks."""

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.paf.kernels.refining import real

_SEEN = 0.1  # scores from which on a row says how flat its peaks are

# Of `sums`.
SQUARES = 0  # of scores
CHANGES = 1  # squared differences between neighbours
DROPS = 2  # how far both neighbours of a row's peaks are below them
TOPS = 3  # scores of these


@kernel
def look_along(heat, is_down, line_step, sums, changed):
    """Look along every `line_step`-th row, or column if `is_down`: fill `sums` (4,) and where anything changes."""
    (heatmaps, heat_table, _logs, channels, heat_height, heat_width, num_parts) = heat
    row = heat_width * channels
    if is_down:
        for column in range(line_step // 2, heat_width, line_step):
            look_along_line(heatmaps, heat_table, column * channels, heat_height, row, num_parts, sums, changed)
    else:
        for number in range(line_step // 2, heat_height, line_step):
            look_along_line(heatmaps, heat_table, number * row, heat_width, channels, num_parts, sums, changed)


@helper
def look_along_line(heatmaps, heat_table, start, size, step, num_parts, sums, changed):
    """Add what one row or column shows."""
    for place in range(1, size):
        first = start + place * step
        squares = 0.0
        changes = 0.0
        for part in range(num_parts):
            value = real(heatmaps, heat_table, first + part)
            before = real(heatmaps, heat_table, first - step + part)
            if not (-np.inf < value < np.inf and -np.inf < before < np.inf):
                continue
            difference = max(value, 0.0) - max(before, 0.0)
            squares += max(value, 0.0) * max(value, 0.0)
            changes += difference * difference
            if value > _SEEN and value >= before and place < size - 1:
                after = real(heatmaps, heat_table, first + step + part)
                if value > after:
                    sums[DROPS] += (value - before) + (value - after)
                    sums[TOPS] += value
        sums[SQUARES] += squares
        sums[CHANGES] += changes
        if changes > 0.0:
            changed[place] = 1


@kernel
def read_middles(values, table, width, channels, may_use_two, rows, row_shares, columns, column_shares, middles):
    """Write to `middles` (H, W, C) what lies between four cells each, bilinear.

    `rows` (2, H) and `columns` (2, W) are the cells before and behind, the shares those of the latter. Where all four
    count alike, two on a diagonal will do if they `may_use_two`.
    """
    for row in range(rows.shape[1]):
        top = rows[0, row] * width
        bottom = rows[1, row] * width
        below = row_shares[row]
        for column in range(columns.shape[1]):
            left = columns[0, column]
            right = columns[1, column]
            beside = column_shares[column]
            if may_use_two and below == 0.5 and beside == 0.5:
                for channel in range(channels):
                    first = real(values, table, (top + left) * channels + channel)
                    second = real(values, table, (bottom + right) * channels + channel)
                    middles[row, column, channel] = 0.5 * (first + second)
                continue
            for channel in range(channels):
                upper = real(values, table, (top + left) * channels + channel) * (1.0 - beside)
                lower = real(values, table, (bottom + left) * channels + channel) * (1.0 - beside)
                if beside > 0.0:
                    upper += real(values, table, (top + right) * channels + channel) * beside
                    lower += real(values, table, (bottom + right) * channels + channel) * beside
                middles[row, column, channel] = upper if below == 0.0 else upper * (1.0 - below) + lower * below


@kernel
def sharpen(middles, amount, sharpened):
    """Write to `sharpened` (H, W, C) cells and `amount` of how far they lie above each neighbour; borders repeat."""
    height, width, channels = middles.shape
    for row in range(height):
        above = max(row - 1, 0)
        below = min(row + 1, height - 1)
        for column in range(width):
            left = max(column - 1, 0)
            right = min(column + 1, width - 1)
            for channel in range(channels):
                value = middles[row, column, channel]
                around = middles[above, column, channel] + middles[below, column, channel]
                around += middles[row, left, channel] + middles[row, right, channel]
                sharpened[row, column, channel] = value + amount * (np.float32(4.0) * value - around)
