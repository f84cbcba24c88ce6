"""Cells for parts that a person lacks, from the person's tag."""

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.tags.kernels.peaks import score_at, tag_at

BLOCK = 64


@helper
def find_filling(tensors, part, person_tag, weight, half_up, searching):
    """Return the cell where `weight` times the rounded distance of its tag, less its score, is least; -1 if none is.

    Of equal cells the first. Half rounds up or to even. `blocks_left` says how many blocks of cells may still be
    looked at; those whose highest score cannot win are not.
    """
    (heatmaps, heat_reals, tags, tag_reals, num_parts, tag_size, height, width, is_negated) = tensors
    (highs, is_known, block_costs, blocks_left) = searching
    num_cells = height * width
    if not is_known[part]:
        find_highs(tensors, part, highs[part])
        is_known[part] = True
    best = np.float32(np.inf)
    cell = np.int64(-1)
    first_tag = person_tag[0]
    for block in range((num_cells + BLOCK - 1) // BLOCK):
        if not -highs[part, block] < best or blocks_left[0] <= 0:
            continue
        blocks_left[0] -= 1
        start = block * BLOCK
        size = min(BLOCK, num_cells - start)
        base = part * num_cells + start
        if tag_size == 1:
            for place in range(size):
                block_costs[place] = abs(tag_at(tags, tag_reals, base + place) - first_tag)
        else:
            for place in range(size):
                total = np.float32(0)
                for number in range(tag_size):
                    index = number * num_parts * num_cells + base + place
                    apart = tag_at(tags, tag_reals, index) - person_tag[number]
                    total += apart * apart
                block_costs[place] = np.sqrt(total)
        for place in range(size):
            apart = block_costs[place]
            rounded = np.floor(apart + np.float32(0.5)) if half_up else np.rint(apart)
            block_costs[place] = rounded * weight - score_at(heatmaps, heat_reals, is_negated, base + place)
        for place in range(size):
            if block_costs[place] < best:
                best = block_costs[place]
                cell = start + place
    return cell


@helper
def find_highs(tensors, part, highs):
    """Write the highest score of each block of cells; NaN is none."""
    (heatmaps, heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, is_negated) = tensors
    num_cells = height * width
    for block in range((num_cells + BLOCK - 1) // BLOCK):
        high = np.float32(-np.inf)
        for index in range(block * BLOCK, min((block + 1) * BLOCK, num_cells)):
            score = score_at(heatmaps, heat_reals, is_negated, part * num_cells + index)
            if score > high:
                high = score
        highs[block] = high
