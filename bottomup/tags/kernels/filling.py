"""Cells for parts that a person lacks, from the person's tag."""

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.tags.kernels.peaks import score_at, tag_at

BLOCK = 64
_U = np.uint64
_WHOLE = np.float32(2**23)  # from here on, float32 has whole numbers alone


@helper
def find_filling(tensors, part, person_tag, weight, half_up, searching):
    """Return the cell where `weight` times the rounded distance of its tag, less its score, is least; -1 if none is.

    Of equal cells the first. Half rounds up or to even. `blocks_left` says how many blocks of cells may still be
    looked at; those whose highest score cannot win are not.
    """
    (_heatmaps, _heat_reals, _tags, _tag_reals, _num_parts, tag_size, height, width, _is_negated) = tensors
    (planes, highs, is_known, block_costs, _lines, blocks_left) = searching
    if not is_known[part]:
        find_planes(tensors, part, searching)
    best = np.float32(np.inf)
    cell = np.int64(-1)
    for block in range((height * width + BLOCK - 1) // BLOCK):
        if not -highs[part, block] < best:
            continue
        if blocks_left[0] <= 0:
            break
        blocks_left[0] -= 1
        start = block * BLOCK
        size = min(BLOCK, height * width - start)
        if tag_size == 1:
            for place in range(size):
                block_costs[place] = abs(planes[part, 1, start + place] - person_tag[0])
        else:
            block_costs[:size] = 0
            for number in range(tag_size):
                for place in range(size):
                    apart = planes[part, 1 + number, start + place] - person_tag[number]
                    block_costs[place] += apart * apart
            for place in range(size):
                block_costs[place] = np.sqrt(block_costs[place])
        if half_up:
            for place in range(size):
                rounded = np.floor(block_costs[place] + np.float32(0.5))
                block_costs[place] = rounded * weight - planes[part, 0, start + place]
        else:
            for place in range(size):
                block_costs[place] = half_to_even(block_costs[place]) * weight - planes[part, 0, start + place]
        reached = np.int32(0)
        for place in range(size):  # in this form many cells are compared at once
            reached += np.int32(block_costs[place] < best)
        if reached:
            for place in range(size):
                if block_costs[place] < best:
                    best = block_costs[place]
                    cell = start + place
    return cell


@helper
def half_to_even(value):
    """Return a number of at least 0 rounded as `np.rint` does it, of which many are not rounded side by side."""
    return (value + _WHOLE) - _WHOLE if value < _WHOLE else value


@helper
def find_planes(tensors, part, searching):
    """Write a part's scores and tags as real numbers, and the highest score of each block of cells; NaN is none."""
    (heatmaps, heat_reals, tags, tag_reals, num_parts, tag_size, height, width, is_negated) = tensors
    (planes, highs, is_known, block_costs, _lines, _blocks_left) = searching
    num_cells = height * width
    none = np.float32(-np.inf)
    is_known[part] = True
    plane = planes[part, 0]
    first = _U(part * num_cells)
    for cell in range(_U(num_cells)):
        plane[cell] = score_at(heatmaps, heat_reals, is_negated, first + cell)
    for number in range(tag_size):
        plane = planes[part, 1 + number]
        first = _U((number * num_parts + part) * num_cells)
        for cell in range(_U(num_cells)):
            plane[cell] = tag_at(tags, tag_reals, first + cell)
    for block in range((num_cells + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        size = min(BLOCK, num_cells - start)
        for place in range(size):
            score = planes[part, 0, start + place]
            block_costs[place] = score if score > none else none
        for place in range(size, BLOCK):
            block_costs[place] = none
        half = BLOCK // 2
        while half > 0:  # in this form many cells are compared at once
            for place in range(half):
                other = block_costs[place + half]
                block_costs[place] = block_costs[place] if block_costs[place] > other else other
            half //= 2
        highs[part, block] = block_costs[0]
