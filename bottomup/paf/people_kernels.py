"""People: limbs that share peaks, best first; then which of them to believe, and how much."""

import math

import numpy as np

from bottomup.kernels.jit import kernel

MISSING = -1  # in `members`: this person has no such part
FILLED = -2  # a guessed one: no peak

# Columns of `sums`.
PEAKS = 0  # sum of the scores of peaks
LIMBS = 1  # sum of the scores of limbs
NUM_PEAKS = 2  # 0 of a person who was merged into another
NUM_LIMBS = 3

_FAR = 20.0  # from here on, exp(-distance) is 0


@kernel
def assemble(
    edges, scores, limb_edges, limb_parents, limb_children, limb_scores, limb_ranks, num_limbs, exclusive, order, owner,
    used, members, sums,
):  # fmt: skip
    """Join limbs to people, best first; return how many there are, of which some were merged away.

    `members` (M, N) holds the number of each part's peak, or MISSING. A limb between nobody's peaks begins a person;
    one that ends in a free peak extends one; one between two people merges them if they have no part in common and the
    edge is not redundant. A peak serves one limb of an edge: the first that was taken, or with `exclusive` the first
    that came. Workspaces: `order` (L,), `owner` (N, K), `used` (E, 2, K).
    """
    num_parts = owner.shape[0]
    for part in range(num_parts):
        for peak in range(owner.shape[1]):
            owner[part, peak] = -1
    for edge in range(edges.shape[0]):
        for peak in range(owner.shape[1]):
            used[edge, 0, peak] = 0
            used[edge, 1, peak] = 0
    sort_best_first(limb_ranks, num_limbs, order)
    num_people = 0
    for rank in range(num_limbs):
        limb = order[rank]
        edge = limb_edges[limb]
        parent = limb_parents[limb]
        child = limb_children[limb]
        if used[edge, 0, parent] or used[edge, 1, child]:
            continue
        parent_part = edges[edge, 0]
        child_part = edges[edge, 1]
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
            join(members, sums, owner, scores, person, parent_part, parent)
            join(members, sums, owner, scores, person, child_part, child)
        elif one == other:
            person = one
        elif other < 0:
            person = one
            taken = members[person, child_part] == MISSING
            if taken:
                join(members, sums, owner, scores, person, child_part, child)
        elif one < 0:
            person = other
            taken = members[person, parent_part] == MISSING
            if taken:
                join(members, sums, owner, scores, person, parent_part, parent)
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


@kernel
def join(members, sums, owner, scores, person, part, peak):
    """Give a person a peak."""
    members[person, part] = peak
    owner[part, peak] = person
    sums[person, PEAKS] += scores[part, peak]
    sums[person, NUM_PEAKS] += 1.0


@kernel
def are_disjoint(members, one, other):
    """Tell whether two people have no part in common; guessed parts do not count."""
    shared = 0
    for part in range(members.shape[1]):
        shared += members[one, part] >= 0 and members[other, part] >= 0
    return shared == 0


@kernel
def merge(members, sums, owner, person, other):
    """Give a person all that another has, who is then nobody."""
    for part in range(members.shape[1]):
        if members[other, part] >= 0:
            members[person, part] = members[other, part]
            owner[part, members[other, part]] = person
        members[other, part] = MISSING
    for column in range(4):
        sums[person, column] += sums[other, column]
        sums[other, column] = 0.0


@kernel
def place_joints(members, rows, columns, scores, num_people, joints):
    """Write row, column and score of every peak of every person to `joints` (M, N, 3)."""
    for person in range(num_people):
        for part in range(members.shape[1]):
            peak = members[person, part]
            if peak >= 0:
                joints[person, part, 0] = rows[part, peak]
                joints[person, part, 1] = columns[part, peak]
                joints[person, part, 2] = scores[part, peak]


@kernel
def measure(members, joints, person, with_filled):
    """Return height and width, in cells, of the box around a person's joints."""
    top = np.inf
    left = np.inf
    bottom = -np.inf
    right = -np.inf
    for part in range(members.shape[1]):
        if members[person, part] >= 0 or (with_filled and members[person, part] == FILLED):
            top = min(top, joints[person, part, 0])
            bottom = max(bottom, joints[person, part, 0])
            left = min(left, joints[person, part, 1])
            right = max(right, joints[person, part, 1])
    return bottom - top, right - left


@kernel
def rank_people(
    members,
    sums,
    joints,
    num_people,
    num_edges,
    counts_as_part,
    min_parts,
    min_mean,
    rule,
    half_size,
    half_score,
    totals,
):
    """Write the score of every person to `totals` (M,), -1 of those who are not to be believed."""
    num_parts = members.shape[1]
    for person in range(num_people):
        totals[person] = -1.0
        parts = 0
        for part in range(num_parts):
            if members[person, part] >= 0 and counts_as_part[part]:
                parts += 1
        if parts == 0 or parts < min_parts:
            continue
        evidence = sums[person, PEAKS] + sums[person, LIMBS]
        if evidence < min_mean * sums[person, NUM_PEAKS]:
            continue
        if rule == 0:
            height, width = measure(members, joints, person, False)
            extent = max(height, width)
            score = evidence / math.sqrt(sums[person, NUM_PEAKS] + sums[person, NUM_LIMBS])
            score *= extent / (extent + half_size) if extent > 0.0 else 0.0
            ratio = half_score / score if score > 0.0 else np.inf
            totals[person] = 1.0 / (1.0 + ratio * ratio * ratio)
        elif rule == 1:
            totals[person] = min(evidence / (num_parts + num_edges), 1.0)
        else:
            totals[person] = 1.0 - 1.0 / evidence if evidence > 1.0 else 0.0


@kernel
def write_people(
    members, joints, num_people, falloffs, max_overlap, output_stride, shift_x, shift_y, totals, order, kept, keypoints,
    pose_scores, filled,
):  # fmt: skip
    """Write the people of `totals` that are no fragment of a better one, best first; return how many.

    A fragment lies, on average over its peaks, nearer than `max_overlap` to the joints of one person already kept: each
    counts exp(-d^2 / area / falloff) as in OKS. Workspaces: `order` (M,) and `kept` (M,).
    """
    num_parts = members.shape[1]
    sort_best_first(totals, num_people, order)
    num_kept = 0
    for rank in range(num_people):
        person = order[rank]
        if totals[person] < 0.0:
            break
        if is_fragment(members, joints, person, kept, num_kept, falloffs, max_overlap):
            continue
        for part in range(num_parts):
            filled[num_kept, part] = members[person, part] == FILLED
            if members[person, part] == MISSING:
                keypoints[num_kept, part, 0] = np.nan
                keypoints[num_kept, part, 1] = np.nan
                keypoints[num_kept, part, 2] = 0.0
            else:
                keypoints[num_kept, part, 0] = (joints[person, part, 1] + 0.5) * output_stride - 0.5 + shift_x
                keypoints[num_kept, part, 1] = (joints[person, part, 0] + 0.5) * output_stride - 0.5 + shift_y
                keypoints[num_kept, part, 2] = joints[person, part, 2]
        pose_scores[num_kept] = totals[person]
        kept[num_kept] = person
        num_kept += 1
    return num_kept


@kernel
def is_fragment(members, joints, person, kept, num_kept, falloffs, max_overlap):
    """Tell whether a person repeats one of those kept."""
    for rank in range(num_kept):
        other = kept[rank]
        height, width = measure(members, joints, other, True)
        area = height * width
        if not area > 0.0:
            continue
        overlap = 0.0
        parts = 0
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


@kernel
def sort_best_first(scores, size, order):
    """Write the numbers of the `size` scores to `order`, highest first, equal ones by number."""
    for index in range(size):
        order[index] = index
    for root in range(size // 2 - 1, -1, -1):
        sift_down(scores, order, root, size)
    for end in range(size - 1, 0, -1):
        order[0], order[end] = order[end], order[0]
        sift_down(scores, order, 0, end)


@kernel
def sift_down(scores, order, hole, size):
    """Move an item down the heap, whose root comes last of all, to where it may stay."""
    item = order[hole]
    while 2 * hole + 1 < size:
        child = 2 * hole + 1
        if child + 1 < size and comes_before(scores, order[child], order[child + 1]):
            child += 1
        if not comes_before(scores, item, order[child]):
            break
        order[hole] = order[child]
        hole = child
    order[hole] = item


@kernel
def comes_before(scores, one, other):
    """Tell which of two items ranks first; a total order."""
    return scores[one] > scores[other] or (scores[one] == scores[other] and one < other)
