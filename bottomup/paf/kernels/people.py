"""People: limbs that share peaks, best first; then which of them to believe, and how much."""

import math

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.paf.kernels.peaks import SCORE
from bottomup.paf.kernels.sorting import sort_best_first

FILLED = -1  # in `members`: a guessed part, no peak
MISSING = -2  # this person has no such part

# Columns of `sums`.
PEAKS = 0  # sum of the scores of peaks
LIMBS = 1  # sum of the scores of limbs
NUM_PEAKS = 2  # 0 of a person who was merged into another
NUM_LIMBS = 3

_U = np.uint64  # an index that never counts from the end needs no test for that
_STEEPNESS = 3.0  # of the probability of being right, over evidence; fitted
_ZERO = np.int64(0)  # a plain 0 is a type of its own, for which what it is passed to is compiled again
_FILLED = np.int64(FILLED)
_MOST_COMPARED = np.int64(1 << 21)  # pairs of people
_FAR = 20.0  # from here on, exp(-distance) is 0
_SURELY_FAR = 20.001  # the same of boxes, whatever was rounded


@helper
def assemble(edges, peaks, limbs, num_limbs, exclusive, people_space):
    """Join limbs to people, best first; return how many there are, of which some were merged away.

    `members` (M, N) holds the number of each part's peak, or MISSING. A limb between nobody's peaks begins a person;
    one that ends in a free peak extends one; one between two people merges them if they have no part in common and the
    edge is not redundant. A peak serves one limb of an edge: the first that was taken, or with `exclusive` the first
    that came. Workspaces: `owner` (N, K), `used` (E, 2, K), and those of sorting, (2, L).
    """
    (counts, _cells, places) = peaks
    (ends, limb_scores, limb_ranks) = limbs
    (order, keys, owner, used, members, sums, _joints, _totals, _kept, _boxes) = people_space
    num_parts = members.shape[1]
    for part in range(num_parts):
        for peak in range(counts[part]):
            owner[part, peak] = -1
    for edge in range(edges.shape[0]):
        for end in range(2):
            for peak in range(counts[edges[edge, end]]):
                used[edge, end, peak] = 0
    sort_best_first(limb_ranks, num_limbs, order, keys)
    num_people = _ZERO
    for rank in range(_U(num_limbs)):
        limb = _U(order[0, rank])
        edge = _U(ends[limb, 0])
        parent = _U(ends[limb, 1])
        child = _U(ends[limb, 2])
        if used[edge, 0, parent] | used[edge, 1, child]:
            continue
        parent_part = _U(edges[edge, 0])
        child_part = _U(edges[edge, 1])
        one = owner[parent_part, parent]
        other = owner[child_part, child]
        taken = True
        if one < 0 and other < 0:
            person = num_people
            num_people += 1
            for part in range(num_parts):
                members[person, part] = MISSING
            for column in range(4):
                sums[person, column] = 0.0
            join(members, sums, owner, places, person, parent_part, parent)
            join(members, sums, owner, places, person, child_part, child)
        elif one == other:
            person = one
        elif other < 0:
            person = one
            taken = members[person, child_part] == MISSING
            if taken:
                join(members, sums, owner, places, person, child_part, child)
        elif one < 0:
            person = other
            taken = members[person, parent_part] == MISSING
            if taken:
                join(members, sums, owner, places, person, parent_part, parent)
        else:
            person = min(one, other)
            taken = not edges[edge, 4] and are_disjoint(members, one, other)
            if taken:
                merge(members, sums, owner, person, max(one, other))
        if taken:
            sums[person, LIMBS] += limb_scores[limb]
            sums[person, NUM_LIMBS] += 1.0
        if taken or exclusive:
            used[edge, 0, parent] = 1
            used[edge, 1, child] = 1
    return num_people


@helper
def join(members, sums, owner, places, person, part, peak):
    """Give a person a peak."""
    members[person, part] = peak
    owner[part, peak] = person
    sums[person, PEAKS] += places[SCORE, part, peak]
    sums[person, NUM_PEAKS] += 1.0


@helper
def are_disjoint(members, one, other):
    """Tell whether two people have no part in common; guessed parts do not count."""
    shared = 0
    for part in range(members.shape[1]):
        shared += members[one, part] >= 0 and members[other, part] >= 0
    return shared == 0


@helper
def merge(members, sums, owner, person, other):
    """Give a person all that another has, who is then nobody."""
    for part in range(members.shape[1]):
        peak = members[other, part]
        if peak >= 0:
            members[person, part] = peak
            owner[part, peak] = person
        members[other, part] = MISSING
    for column in range(4):
        sums[person, column] += sums[other, column]
        sums[other, column] = 0.0


@helper
def place_joints(members, places, person, joints):
    """Write row, column and score of every peak of a person to `joints` (M, N, 3)."""
    for part in range(members.shape[1]):
        peak = members[person, part]
        if peak >= 0:
            for number in range(3):
                joints[person, part, number] = places[number, part, peak]


@helper
def measure(members, joints, person, lowest):
    """Return top, left, bottom and right, in cells, of the box around joints; `lowest` is 0 for peaks, or FILLED."""
    top = np.inf
    left = np.inf
    bottom = -np.inf
    right = -np.inf
    for part in range(members.shape[1]):
        if members[person, part] >= lowest:
            top = min(top, joints[person, part, 0])
            bottom = max(bottom, joints[person, part, 0])
            left = min(left, joints[person, part, 1])
            right = max(right, joints[person, part, 1])
    return top, left, bottom, right


@helper
def rank_people(num_people, num_edges, counts_as_part, people_rules, people_space):
    """Write the score of every person to `totals` (M,), -1 of those who are not to be believed."""
    (_exclusive, min_parts, min_mean, ranking, half_size, half_score, _max_overlap) = people_rules
    (_order, _keys, _owner, _used, members, sums, joints, totals, _kept, _boxes) = people_space
    num_parts = members.shape[1]
    fewest = _ZERO  # no person has more parts than there are
    for part in range(num_parts):
        fewest += np.int64(counts_as_part[part])
    fewest = min(fewest, min_parts)
    for person in range(num_people):
        totals[person] = -1.0
        parts = 0
        for part in range(num_parts):
            if members[person, part] >= 0 and counts_as_part[part]:
                parts += 1
        if parts == 0 or parts < fewest:
            continue
        evidence = sums[person, PEAKS] + sums[person, LIMBS]
        num_peaks = sums[person, NUM_PEAKS]
        if evidence < min_mean * num_peaks:
            continue
        if ranking == 0:
            top, left, bottom, right = measure(members, joints, person, _ZERO)
            extent = max(bottom - top, right - left)
            score = evidence / math.sqrt(num_peaks + sums[person, NUM_LIMBS])
            score *= extent / (extent + half_size) if extent > 0.0 else 0.0
            totals[person] = 1.0 / (1.0 + math.exp(_STEEPNESS * (half_score - score)))
        elif ranking == 1:
            totals[person] = min(evidence / (num_parts + num_edges), 1.0)
        else:
            totals[person] = 1.0 - 1.0 / evidence if evidence > 1.0 else 0.0


@helper
def write_people(num_people, falloffs, max_overlap, placing, people_space, found):
    """Write the people of `totals` that are no fragment of a better one, best first; return how many.

    A fragment lies, on average over its peaks, nearer than `max_overlap` to the joints of one person already kept: each
    counts exp(-d^2 / area / falloff) as in OKS. After about two million comparisons, the rest is left out.
    Workspaces: `kept` (M,), `boxes` (M, 4), and those of sorting, (2, L).
    """
    (output_stride, shift_x, shift_y) = placing
    (order, keys, _owner, _used, members, _sums, joints, totals, kept, boxes) = people_space
    (keypoints, pose_scores, filled) = found
    num_parts = members.shape[1]
    sort_best_first(totals, num_people, order, keys)
    num_kept = _ZERO
    compared = _ZERO
    for rank in range(num_people):
        person = order[0, rank]
        if totals[person] < 0.0 or compared > _MOST_COMPARED:
            break
        compared += num_kept
        # No joint's similarity is above 1, and their mean no higher than that.
        if max_overlap < 1.0 and is_fragment(members, joints, person, kept, boxes, num_kept, falloffs, max_overlap):
            continue
        for part in range(num_parts):
            filled[num_kept, part] = members[person, part] == FILLED
            x, y, score = np.nan, np.nan, 0.0
            if members[person, part] != MISSING:
                x = (joints[person, part, 1] + 0.5) * output_stride - 0.5 + shift_x
                y = (joints[person, part, 0] + 0.5) * output_stride - 0.5 + shift_y
                score = joints[person, part, 2]
            keypoints[num_kept, part, 0] = x
            keypoints[num_kept, part, 1] = y
            keypoints[num_kept, part, 2] = score
        pose_scores[num_kept] = totals[person]
        kept[num_kept] = person
        top, left, bottom, right = measure(members, joints, person, _FILLED)
        boxes[num_kept, 0] = top
        boxes[num_kept, 1] = left
        boxes[num_kept, 2] = bottom
        boxes[num_kept, 3] = right
        num_kept += 1
    return num_kept


@helper
def is_fragment(members, joints, person, kept, boxes, num_kept, falloffs, max_overlap):
    """Tell whether a person repeats one of those kept, whose `boxes` are known."""
    slowest = 0.0
    for part in range(falloffs.size):
        slowest = max(slowest, falloffs[part])
    own_top, own_left, own_bottom, own_right = measure(members, joints, person, _ZERO)
    for rank in range(num_kept):
        top = boxes[rank, 0]
        left = boxes[rank, 1]
        bottom = boxes[rank, 2]
        right = boxes[rank, 3]
        area = (bottom - top) * (right - left)
        if not area > 0.0:
            continue
        down = max(max(own_top - bottom, top - own_bottom), 0.0)
        across = max(max(own_left - right, left - own_right), 0.0)
        if down * down + across * across > _SURELY_FAR * area * slowest:
            continue
        other = kept[rank]
        overlap = 0.0
        parts = _ZERO
        for part in range(members.shape[1]):
            if members[person, part] >= 0:
                parts += 1
                if members[other, part] != MISSING:
                    down = joints[person, part, 0] - joints[other, part, 0]
                    right = joints[person, part, 1] - joints[other, part, 1]
                    distance = (down * down + right * right) / (area * falloffs[part])
                    if distance < _FAR:
                        overlap += math.exp(-distance)
        if overlap > max_overlap * parts:
            return True
    return False
