"""Two binary heaps, step by step as upstream: 8-bit heatmaps tie all the time, and the order of ties decides poses.

Both keep `size` pairs (score, item) in two arrays, and give the highest score first.
"""

import numpy as np

from bottomup.kernels.jit import helper

_U = np.uint64  # unsigned indices cannot count from the end, so numba does not check for it


@helper
def push_std(scores, items, size, score, item):
    """Push as libstdc++'s `std::push_heap` does; the arrays hold `size` pairs before."""
    sift_up_std(scores, items, size, score, item)


@helper
def pop_std(scores, items, size):
    """Pop as libstdc++'s `std::pop_heap` does, leaving `size` - 1 pairs; return the item."""
    best = items[0]
    last = size - 1
    score, item = scores[_U(last)], items[_U(last)]
    hole = 0
    child = 0
    while child < (last - 1) // 2:
        child = 2 * (child + 1)
        child -= np.int64(scores[_U(child)] < scores[_U(child - 1)])  # the processor would often guess a branch wrong
        scores[_U(hole)], items[_U(hole)] = scores[_U(child)], items[_U(child)]
        hole = child
    if last % 2 == 0 and child == (last - 2) // 2:
        child = 2 * (child + 1) - 1
        scores[_U(hole)], items[_U(hole)] = scores[_U(child)], items[_U(child)]
        hole = child
    sift_up_std(scores, items, hole, score, item)
    return best


@helper
def sift_up_std(scores, items, hole, score, item):
    """Move a hole up until `score` may fill it (libstdc++ `__push_heap`)."""
    while hole > 0:
        parent = (hole - 1) // 2
        if not scores[_U(parent)] < score:
            break
        scores[_U(hole)], items[_U(hole)] = scores[_U(parent)], items[_U(parent)]
        hole = parent
    scores[_U(hole)], items[_U(hole)] = score, item


@helper
def push_tfjs(scores, items, size, score, item):
    """Push as tfjs's MaxHeap does: the parent of k is k >> 1, so 0 has one child."""
    scores[size], items[size] = score, item
    place = size
    while place > 0 and scores[place >> 1] < scores[place]:
        swap(scores, items, place, place >> 1)
        place >>= 1


@helper
def pop_tfjs(scores, items, size):
    """Pop as tfjs's MaxHeap does, leaving `size` - 1 pairs; return the item."""
    swap(scores, items, 0, size - 1)
    last = size - 2
    place = 0
    while 2 * place <= last:
        child = 2 * place
        if child < last and scores[child] < scores[child + 1]:
            child += 1
        if not scores[place] < scores[child]:
            break
        swap(scores, items, place, child)
        place = child
    return items[size - 1]


@helper
def swap(scores, items, one, other):
    """Exchange two pairs."""
    scores[one], scores[other] = scores[other], scores[one]
    items[one], items[other] = items[other], items[one]
