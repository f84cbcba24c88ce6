"""Ranks of scores."""

from bottomup.kernels.jit import helper


@helper
def sort_descending(scores, size, order):
    """Write the indices of the `size` scores to `order`, best first; equal scores keep their order."""
    for index in range(size):
        place = index
        while place > 0 and scores[order[place - 1]] < scores[index]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = index
