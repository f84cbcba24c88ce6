"""Sorting numbers by their scores, best first."""

import numpy as np

from bottomup.kernels.jit import helper

_U = np.uint64  # an index that never counts from the end needs no test for that
_RUN = np.int64(8)  # numbers that are sorted by insertion
_ZERO = np.int64(0)  # a plain 0 is a type of its own, for which what it is passed to is compiled again


@helper
def sort_best_first(scores, size, order, keys):
    """Write the numbers of the `size` scores to `order[0]`, highest first, equal ones by number; no score is NaN.

    Runs are sorted by insertion, then merged; which of two comes first is counted, not branched on, for a branch would
    be guessed wrong every other time. Workspaces of two such rows: `order` and `keys`.
    """
    for index in range(size):
        score = scores[_U(index)]
        place = index
        first = index - index % _RUN
        while place > first and keys[0, _U(place - 1)] < score:
            keys[0, _U(place)] = keys[0, _U(place - 1)]
            order[0, _U(place)] = order[0, _U(place - 1)]
            place -= 1
        keys[0, _U(place)] = score
        order[0, _U(place)] = index
    length = _RUN
    side = _ZERO
    while length < size:
        merge_runs(keys, order, side, size, length)
        side = 1 - side
        length *= 2
    if side == 1:
        for index in range(_U(size)):
            order[0, index] = order[1, index]


@helper
def merge_runs(keys, numbers, side, size, length):
    """Merge every two sorted runs of `length` keys to one, in the other row; of equal keys, those of the first win."""
    side = _U(side)
    new = _U(1) - side
    for start in range(0, size, 2 * length):
        one = start
        middle = min(start + length, size)
        other = middle
        end = min(middle + length, size)
        place = _U(start)
        while one < middle and other < end:
            key = keys[side, _U(one)]
            other_key = keys[side, _U(other)]
            is_other = other_key > key
            keys[new, place] = other_key if is_other else key
            numbers[new, place] = numbers[side, _U(other if is_other else one)]
            other += np.int64(is_other)
            one += 1 - np.int64(is_other)
            place += _U(1)
        while one < middle or other < end:
            index = _U(one if one < middle else other)
            keys[new, place] = keys[side, index]
            numbers[new, place] = numbers[side, index]
            one += 1
            other += np.int64(one > middle)
            place += _U(1)
